import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What an app is asked, read completely. */
export interface AppRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What an app answers. */
export interface AppResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One of Bookinfo's services, without its socket. */
export type App = (request: AppRequest) => AppResponse | Promise<AppResponse>;

/** Where to listen, and where a line per request goes. */
export interface ListenOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: (line: string) => void;
}

/** An app that listens. */
export interface AppServer {
  readonly port: number;
  /** Takes no new connection, lets open requests end for at most `graceMs`, then closes the rest. */
  close(graceMs: number): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
// Longer than the hour that Envoy keeps an idle connection, so that it is not the app that closes
// a connection on which a request is just being sent.
const KEEP_ALIVE_TIMEOUT_MS = 3_660_000;

/** Serves an app over HTTP/1.1. Rejects when it cannot listen. */
export async function listen(app: App, options: ListenOptions): Promise<AppServer> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    (request, response) => {
      // Who stops tells its callers, so that no connection waits for the end of the grace.
      if (!server.listening) response.setHeader("connection", "close");
      void answer(app, request, response, options.log);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.address, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

async function answer(
  app: App,
  request: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const result = await respond(app, request, log);
  log(`${request.method ?? ""} ${request.url ?? ""} ${result.status}`);
  response.writeHead(result.status, {
    ...result.headers,
    "content-length": Buffer.byteLength(result.body),
  });
  response.end(request.method === "HEAD" ? undefined : result.body);
}

async function respond(
  app: App,
  request: IncomingMessage,
  log: (line: string) => void,
): Promise<AppResponse> {
  const url = parseTarget(request.url ?? "/");
  if (url === undefined) return text(400, "bad request target");
  const body = await readBody(request).catch(() => undefined);
  if (body === undefined)
    return { ...text(413, "body too large"), headers: { connection: "close" } };
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  try {
    return await app({
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
    });
  } catch (error) {
    log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return text(500, "internal error");
  }
}

function parseTarget(target: string): URL | undefined {
  const absolute = target.startsWith("/") ? `http://app${target}` : target;
  return URL.canParse(absolute) ? new URL(absolute) : undefined;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error("body too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A plain text answer. */
export function text(status: number, body: string): AppResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

/** A JSON answer. */
export function json(status: number, value: unknown): AppResponse {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

/** The last segment of `/<prefix>/<number>`, or `undefined` when it is no number. */
export function parseId(segment: string): number | undefined {
  return /^-?\d{1,9}$/.test(segment) ? Number(segment) : undefined;
}
