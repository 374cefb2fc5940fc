import { Agent, request } from "node:http";
import type { Prng } from "../../../src/base/prng.ts";
import { SERVICE_PORT } from "./churn-objects.ts";
import { HOSTS, type Host, PATHS, type Path } from "./churn-state.ts";
import type { Outcome, StateWindow } from "./state-window.ts";

/** How long one request may take before it counts as failed. */
const REQUEST_MS_MAX = 10_000;

/** What a load does. */
export interface ChurnLoadOptions {
  /** The proxy's own word: `weft`, `envoy`. */
  readonly plane: string;
  /** The pod whose outbound proxy is asked. */
  readonly podIp: string;
  readonly connections: number;
  /** Of all connections together. */
  readonly perSecond: number;
  readonly prng: Prng;
  readonly window: StateWindow;
}

/** Requests for every host and path through one proxy, at an even pace, each held to the oracle. */
export class ChurnLoad {
  readonly #options: ChurnLoadOptions;
  readonly #agent: Agent;
  readonly #workers: readonly Promise<void>[];
  #isStopped = false;

  constructor(options: ChurnLoadOptions) {
    this.#options = options;
    const { connections } = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections + 1 });
    this.#workers = Array.from({ length: connections }, () => this.#work());
  }

  /** Asks once for everything there is. */
  async askForAll(): Promise<void> {
    for (const host of HOSTS) for (const path of PATHS) await this.#ask(host, path);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
  }

  async #work(): Promise<void> {
    const { prng, connections, perSecond } = this.#options;
    const everyMs = (1000 * connections) / perSecond;
    while (!this.#isStopped) {
      const startMs = performance.now();
      const host = HOSTS[Math.floor(prng.next() * HOSTS.length)] ?? HOSTS[0];
      const path = PATHS[Math.floor(prng.next() * PATHS.length)] ?? PATHS[0];
      await this.#ask(host, path);
      // A random pause, so that requests do not march in step with what changes.
      const pauseMs = everyMs * 2 * prng.next() - (performance.now() - startMs);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #ask(host: Host, path: Path): Promise<void> {
    const { window, plane } = this.#options;
    const from = window.oldest;
    const outcome = await this.#send(host, path);
    window.judge({ plane, host, path, outcome, from });
  }

  #send(host: Host, path: Path): Promise<Outcome> {
    const authority = `${host}:${SERVICE_PORT}`;
    return new Promise((resolve) => {
      const outgoing = request(
        {
          agent: this.#agent,
          host: this.#options.podIp,
          port: 15_002,
          path: `http://${authority}${path}`,
          headers: { host: authority },
          signal: AbortSignal.timeout(REQUEST_MS_MAX),
        },
        (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => (text += chunk.toString()));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
          response.on("error", (error) => resolve({ status: 0, text: error.message }));
        },
      );
      outgoing.on("error", (error) => resolve({ status: 0, text: error.message }));
      outgoing.end();
    });
  }
}
