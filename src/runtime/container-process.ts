import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import type { Clock } from "../base/clock.ts";
import { groupMembers, readProcess } from "./proc.ts";
import type { ProcessRegistry } from "./process-registry.ts";
import { PROCESS_MARK, pollUntil, START_MARK, signalGroup } from "./process-registry.ts";

/** A killed group is gone at once, unless the kernel holds a process in a call. */
const KILL_WAIT_MS = 5_000;

/** What to run. */
export interface ProcessSpec {
  /** Program and arguments; looked for in the `PATH` of `env`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
}

/** How a process ended. */
export interface ProcessExit {
  readonly exitCode: number;
  /** The number of the signal that ended it. */
  readonly signal?: number;
  /** Why it could not even be started. */
  readonly startError?: string;
}

/** Where it writes and where it is noted down. */
export interface ContainerProcessOptions {
  readonly spec: ProcessSpec;
  readonly logFile: string;
  readonly registry: ProcessRegistry;
  /** For people: which container of which pod. */
  readonly what: string;
  readonly clock: Clock;
}

/**
 * A process in a session of its own. Its output goes straight into its file, not through the
 * server, so that it lives on when the server dies.
 */
export class ContainerProcess {
  readonly pid: number;
  readonly startTicks: string;
  /** Resolves when the process has ended, and with it all that it started. */
  readonly exited: Promise<ProcessExit>;
  readonly #clock: Clock;
  #isOver = false;

  private constructor(pid: number, startTicks: string, exited: Promise<ProcessExit>, clock: Clock) {
    this.pid = pid;
    this.startTicks = startTicks;
    this.#clock = clock;
    this.exited = exited.then((exit) => {
      this.#isOver = true;
      return exit;
    });
  }

  /** Starts it, or says why it cannot be. */
  static start(options: ContainerProcessOptions): Promise<ContainerProcess | ProcessExit> {
    const { spec, registry, what, clock } = options;
    const [program = ""] = spec.command;
    const failed = (error: unknown): ProcessExit => {
      const startError = describeStartError(error as Error, program, spec.workingDir);
      return { exitCode: 127, startError };
    };
    let mark = "";
    let child: ChildProcess;
    try {
      mark = registry.announce(what);
      child = spawnInto(options, mark);
    } catch (error) {
      registry.withdraw(mark);
      return Promise.resolve(failed(error));
    }
    const { pid } = child;
    if (pid === undefined) {
      registry.withdraw(mark);
      return new Promise((resolve) => child.once("error", (error) => resolve(failed(error))));
    }
    const startTicks = readProcess(pid)?.startTicks ?? "0";
    try {
      registry.add(mark, pid, startTicks);
    } catch (error) {
      // A process that is not noted down would outlive a server that dies.
      signalGroup(pid, "SIGKILL");
      return new Promise((resolve) => child.once("exit", () => resolve(failed(error))));
    }
    const exited = new Promise<ProcessExit>((resolve) => {
      child.once("exit", (code, signal) => {
        const number = signal === null ? undefined : constants.signals[signal];
        resolve(
          number === undefined
            ? { exitCode: code ?? 0 }
            : { exitCode: 128 + number, signal: number },
        );
      });
    }).then(async (exit) => {
      // What the leader started goes with it, as in a container.
      signalGroup(pid, "SIGKILL");
      await pollUntil(clock, () => !hasMembers(pid), KILL_WAIT_MS);
      registry.remove(pid, startTicks);
      return exit;
    });
    return Promise.resolve(new ContainerProcess(pid, startTicks, exited, clock));
  }

  /** Asks the whole group to stop, waits, and kills what is still there. */
  async stop(graceMs: number, signal: NodeJS.Signals = "SIGTERM"): Promise<ProcessExit> {
    if (!this.#isOver) {
      signalGroup(this.pid, signal);
      const done = new AbortController();
      const graceOver = this.#clock.sleep(graceMs, done.signal).then(() => "late");
      const first = await Promise.race([this.exited, graceOver]);
      done.abort();
      if (first === "late") this.kill();
    }
    return this.exited;
  }

  /** Ends the whole group at once. */
  kill(): void {
    if (!this.#isOver) signalGroup(this.pid, "SIGKILL");
  }
}

/** Starts it in a session of its own; throws also where only an argument is wrong. */
function spawnInto({ spec, logFile, what }: ContainerProcessOptions, mark: string): ChildProcess {
  const [program = "", ...args] = spec.command;
  const output = openSync(logFile, "a", 0o600);
  try {
    return spawn(program, args, {
      cwd: spec.workingDir,
      env: { ...spec.env, [PROCESS_MARK]: what, [START_MARK]: mark },
      stdio: ["ignore", output, output],
      detached: true,
    });
  } finally {
    closeSync(output);
  }
}

/** The cheap question first: most groups are simply gone. */
function hasMembers(groupId: number): boolean {
  try {
    process.kill(-groupId, 0);
  } catch {
    return false;
  }
  return groupMembers(groupId).length > 0;
}

function describeStartError(error: Error, program: string, workingDir: string): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return `cannot start "${program}": no such program, or no folder ${workingDir}`;
  if (code === "EACCES") return `cannot start "${program}": not allowed to run it`;
  return `cannot start "${program}": ${error.message}`;
}
