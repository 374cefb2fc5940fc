import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { formatHostPort } from "../../base/ip.ts";
import { type AdminState, PAGES } from "./pages.ts";

/** What the admin port needs. */
export interface AdminOptions extends AdminState {
  readonly clock: Clock;
  readonly onQuit: () => void;
}

/** What paths are read against; nobody sees it. */
const BASE = "http://admin";

/** The admin port: Envoy's pages about what the proxy has and does. */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #startMs: number;
  readonly #server: Server;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#startMs = options.clock.monotonicMs();
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** Where it listens; `undefined` while it does not. */
  get address(): string | undefined {
    const address = this.#server.address() as AddressInfo | null;
    return address === null ? undefined : formatHostPort(address.address, address.port);
  }

  /** Rejects with a message that names the address when it is taken. */
  start(at: { readonly host: string; readonly port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error) => {
        const key = formatHostPort(at.host, at.port);
        reject(new Error(`cannot bind admin address '${key}': ${error.message}`, { cause: error }));
      });
      this.#server.listen(at.port, at.host, () => resolve());
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // A target may be anything: of `//`, for one, no URL can be made.
    const target = request.url ?? "/";
    const url = new URL(URL.canParse(target, BASE) ? target : "/", BASE);
    const page = PAGES.find(({ path }) => path === url.pathname);
    response.setHeader("cache-control", "no-cache, max-age=0");
    response.setHeader("x-content-type-options", "nosniff");
    if (page === undefined) {
      const known = PAGES.map(({ path, help }) => `  ${path}: ${help}\n`).join("");
      this.#send(response, 404, `invalid path. admin commands are:\n${known}`);
      return;
    }
    if (page.isPost && request.method !== "POST") {
      this.#send(response, 405, `Method Not Allowed: ${url.pathname} needs POST\n`);
      return;
    }
    const uptimeS = Math.floor((this.#options.clock.monotonicMs() - this.#startMs) / 1000);
    const { status = 200, body } = page.render(this.#options, url.searchParams, uptimeS);
    if (typeof body === "string") this.#send(response, status, body);
    else {
      response.setHeader("content-type", "application/json");
      this.#send(response, status, `${JSON.stringify(body, undefined, 1)}\n`);
    }
    if (url.pathname === "/quitquitquit") this.#options.onQuit();
  }

  #send(response: ServerResponse, status: number, body: string): void {
    response.statusCode = status;
    if (!response.hasHeader("content-type")) {
      response.setHeader("content-type", "text/plain; charset=UTF-8");
    }
    response.end(body);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
