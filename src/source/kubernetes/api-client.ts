import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { Clock, Timer } from "../../base/clock.ts";
import { VERSION } from "../../base/version.ts";
import type { MetricRegistry } from "../../telemetry/metrics.ts";
import type { KubernetesAccess, KubernetesCredentials } from "../kubernetes-access.ts";
import { errorFromStatus } from "./api-error.ts";
import { JsonLines } from "./json-lines.ts";

/** An answer begins, and goes on, within this time: the API server's own limit is as long. */
const IDLE_MS = 60_000;

/** A page of a list; one object of Kubernetes has at most about two million bytes. */
const BODY_BYTES_MAX = 256 * 1024 * 1024;
const EVENT_BYTES_MAX = 16 * 1024 * 1024;
const FAILURE_BYTES_MAX = 64 * 1024;

/** One request; its answer is JSON. */
export interface ApiRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH";
  /** `/api/v1/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Of the body; JSON when absent. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
  /** Milliseconds without a byte after which it is given up. */
  readonly idleMs?: number;
}

/** What a client needs. */
export interface ApiClientOptions {
  readonly access: KubernetesAccess;
  readonly clock: Clock;
  readonly metrics: MetricRegistry;
}

/**
 * Requests to one API server over connections that stay open. What comes is bounded in bytes and
 * in time. Rejects with `ApiStatusError` when the server refuses, with another error when it cannot
 * be reached or does not answer.
 */
export class ApiClient {
  readonly #options: ApiClientOptions;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #send: typeof requestHttp;

  constructor(options: ApiClientOptions) {
    this.#options = options;
    const isPlain = options.access.server.protocol === "http:";
    this.#agent = isPlain
      ? new HttpAgent({ keepAlive: true })
      : new HttpsAgent({ keepAlive: true });
    this.#send = isPlain ? requestHttp : (requestHttps as typeof requestHttp);
  }

  /** The whole answer. */
  async request(request: ApiRequest): Promise<unknown> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.#bytes(request)) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) {
        throw new Error(`the answer to ${request.path} is larger than ${BODY_BYTES_MAX} bytes`);
      }
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks, bytes).toString("utf8"));
  }

  /** The values of an answer that is one JSON value a line, as they come; ends when the server ends it. */
  async *lines(request: ApiRequest): AsyncIterable<unknown> {
    const lines = new JsonLines(EVENT_BYTES_MAX);
    for await (const chunk of this.#bytes(request)) yield* lines.push(chunk);
  }

  /** Closes every connection. */
  close(): void {
    this.#agent.destroy();
  }

  async *#bytes(request: ApiRequest): AsyncIterable<Buffer> {
    const { access, metrics } = this.#options;
    const { method = "GET", idleMs = IDLE_MS, signal } = request;
    const credentials = await access.authorize();
    signal.throwIfAborted();
    const watchdog = new Watchdog(this.#options.clock, idleMs, signal);
    try {
      const response = await this.#open(request, credentials, watchdog);
      const code = response.statusCode ?? 0;
      metrics.add("weft_kubernetes_requests", { method, code: String(code) });
      if (code === 401) access.forget();
      if (code >= 400) throw errorFromStatus(await readFailure(response), code);
      for await (const chunk of response) {
        watchdog.touch();
        yield chunk as Buffer;
      }
    } catch (error) {
      throw watchdog.reason ?? error;
    } finally {
      watchdog.end();
    }
  }

  #open(
    { method = "GET", path, query = {}, body, contentType = "application/json" }: ApiRequest,
    { headers, ...tls }: KubernetesCredentials,
    watchdog: Watchdog,
  ): Promise<IncomingMessage> {
    const { server } = this.#options.access;
    const search = new URLSearchParams(query).toString();
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const outgoing = this.#send(
        {
          agent: this.#agent,
          ...tls,
          hostname: server.hostname.replace(/^\[|\]$/g, ""),
          port: server.port === "" ? (server.protocol === "http:" ? 80 : 443) : server.port,
          method,
          path: `${server.pathname.replace(/\/$/, "")}${path}${search === "" ? "" : `?${search}`}`,
          headers: {
            accept: "application/json",
            "user-agent": `weft/${VERSION}`,
            ...(bytes !== undefined && {
              "content-type": contentType,
              "content-length": bytes.length,
            }),
            ...headers,
          },
        },
        resolve,
      );
      outgoing.on("error", (error) =>
        reject(new Error(`cannot reach ${server.origin}: ${error.message}`)),
      );
      watchdog.guard(outgoing);
      outgoing.end(bytes);
    });
  }
}

/** Ends a request that is silent for too long, or that nobody wants any more. */
class Watchdog {
  /** Why it ended the request; `undefined` while it did not. */
  reason: Error | undefined;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #signal: AbortSignal;
  readonly #abort = (): void => this.#bite(new Error("the request was given up"));
  #outgoing: { destroy(error?: Error): unknown } | undefined;
  #timer: Timer | undefined;
  #lastMs = 0;

  constructor(clock: Clock, idleMs: number, signal: AbortSignal) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#signal = signal;
  }

  guard(outgoing: { destroy(error?: Error): unknown }): void {
    this.#outgoing = outgoing;
    this.#signal.addEventListener("abort", this.#abort, { once: true });
    this.touch();
    this.#wait(this.#idleMs);
  }

  /** A byte came. */
  touch(): void {
    this.#lastMs = this.#clock.monotonicMs();
  }

  /** What has not been read by now is not read: the connection of an unfinished answer is closed. */
  end(): void {
    this.#timer?.cancel();
    this.#signal.removeEventListener("abort", this.#abort);
  }

  /** One timer for the whole answer: it looks how long ago the last byte was, and sleeps on. */
  #wait(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => {
      const leftMs = this.#lastMs + this.#idleMs - this.#clock.monotonicMs();
      if (leftMs > 0) return this.#wait(leftMs);
      this.#bite(new Error(`nothing came from the API server for ${this.#idleMs / 1000} s`));
    });
  }

  #bite(reason: Error): void {
    this.reason ??= reason;
    this.#outgoing?.destroy(reason);
  }
}

async function readFailure(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > FAILURE_BYTES_MAX) break;
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    // A proxy on the way answers in its own words.
    return { message: text.trim().slice(0, 200) };
  }
}
