import { type ChildProcess, spawn } from "node:child_process";
import { askAdmin } from "./admin-client.ts";
import type { AgentConfig } from "./agent-config.ts";
import type { DataPlane, DataPlaneOptions } from "./data-plane.ts";

const KILL_AFTER_MS = 2_000;
const DRAIN_POLL_MS = 50;
/** Connections that are open but were only just told to go are given this long at least. */
const DRAIN_MS_MIN = 200;
const ACTIVE_CONNECTIONS = "/stats?filter=%5Elistener%5C..*downstream_cx_active%24";
const ENVOY_LEVELS = { debug: "debug", info: "info", warn: "warning", error: "error" } as const;

/**
 * Envoy as a child process; its log goes where the agent's goes. It is not started again here: the
 * agent ends with it, so that whoever runs the agent counts its failures and backs off.
 */
export class EnvoyDataPlane implements DataPlane {
  readonly #options: DataPlaneOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    const { config, bootstrapFile, onQuit, onFailure } = this.#options;
    const program = config.envoyPath ?? "envoy";
    const child = spawn(program, envoyArguments(config, bootstrapFile), {
      stdio: ["ignore", "inherit", "inherit"],
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        resolve();
        if (this.#isStopping) return;
        if (code === 0) onQuit();
        else onFailure(signal === null ? `Envoy ended with ${code}` : `Envoy ended by ${signal}`);
      });
    });
    return new Promise((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => {
        this.#child = undefined;
        reject(new Error(`cannot start ${program}: ${error.message}`, { cause: error }));
      });
    });
  }

  async isReady(): Promise<boolean> {
    const answer = await this.#ask("GET", "/ready");
    return answer?.status === 200 && answer.body.trim() === "LIVE";
  }

  async drain(drainMs: number): Promise<void> {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    await this.#ask("POST", "/healthcheck/fail");
    await this.#ask("POST", "/drain_listeners?graceful");
    await clock.sleep(Math.min(DRAIN_MS_MIN, drainMs));
    while (clock.monotonicMs() - startMs < drainMs && this.#child !== undefined) {
      if ((await this.#countConnections()) === 0) return;
      await clock.sleep(DRAIN_POLL_MS);
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === undefined) return;
    child.kill("SIGTERM");
    const timer = this.#options.clock.setTimer(KILL_AFTER_MS, () => child.kill("SIGKILL"));
    await this.#ended;
    timer.cancel();
  }

  async #countConnections(): Promise<number> {
    const answer = await this.#ask("GET", ACTIVE_CONNECTIONS);
    if (answer?.status !== 200) return 0;
    let total = 0;
    for (const line of answer.body.split("\n")) {
      const match = /^(listener\..*\.downstream_cx_active): (\d+)$/.exec(line);
      if (match?.[1]?.startsWith("listener.admin.") === false) total += Number(match[2]);
    }
    return total;
  }

  #ask(method: "GET" | "POST", path: string): ReturnType<typeof askAdmin> {
    const { podIp, adminPort } = this.#options.config;
    return askAdmin(podIp, adminPort, method, path);
  }
}

function envoyArguments(config: AgentConfig, bootstrapFile: string): readonly string[] {
  return [
    "-c",
    bootstrapFile,
    "--concurrency",
    "1",
    // Many run side by side, and none is ever restarted hot.
    "--disable-hot-restart",
    "--log-level",
    ENVOY_LEVELS[config.logLevel],
    "--drain-time-s",
    String(Math.max(1, Math.ceil(config.drainMs / 1000))),
    "--drain-strategy",
    "immediate",
  ];
}
