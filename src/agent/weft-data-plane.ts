import { readFile } from "node:fs/promises";
import { formatIssue } from "../base/issue.ts";
import { parseBootstrap } from "../proxy/bootstrap.ts";
import { Proxy } from "../proxy/proxy.ts";
import type { DataPlane, DataPlaneOptions } from "./data-plane.ts";

/** weft's own proxy in this process. What crashes the process is for the runtime, which starts another. */
export class WeftDataPlane implements DataPlane {
  readonly #options: DataPlaneOptions;
  #proxy: Proxy | undefined;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { bootstrapFile, clock, prng, logger, writeStream, onQuit } = this.#options;
    const bootstrap = parseBootstrap(await readFile(bootstrapFile, "utf8"));
    if (!bootstrap.ok) {
      throw new Error(`${bootstrapFile}: ${bootstrap.issues.map(formatIssue).join("; ")}`);
    }
    this.#proxy = new Proxy(bootstrap.value, {
      clock,
      prng,
      log: logger.scope("proxy"),
      writeStream,
      onQuit,
    });
    await this.#proxy.start();
  }

  /** An exception has left everything in this process: it is counted and logged. */
  noteFault(error: unknown): void {
    this.#proxy?.noteFault(error);
  }

  isReady(): Promise<boolean> {
    return Promise.resolve(this.#proxy?.state === "LIVE");
  }

  async drain(drainMs: number): Promise<void> {
    await this.#proxy?.stop(drainMs);
    this.#proxy = undefined;
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop(0);
    this.#proxy = undefined;
  }
}
