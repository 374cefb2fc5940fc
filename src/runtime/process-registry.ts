import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { groupMembers, isAlive, listProcesses, readEnvironment, readProcess } from "./proc.ts";

/** How long what was left behind gets to stop by itself. */
const LEFTOVER_GRACE_MS = 2_000;
const LEFTOVER_KILL_WAIT_MS = 5_000;
const POLL_MS = 20;

/** The variable by which a process is known as one that this runtime started. */
export const PROCESS_MARK = "WEFT_PROCESS";

/** The variable that tells one start from all others. */
export const START_MARK = "WEFT_PROCESS_START";

interface Leftover {
  readonly file: string;
  readonly pid: number;
  readonly startTicks: string;
  readonly what: string;
}

/**
 * The processes that the runtime started and that have not ended, as one file each: name
 * `pid-startTicks`, content what it is; before the number is known, `start-` and what the process
 * carries as `START_MARK`. It outlives the server, so that the next one ends exactly what is left,
 * and nothing that has the same number by chance.
 */
export class ProcessRegistry {
  readonly #directory: string;

  /** Makes the folder. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Notes down a start that is about to be made; returns its mark. A server may die in between. */
  announce(what: string): string {
    const mark = randomUUID();
    writeFileSync(this.#startFile(mark), what, { mode: 0o600 });
    return mark;
  }

  /** What was announced runs, as this process. */
  add(mark: string, pid: number, startTicks: string): void {
    renameSync(this.#startFile(mark), join(this.#directory, `${pid}-${startTicks}`));
  }

  /** What was announced could not be started. */
  withdraw(mark: string): void {
    removeFile(this.#startFile(mark));
  }

  remove(pid: number, startTicks: string): void {
    removeFile(join(this.#directory, `${pid}-${startTicks}`));
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
    const leftovers = readdirSync(this.#directory).flatMap((file) => this.#leftoversOf(file));
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
    for (const { file } of leftovers) removeFile(file);
    return alive.map(({ what }) => what);
  }

  #leftoversOf(name: string): readonly Leftover[] {
    const file = join(this.#directory, name);
    const noted = /^(\d+)-(\d+)$/.exec(name);
    const mark = /^start-(.+)$/.exec(name)?.[1];
    if (noted === null && mark === undefined) return [];
    const what = readFileSync(file, "utf8");
    if (noted !== null) {
      return [{ file, pid: Number(noted[1]), startTicks: noted[2] ?? "", what }];
    }
    const started = listProcesses().filter(({ pid }) => readEnvironment(pid, START_MARK) === mark);
    if (started.length === 0) removeFile(file);
    return [...new Set(started.map(({ groupId }) => groupId))].map((pid) => {
      const { startTicks = "0" } = readProcess(pid) ?? {};
      return { file, pid, startTicks, what };
    });
  }

  #startFile(mark: string): string {
    return join(this.#directory, `start-${mark}`);
  }
}

function removeFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
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
