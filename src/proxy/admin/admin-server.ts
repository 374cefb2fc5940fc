import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Timer } from "../../base/clock.ts";
import { formatHostPort } from "../../base/ip.ts";
import type { AdminCommand, PeerNumbers } from "../process/process-info.ts";
import { collectStats, ownHistograms, type Stat, type StatSources } from "../stats/collect.ts";
import { hostNumbers } from "./clusters-page.ts";
import type { AdminState, Page, PageRequest, Rendered, Streamed } from "./page.ts";
import { helpText, PAGES } from "./pages.ts";
import { Profiler } from "./profiler.ts";

/** What the admin port needs. */
export interface AdminOptions extends AdminState {
  readonly onQuit: () => void;
  /** Brings the numbers of other processes up to date, and tells them what to do. */
  readonly refreshPeers: (endsInterval: boolean) => Promise<void>;
  readonly tellPeers: (command: AdminCommand) => Promise<void>;
}

/** What paths are read against; nobody sees it. */
const BASE = "http://admin";
/** A path that no page has. */
const NOWHERE = "/-";
/** What may be posted. */
const BODY_MAX = 1024 * 1024;

/** The admin port: Envoy's pages about what the proxy has and does. */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #startMs: number;
  readonly #server: Server;
  readonly #sources: StatSources;
  /** What counters had when they were reset; they themselves only go up. */
  #baseline = new Map<string, number>();
  readonly #profiler: Profiler;
  #closing = new AbortController();
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
    this.#profiler = new Profiler(options.clock);
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else this.#send(response, { status: 500, body: `${String(error)}\n` });
      });
    });
  }

  /** What histograms show as of late begins anew. */
  endInterval(): void {
    for (const histogram of ownHistograms(this.#sources).values()) histogram.endInterval();
  }

  /** The numbers of this process, for another one that shows them. */
  numbers(): PeerNumbers {
    const histograms = [...ownHistograms(this.#sources)].filter(([, one]) => !one.isEmpty);
    return {
      stats: collectStats(this.#sources),
      histograms: histograms.map(([name, one]) => ({
        name,
        interval: one.interval(),
        cumulative: one.cumulative(),
      })),
      hosts: hostNumbers(this.#options.clusters),
    };
  }

  /** Does what another process was asked for. */
  async obey({ path, query, body }: AdminCommand): Promise<void> {
    const page = PAGES.find((one) => one.path === path);
    if (page?.isForAll !== true) throw new Error(`${path} is not for all processes`);
    await page.render(this.#request(new URLSearchParams(query), body, this.#closing.signal));
  }

  /** Every number, as the pages would tell it, resets aside. */
  stats(): readonly Stat[] {
    return collectStats(this.#sources);
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
        this.#closing = new AbortController();
        this.#startInterval();
        resolve();
      });
    });
  }

  /** What histograms show as of late is what came within one interval. */
  #startInterval(): void {
    const { clock, bootstrap } = this.#options;
    this.#flushTimer = clock.setTimer(bootstrap.statsFlushMs, () => {
      void this.#options.refreshPeers(true);
      this.endInterval();
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A target may be anything: of `//`, for one, no URL can be made.
    // As in Envoy, a plus is no blank.
    const target = (request.url ?? "/").replaceAll("+", "%2B");
    const url = new URL(URL.canParse(target, BASE) ? target : NOWHERE, BASE);
    const page = PAGES.find(({ path }) => path === url.pathname);
    response.setHeader("cache-control", "no-cache, max-age=0");
    response.setHeader("x-content-type-options", "nosniff");
    if (page === undefined) {
      this.#send(response, { status: 404, body: `invalid path. ${helpText()}` });
      return;
    }
    if (page.isPost === true && request.method !== "POST") {
      const body = `Method ${request.method} not allowed, POST required.`;
      this.#send(response, { status: 405, body });
      return;
    }
    const body = page.takesBody === true ? await readBody(request) : "";
    if (body === undefined) {
      this.#send(response, { status: 413, body: `more than ${BODY_MAX} bytes were posted\n` });
      return;
    }
    const rendered = await this.#render(page, { url, body, response });
    if ("stream" in rendered) rendered.stream(response, request);
    else this.#send(response, rendered, page.isCompact);
    if (url.pathname === "/quitquitquit") this.#options.onQuit();
  }

  async #render(
    page: Page,
    { url, body, response }: { url: URL; body: string; response: ServerResponse },
  ): Promise<Rendered | Streamed> {
    if (page.readsStats === true) await this.#options.refreshPeers(false);
    const left = new AbortController();
    response.once("close", () => left.abort());
    const signal = AbortSignal.any([left.signal, this.#closing.signal]);
    const rendered = await page.render(this.#request(url.searchParams, body, signal));
    if (page.isForAll === true) {
      await this.#options.tellPeers({ path: page.path, query: url.search, body });
    }
    return rendered;
  }

  #request(query: URLSearchParams, body: string, signal: AbortSignal): PageRequest {
    return {
      state: this.#options,
      query,
      body,
      sources: this.#sources,
      profiler: this.#profiler,
      signal,
      resetCounters: () => this.#resetCounters(),
    };
  }

  #send(
    response: ServerResponse,
    { status = 200, body, contentType }: Rendered,
    isCompact = false,
  ): void {
    response.statusCode = status;
    const isText = typeof body === "string";
    const type = contentType ?? (isText ? "text/plain; charset=UTF-8" : "application/json");
    response.setHeader("content-type", type);
    if (isText) response.end(body);
    else response.end(isCompact ? JSON.stringify(body) : `${JSON.stringify(body, undefined, 1)}\n`);
  }

  async stop(): Promise<void> {
    this.#flushTimer?.cancel();
    this.#closing.abort();
    await this.#profiler.stop();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** What was posted; `undefined` for too much. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > BODY_MAX) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
