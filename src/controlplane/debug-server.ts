import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv4 } from "node:net";
import type { Clock } from "../base/clock.ts";
import { parseHostPort } from "../base/ip.ts";
import { failedPage, type Page, type PageEntry, type Pages, textPage } from "./page.ts";
import { BusyError, type PageRenderer } from "./page-renderer.ts";

/** Connections at a time: scrapers and people, not traffic. */
const CONNECTIONS_MAX = 100;

/** How long a client may be silent, and how long one page may take in all to be read. */
const IDLE_MS_MAX = 30_000;
const PAGE_MS_MAX = 120_000;

/** What paths are read against; nobody sees it. */
const BASE = "http://debug";

/** What a server of pages needs. */
export interface DebugServerOptions {
  readonly pages: Pages;
  readonly renderer: PageRenderer;
  readonly clock: Clock;
}

/** Serves pages over HTTP on one address. The owner calls `start` once and `stop` once. */
export class DebugServer {
  readonly #options: DebugServerOptions;
  readonly #server: Server;

  constructor(options: DebugServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.timeout = IDLE_MS_MAX;
  }

  /** The port that is bound; 0 before `start`. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Binds `host:port`; rejects with the system's error when that fails. */
  async start(addr: string): Promise<void> {
    const { host = "", port = 0 } = parseHostPort(addr) ?? {};
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A body is no use to any page, and one that is not read would hold up the connection.
    request.resume();
    const page = this.#pageOf(request);
    if (typeof page.body === "string" || request.method === "HEAD") {
      answerWhole(page, request, response);
      return;
    }
    const { renderer, clock } = this.#options;
    const timer = clock.setTimer(PAGE_MS_MAX, () => response.destroy());
    try {
      await renderer.render(page.body, (text) => writeTo(page, response, text));
      response.end();
    } catch (error) {
      if (error instanceof BusyError) {
        answerWhole(textPage(`${error.message}\n`, 503), request, response);
      } else if (response.headersSent) response.destroy();
      else answerWhole(failedPage(error), request, response);
    } finally {
      timer.cancel();
    }
  }

  #pageOf(request: IncomingMessage): Page {
    const refusal = refusalOf(request);
    if (refusal !== undefined) return refusal;
    const target = request.url ?? "/";
    // A target may be anything: of `//`, for one, no URL can be made.
    if (!URL.canParse(target, BASE)) return textPage("the path is not valid\n", 400);
    const { pathname, searchParams } = new URL(target, BASE);
    const { pages } = this.#options;
    const entry = Object.hasOwn(pages, pathname) ? pages[pathname] : undefined;
    if (entry === undefined) {
      return textPage(`not found; there is:\n${Object.keys(pages).join("\n")}\n`, 404);
    }
    if (entry.isLocal === true && !isLoopback(request.socket.remoteAddress)) {
      const text = "only for this machine: ask from here, or through kubectl port-forward\n";
      return textPage(text, 401);
    }
    return entryPage(entry, request.method ?? "GET", searchParams);
  }
}

function entryPage(entry: PageEntry, method: string, query: URLSearchParams): Page {
  const make = method === "POST" ? entry.post : entry.get;
  if (make === undefined) return textPage("only GET is served here\n", 405);
  try {
    return make(query);
  } catch (error) {
    return failedPage(error);
  }
}

/** Whoever may never have an answer, whatever the page. */
function refusalOf({ method = "", headers }: IncomingMessage): Page | undefined {
  if (!["GET", "HEAD", "POST"].includes(method)) {
    return textPage("only GET is served here\n", 405);
  }
  // The pages ask for no credentials, so no web page of somebody else may read or press them.
  const site = headers["sec-fetch-site"];
  if (site === "cross-site" || headers.origin !== undefined) {
    return textPage("not for other web pages\n", 403);
  }
  return undefined;
}

function answerWhole(page: Page, request: IncomingMessage, response: ServerResponse): void {
  const { body } = page;
  writeHead(page, response, typeof body === "string" ? Buffer.byteLength(body) : undefined);
  response.end(request.method === "HEAD" || typeof body !== "string" ? "" : body);
}

function writeHead(page: Page, response: ServerResponse, length: number | undefined): void {
  response.writeHead(page.status ?? 200, {
    "content-type": page.contentType,
    "cache-control": "no-store",
    ...(length !== undefined && { "content-length": length }),
  });
}

/** Resolves when there is room for more; rejects when the client is gone. */
async function writeTo(page: Page, response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed) throw new Error("the client is gone");
  if (!response.headersSent) writeHead(page, response, undefined);
  if (response.write(text)) return;
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  response.once("close", onClose);
  try {
    await once(response, "drain", { signal: gone.signal });
  } finally {
    response.removeListener("close", onClose);
  }
}

/** Whether an address is this machine's own. */
export function isLoopback(address = ""): boolean {
  const plain = address.replace(/^::ffff:/, "");
  return plain === "::1" || (isIPv4(plain) && plain.startsWith("127."));
}
