import { type ChildProcess, spawn } from "node:child_process";
import { keepRunning } from "../base/backoff.ts";
import { askAdmin } from "./admin-client.ts";
import type { DataPlane, DataPlaneOptions } from "./data-plane.ts";

const RESTART = { windowMsFirst: 200, windowMsMax: 10_000 } as const;
const KILL_AFTER_MS = 2_000;
const DRAIN_POLL_MS = 50;
/** Connections that are open but were only just told to go are given this long at least. */
const DRAIN_MS_MIN = 200;
const ACTIVE_CONNECTIONS = "/stats?filter=%5Elistener%5C..*downstream_cx_active%24";
const ENVOY_LEVELS = { debug: "debug", info: "info", warn: "warning", error: "error" } as const;

/** Envoy as a child process; its log goes where the agent's goes. */
export class EnvoyDataPlane implements DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #abort = new AbortController();
  #child: ChildProcess | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    const { clock, prng, logger } = this.#options;
    const onEnd = (cause: unknown, delayMs: number): void => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      logger.warn("envoy ended, starting it again", { reason, delayMs: Math.round(delayMs) });
    };
    this.#loop ??= keepRunning(
      (signal) => this.#runOnce(signal),
      { clock, prng, onEnd },
      RESTART,
      this.#abort.signal,
    );
    return Promise.resolve();
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
    this.#abort.abort();
    await this.#loop;
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    const { config, bootstrapFile, clock } = this.#options;
    const child = spawn(
      config.envoyPath ?? "envoy",
      [
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
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    this.#child = child;
    const end = (): void => {
      child.kill("SIGTERM");
      clock.setTimer(KILL_AFTER_MS, () => child.kill("SIGKILL"));
    };
    signal.addEventListener("abort", end, { once: true });
    try {
      const cause = await new Promise<string>((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code, name) =>
          resolve(name === null ? `exit code ${code}` : `signal ${name}`),
        );
      });
      throw new Error(cause);
    } finally {
      this.#child = undefined;
      signal.removeEventListener("abort", end);
    }
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
