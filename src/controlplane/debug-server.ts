import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Connections at a time: scrapers and people, not traffic. */
const CONNECTIONS_MAX = 100;

/** What paths are read against; nobody sees it. */
const BASE = "http://debug";

/** One answer of a page. */
export interface Page {
  /** 200 when absent. */
  readonly status?: number;
  readonly contentType: string;
  readonly body: string;
}

/** Pages by path. */
export type Pages = Readonly<Record<string, (query: URLSearchParams) => Page>>;

/** A page of indented JSON. */
export function jsonPage(value: unknown, status = 200): Page {
  return { status, contentType: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

/** A page of plain text. */
export function textPage(body: string, status = 200): Page {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

/** A page that cannot be made is that page's trouble alone. */
function rendered(page: Pages[string], query: URLSearchParams): Page {
  try {
    return page(query);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return textPage(`this page could not be made: ${text}\n`, 500);
  }
}

/** Serves read-only pages over HTTP. The owner calls `start` once and `stop` once. */
export class DebugServer {
  readonly #pages: Pages;
  readonly #server: Server;

  constructor(pages: Pages) {
    this.#pages = pages;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** The port that is bound; 0 before `start`. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Binds `host:port`; rejects with the system's error when that fails. */
  async start(addr: string): Promise<void> {
    const colon = addr.lastIndexOf(":");
    const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(Number(addr.slice(colon + 1)), host, () => {
        this.#server.removeListener("error", reject);
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { status = 200, contentType, body } = this.#pageOf(request);
    response.writeHead(status, {
      "content-type": contentType,
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
    });
    response.end(request.method === "HEAD" ? "" : body);
  }

  #pageOf(request: IncomingMessage): Page {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return textPage("only GET is served here\n", 405);
    }
    // The pages ask for no credentials, so no web page of somebody else may read them.
    const site = request.headers["sec-fetch-site"];
    if (site === "cross-site" || request.headers.origin !== undefined) {
      return textPage("not for other web pages\n", 403);
    }
    const target = request.url ?? "/";
    // A target may be anything: of `//`, for one, no URL can be made.
    if (!URL.canParse(target, BASE)) return textPage("the path is not valid\n", 400);
    const { pathname, searchParams } = new URL(target, BASE);
    const page = Object.hasOwn(this.#pages, pathname) ? this.#pages[pathname] : undefined;
    if (page !== undefined) return rendered(page, searchParams);
    return textPage(`not found; there is:\n${Object.keys(this.#pages).join("\n")}\n`, 404);
  }
}
