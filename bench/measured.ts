import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const STOP_MS_MAX = 5000;

/** A process whose cost is read from outside (Linux: /proc). */
export class Measured {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(command, [...args], { stdio: ["ignore", "ignore", "inherit"] });
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.once("error", () => resolve());
    });
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** CPU time of all its threads so far, in microseconds; the kernel counts it in nanoseconds. */
  cpuMicros(): number {
    const folder = `/proc/${this.#child.pid}/task`;
    let nanoseconds = 0;
    for (const task of readdirSync(folder)) {
      nanoseconds += Number(readFileSync(`${folder}/${task}/schedstat`, "utf8").split(" ")[0]);
    }
    return nanoseconds / 1000;
  }

  residentMiB(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    this.#child.kill("SIGTERM");
    const forced = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS_MAX);
    await this.#ended;
    clearTimeout(forced);
  }
}
