import {
  Agent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";

/** An answer of another service, read completely. */
export interface CallResult {
  readonly status: number;
  readonly body: string;
}

/** What goes along with a call. */
export interface CallOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** For the whole call, connecting included. */
  readonly timeoutMs: number;
}

/** Where calls go that `no_proxy` does not exempt; undefined is straight to the host. */
interface Proxy {
  readonly host: string;
  readonly port: number;
  readonly exempt: readonly string[];
}

const RESPONSE_BYTES_MAX = 1024 * 1024;

/** Calls other services by name, through `http_proxy` where that is set, on kept connections. */
export class ServiceClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 16 });
  readonly #proxy: Proxy | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#proxy = proxyOf(env);
  }

  /** Rejects when no answer came: refused, broken off, too late or too large. */
  async get(url: string, options: CallOptions): Promise<CallResult> {
    const signal = AbortSignal.timeout(options.timeoutMs);
    const target = this.#target(new URL(url), options.headers);
    try {
      return await this.#once(target, signal);
    } catch (error) {
      // The other side may close an idle connection just when it is used again. A GET may be
      // repeated, and what fails on a fresh connection is a failure.
      if (!(error instanceof StaleConnectionError)) throw error;
      return await this.#once({ ...target, agent: false }, signal);
    }
  }

  /** Closes the kept connections. */
  close(): void {
    this.#agent.destroy();
  }

  #target(url: URL, headers: Readonly<Record<string, string>>): RequestOptions {
    const proxy = this.#proxy;
    const throughProxy = proxy !== undefined && !isExempt(url, proxy.exempt);
    return {
      agent: this.#agent,
      host: throughProxy ? proxy.host : url.hostname,
      port: throughProxy ? proxy.port : Number(url.port || 80),
      // A proxy is asked in absolute form, RFC 9112 section 3.2.2.
      path: throughProxy ? url.href : `${url.pathname}${url.search}`,
      headers: { ...headers, host: url.host },
    };
  }

  #once(target: RequestOptions, signal: AbortSignal): Promise<CallResult> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({ ...target, method: "GET", signal });
      request.on("error", (error: NodeJS.ErrnoException) => {
        const stale = request.reusedSocket && error.code === "ECONNRESET";
        reject(stale ? new StaleConnectionError() : error);
      });
      request.on("response", (response) => {
        readBody(response).then(
          (body) => resolve({ status: response.statusCode ?? 0, body }),
          reject,
        );
      });
      request.end();
    });
  }
}

class StaleConnectionError extends Error {}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > RESPONSE_BYTES_MAX) throw new Error("answer too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function proxyOf(env: Readonly<Record<string, string | undefined>>): Proxy | undefined {
  const value = env["http_proxy"] ?? env["HTTP_PROXY"] ?? "";
  if (value === "") return undefined;
  const url = new URL(value.includes("://") ? value : `http://${value}`);
  const exempt = (env["no_proxy"] ?? env["NO_PROXY"] ?? "").split(",").map((entry) => entry.trim());
  return {
    host: url.hostname,
    port: Number(url.port || 80),
    exempt: exempt.filter((entry) => entry !== ""),
  };
}

/** Whether a host is on a `no_proxy` list: `*`, a name and what is below it, `name:port`. */
function isExempt(url: URL, exempt: readonly string[]): boolean {
  const port = url.port === "" ? "80" : url.port;
  return exempt.some((entry) => {
    const [name = "", entryPort] = entry.replace(/^\*?\./, "").split(":");
    if (entryPort !== undefined && entryPort !== port) return false;
    return name === "*" || url.hostname === name || url.hostname.endsWith(`.${name}`);
  });
}
