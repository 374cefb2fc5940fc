import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VERSION } from "../base/version.ts";
import { buildBootstrap } from "./bootstrap.ts";
import type { DataPlane, DataPlaneOptions } from "./data-plane.ts";
import { EnvoyDataPlane } from "./envoy-data-plane.ts";
import { HealthServer } from "./health-server.ts";
import { WeftDataPlane } from "./weft-data-plane.ts";

/** What an agent runs with. */
export type AgentOptions = Omit<DataPlaneOptions, "bootstrapFile">;

/** What stands beside one workload: its proxy, and the answer whether it is ready. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #bootstrapFile: string;
  readonly #dataPlane: DataPlane;
  readonly #health: HealthServer;
  #isStopping = false;

  constructor(options: AgentOptions) {
    const { config } = options;
    this.#options = options;
    this.#bootstrapFile = join(config.directory, "bootstrap.json");
    this.#dataPlane = createDataPlane({ ...options, bootstrapFile: this.#bootstrapFile });
    this.#health = new HealthServer(config.podIp, config.healthPort, async () =>
      this.#isStopping ? false : this.#dataPlane.isReady(),
    );
  }

  /** Resolves when the proxy has been started, rejects when it cannot be; whether it is ready is asked on the health port. */
  async start(): Promise<void> {
    const { config } = this.#options;
    await mkdir(config.directory, { recursive: true, mode: 0o700 });
    const bootstrap = buildBootstrap(config, VERSION);
    await writeFile(this.#bootstrapFile, `${JSON.stringify(bootstrap, undefined, 2)}\n`);
    await this.#health.start();
    try {
      await this.#dataPlane.start();
    } catch (error) {
      // Else the health port would keep a process alive that can never be ready.
      await this.stop({ isDraining: false });
      throw error;
    }
  }

  /** Whether an exception that has left everything concerns a proxy in this process, which goes on. */
  noteFault(error: unknown): boolean {
    if (!(this.#dataPlane instanceof WeftDataPlane)) return false;
    this.#dataPlane.noteFault(error);
    return true;
  }

  /** Ends the proxy, with `isDraining` after its connections had time to end by themselves. */
  async stop({ isDraining }: { readonly isDraining: boolean }): Promise<void> {
    this.#isStopping = true;
    if (isDraining) await this.#dataPlane.drain(this.#options.config.drainMs);
    await this.#dataPlane.stop();
    await this.#health.stop();
  }
}

function createDataPlane(options: DataPlaneOptions): DataPlane {
  return options.config.proxy === "envoy"
    ? new EnvoyDataPlane(options)
    : new WeftDataPlane(options);
}
