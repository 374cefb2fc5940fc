import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

const MAIN = join(fileURLToPath(new URL("../..", import.meta.url)), "dist", "weft.js");

/** `weft pilot` as users start it; its owner stops it. */
export class PilotProcess {
  /** Everything it said. */
  stderr = "";
  stdout = "";
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [MAIN, "pilot", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.exit = new Promise((resolve) => this.#child.once("close", resolve));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return until(() => pattern.exec(this.stderr) ?? undefined, `${pattern} in: ${this.stderr}`);
  }

  async grpcPort(): Promise<number> {
    return Number((await this.says(/serving xDS on [\d.]+:(\d+)/))[1]);
  }

  async get(path: string): Promise<string> {
    const [, addr] = await this.says(/status on (http:\S+)/);
    return (await fetch(`${addr}${path}`)).text();
  }

  /** Any signal, to a process that goes on. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.#child.exitCode === null) this.#child.kill(signal);
    return this.exit;
  }
}
