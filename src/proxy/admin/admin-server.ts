import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { formatHostPort } from "../../base/ip.ts";
import { collectHistograms, collectStats, type Stat, type StatSources } from "../stats/collect.ts";
import { type AdminState, helpText, PAGES } from "./pages.ts";

/** What the admin port needs. */
export interface AdminOptions extends AdminState {
  readonly clock: Clock;
  readonly onQuit: () => void;
}

/** What paths are read against; nobody sees it. */
const BASE = "http://admin";
/** A path that no page has. */
const NOWHERE = "/-";

/** The admin port: Envoy's pages about what the proxy has and does. */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #startMs: number;
  readonly #server: Server;
  readonly #sources: StatSources;
  /** What counters had when they were reset; they themselves only go up. */
  #baseline = new Map<string, number>();
  #flushTimer: Timer | undefined = undefined;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#startMs = options.clock.monotonicMs();
    this.#sources = {
      ...options,
      fileStats: options.logFiles.stats,
      sinceReset: (stat) => this.#sinceReset(stat),
      uptimeS: () => Math.floor((options.clock.monotonicMs() - this.#startMs) / 1000),
    };
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
      this.#server.listen(at.port, at.host, () => {
        this.#startInterval();
        resolve();
      });
    });
  }

  /** What histograms show as of late is what came within one interval. */
  #startInterval(): void {
    const { clock, bootstrap } = this.#options;
    this.#flushTimer = clock.setTimer(bootstrap.statsFlushMs, () => {
      for (const histogram of collectHistograms(this.#sources).values()) histogram.endInterval();
      this.#startInterval();
    });
  }

  #resetCounters(): void {
    const counters = collectStats(this.#sources).filter(({ isGauge }) => !isGauge);
    this.#baseline = new Map(counters.map(({ name, value }) => [name, value]));
  }

  readonly #sinceReset = (stat: Stat): Stat => {
    const before = stat.isGauge ? undefined : this.#baseline.get(stat.name);
    return before === undefined ? stat : { ...stat, value: stat.value - before };
  };

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // A target may be anything: of `//`, for one, no URL can be made.
    const target = request.url ?? "/";
    const url = new URL(URL.canParse(target, BASE) ? target : NOWHERE, BASE);
    const page = PAGES.find(({ path }) => path === url.pathname);
    response.setHeader("cache-control", "no-cache, max-age=0");
    response.setHeader("x-content-type-options", "nosniff");
    if (page === undefined) {
      this.#send(response, 404, `invalid path. ${helpText()}`);
      return;
    }
    if (page.isPost && request.method !== "POST") {
      this.#send(response, 405, `Method ${request.method} not allowed, POST required.`);
      return;
    }
    const { status = 200, body } = page.render({
      state: this.#options,
      query: url.searchParams,
      sources: this.#sources,
      resetCounters: () => this.#resetCounters(),
    });
    if (typeof body === "string") this.#send(response, status, body);
    else {
      response.setHeader("content-type", "application/json");
      const text = JSON.stringify(body, undefined, page.isCompact === true ? 0 : 1);
      this.#send(response, status, page.isCompact === true ? text : `${text}\n`);
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
    this.#flushTimer?.cancel();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
