import { mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { groupMembers, isAlive, readEnvironment, readProcess } from "./proc.ts";

/** How long what was left behind gets to stop by itself. */
const LEFTOVER_GRACE_MS = 2_000;
const LEFTOVER_KILL_WAIT_MS = 5_000;
const POLL_MS = 20;

/** The variable by which a process is known as one that this runtime started. */
export const PROCESS_MARK = "WEFT_PROCESS";

/**
 * The processes that the runtime started and that have not ended, as one file each: name
 * `pid-startTicks`, content what it is. It outlives the server, so that the next one ends exactly
 * what is left, and nothing that has the same number by chance.
 */
export class ProcessRegistry {
  readonly #directory: string;

  /** Makes the folder. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  add(pid: number, startTicks: string, what: string): void {
    writeFileSync(join(this.#directory, `${pid}-${startTicks}`), what);
  }

  remove(pid: number, startTicks: string): void {
    try {
      unlinkSync(join(this.#directory, `${pid}-${startTicks}`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }

  /** Ends everything at once, without waiting: for a user who does not want to. */
  killAll(): void {
    for (const file of readdirSync(this.#directory)) {
      const match = /^(\d+)-(\d+)$/.exec(file);
      if (match === null || !isOurGroup(Number(match[1]), match[2] ?? "")) continue;
      signalGroup(Number(match[1]), "SIGKILL");
    }
  }

  /** Ends what an earlier server left behind; returns what that was. */
  async endLeftovers(clock: Clock, logger: Logger): Promise<readonly string[]> {
    const leftovers = readdirSync(this.#directory).flatMap((file) => {
      const match = /^(\d+)-(\d+)$/.exec(file);
      if (match === null) return [];
      const what = readFileSync(join(this.#directory, file), "utf8");
      return [{ pid: Number(match[1]), startTicks: match[2] ?? "", what }];
    });
    const alive = leftovers.filter(({ pid, startTicks }) => isOurGroup(pid, startTicks));
    for (const { pid, what } of alive) {
      logger.info("ending what an earlier server left running", { pid, what });
      signalGroup(pid, "SIGTERM");
    }
    const isOver = (): boolean =>
      alive.every(({ pid, startTicks }) => !isOurGroup(pid, startTicks));
    await pollUntil(clock, isOver, LEFTOVER_GRACE_MS);
    for (const { pid, startTicks } of alive) {
      if (isOurGroup(pid, startTicks)) signalGroup(pid, "SIGKILL");
    }
    if (!(await pollUntil(clock, isOver, LEFTOVER_KILL_WAIT_MS))) {
      logger.error("some processes of an earlier server do not end");
    }
    for (const { pid, startTicks } of leftovers) this.remove(pid, startTicks);
    return alive.map(({ what }) => what);
  }
}

/**
 * Whether the group is still the one that was started: its leader is the same process, or it is
 * gone and the members carry the mark (a number in use as a group is not given to a new process).
 */
function isOurGroup(pid: number, startTicks: string): boolean {
  const leader = readProcess(pid);
  if (leader !== undefined && leader.startTicks !== startTicks) return false;
  if (isAlive(leader)) return true;
  return groupMembers(pid).some(
    (member) => readEnvironment(member.pid, PROCESS_MARK) !== undefined,
  );
}

/** Signals a whole group; one that has ended is no error. */
export function signalGroup(groupId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-groupId, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Whether the condition came true in time. */
export async function pollUntil(
  clock: Clock,
  condition: () => boolean,
  timeoutMs: number,
): Promise<boolean> {
  const endMs = clock.monotonicMs() + timeoutMs;
  while (!condition()) {
    if (clock.monotonicMs() >= endMs) return false;
    await clock.sleep(POLL_MS);
  }
  return true;
}
