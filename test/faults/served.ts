import { Agent, request } from "node:http";
import { AUTHORITY, GENERATION } from "./generation-yaml.ts";

const PROXY_PORT = 15_002;

/** How long one request may take before it counts as failed. */
const REQUEST_MS_MAX = 10_000;

/** What a request through a proxy came to; status 0: nothing came. */
export interface Served {
  readonly status: number;
  readonly text: string;
  /** Of the routes that it met; 0 when the answer does not say. */
  readonly generation: number;
}

/** Asks for the service through the outbound proxy of a pod. */
export function askPod(podIp: string, agent?: Agent): Promise<Served> {
  return new Promise((resolve) => {
    const fail = (error: Error): void => resolve({ status: 0, text: error.message, generation: 0 });
    const outgoing = request(
      {
        host: podIp,
        port: PROXY_PORT,
        path: `http://${AUTHORITY}/`,
        headers: { host: AUTHORITY },
        signal: AbortSignal.timeout(REQUEST_MS_MAX),
        ...(agent !== undefined && { agent }),
      },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("error", fail);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            text,
            generation: Number(response.headers[GENERATION] ?? 0),
          }),
        );
      },
    );
    outgoing.on("error", fail);
    outgoing.end();
  });
}

/** What a load came to. */
export interface ServedReport {
  readonly requests: number;
  /** What was not answered with 200, each once. */
  readonly failures: readonly string[];
  /** Answers by older routes than an earlier answer was by. */
  readonly backwards: readonly string[];
}

/** Asks through one proxy at a pace, and notes what fails and what goes back to older routes. */
export class ServedLoad {
  readonly #agent: Agent;
  readonly #podIp: string;
  readonly #failures = new Set<string>();
  readonly #backwards = new Set<string>();
  readonly #workers: readonly Promise<void>[];
  #newest = 0;
  #requests = 0;
  #isStopped = false;

  constructor(podIp: string, { perSecond = 200, connections = 8 } = {}) {
    this.#podIp = podIp;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    const everyMs = (1000 * connections) / perSecond;
    this.#workers = Array.from({ length: connections }, () => this.#work(everyMs));
  }

  get requests(): number {
    return this.#requests;
  }

  async stop(): Promise<ServedReport> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
    const [failures, backwards] = [[...this.#failures], [...this.#backwards]];
    return { requests: this.#requests, failures, backwards };
  }

  async #work(everyMs: number): Promise<void> {
    while (!this.#isStopped) {
      const startMs = performance.now();
      // A request may end after one that was sent later; only what it follows binds it.
      const before = this.#newest;
      const { status, text, generation } = await askPod(this.#podIp, this.#agent);
      this.#requests += 1;
      if (status !== 200) this.#failures.add(`${status} ${text}`);
      else if (generation < before) this.#backwards.add(`${generation} after ${before}`);
      this.#newest = Math.max(this.#newest, generation);
      const pauseMs = everyMs - (performance.now() - startMs);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
