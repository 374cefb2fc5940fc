import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentConfig } from "../../src/agent/agent-config.ts";
import { buildBootstrap } from "../../src/agent/bootstrap.ts";
import { VERSION } from "../../src/base/version.ts";
import { until } from "../controlplane/until.ts";

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What one proxy is started with. */
export interface ProxyOptions {
  /** An Envoy to start; absent: weft's own proxy. */
  readonly envoy: string | undefined;
  readonly folder: string;
  /** What a pod's agent would be told; names the files too. */
  readonly config: AgentConfig;
  /** How it asks for its configuration; state of the world when absent. */
  readonly variant?: XdsVariant;
}

/** Envoy's two ways to ask a control plane. */
export type XdsVariant = "sotw" | "delta";

const LOG_TAIL = 2_000;

/** Several start at once, on machines that have other things to do. */
const READY_MS_MAX = 45_000;

/** One data plane process; both kinds take the same bootstrap file. */
export class ProxyProcess {
  readonly #child: ChildProcess;
  readonly #options: ProxyOptions;
  readonly #log: string;

  private constructor(child: ChildProcess, options: ProxyOptions, log: string) {
    this.#child = child;
    this.#options = options;
    this.#log = log;
  }

  /** Resolves when it says that it is ready; what it wrote is in the error otherwise. */
  static async start(options: ProxyOptions): Promise<ProxyProcess> {
    const { config, folder, variant = "sotw" } = options;
    const file = join(folder, `${config.podName}.json`);
    const log = join(folder, `${config.podName}.log`);
    writeFileSync(file, bootstrapText(config, variant));
    const [command, args] =
      options.envoy === undefined
        ? [process.execPath, [join(repository, "bin/weft"), "proxy", "-c", file]]
        : [
            options.envoy,
            ["-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"],
          ];
    const output = openSync(log, "w");
    const child = spawn(command, args, { stdio: ["ignore", output, output] });
    closeSync(output);
    const made = new ProxyProcess(child, options, log);
    try {
      await until(() => made.#isReady(), `${config.podName} to be ready`, READY_MS_MAX);
      return made;
    } catch (error) {
      await made.stop();
      const text = readFileSync(log, "utf8").slice(-LOG_TAIL);
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${text}`);
    }
  }

  /** The end of what it wrote so far. */
  logTail(): string {
    return readFileSync(this.#log, "utf8").slice(-LOG_TAIL);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`exit ${this.#child.exitCode}`);
    const { podIp, adminPort } = this.#options.config;
    const url = `http://${podIp}:${adminPort}/ready`;
    const answer = await fetch(url).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 200;
  }
}

function bootstrapText(config: AgentConfig, variant: XdsVariant): string {
  const apiType = variant === "delta" ? "DELTA_GRPC" : "GRPC";
  return JSON.stringify(buildBootstrap(config, VERSION), (key, value: unknown) =>
    key === "api_type" ? apiType : value,
  );
}
