import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { findProgram } from "../test/programs.ts";

const STOP_MS_MAX = 5000;

const taskset = cpus().length > 1 ? findProgram("taskset") : undefined;

/** Which core a process gets: what is measured has the first for itself, all else the second. */
export type Core = 0 | 1;

/** A command and its arguments that run on that core; as they are where cores cannot be chosen. */
export function pinned(core: Core, command: string, args: readonly string[]): [string, string[]] {
  if (taskset === undefined) return [command, [...args]];
  return [taskset, ["-c", String(core), command, ...args]];
}

/** How a process is started, where it is not as usual. */
export interface MeasuredOptions {
  readonly cwd?: string;
  /** Beside the variables that this process has. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A process whose cost is read from outside (Linux: /proc). */
export class Measured {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  /** Without a core, the process runs where the system puts it. */
  constructor(
    name: string,
    core: Core | undefined,
    command: string,
    args: readonly string[],
    { cwd, env }: MeasuredOptions = {},
  ) {
    this.name = name;
    const [program, words] = core === undefined ? [command, args] : pinned(core, command, args);
    this.#child = spawn(program, words, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
      ...(cwd !== undefined && { cwd }),
    });
    // Only what it says as it ends is of interest.
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.lastWords = `${this.lastWords}${chunk.toString()}`.slice(-4096);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.once("error", () => resolve());
    });
  }

  lastWords = "";

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** CPU time of all its threads so far, in microseconds; the kernel counts it in nanoseconds. */
  cpuMicros(): number {
    const folder = `/proc/${this.pid}/task`;
    let nanoseconds = 0;
    for (const task of readdirSync(folder)) {
      nanoseconds += Number(readFileSync(`${folder}/${task}/schedstat`, "utf8").split(" ")[0]);
    }
    return nanoseconds / 1000;
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    this.#child.kill("SIGTERM");
    const forced = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS_MAX);
    await this.#ended;
    clearTimeout(forced);
  }
}

/** Resident memory of a process. */
export function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

/** Resident memory with pages that several processes share split among them. */
export function proportionalMiB(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024;
}

/** A process and all that came of it. */
export function processTree(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The name in parentheses may hold anything; state and parent follow it.
      const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      parents.set(Number(name), Number(parent));
    } catch {
      // Gone meanwhile.
    }
  }
  const found = [root];
  for (const pid of found) {
    for (const [child, parent] of parents) if (parent === pid) found.push(child);
  }
  return found;
}
