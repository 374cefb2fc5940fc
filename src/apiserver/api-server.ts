import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import type { Kind } from "../config/kind.ts";
import { KINDS } from "../config/kinds.ts";
import type { Namespace } from "../config/namespace.ts";
import type { Storage } from "../storage/storage.ts";
import { StorageError } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";
import type { ApiHooks } from "./api-hooks.ts";
import type { RestContext } from "./rest/context.ts";
import { Exchange } from "./rest/exchange.ts";
import { route } from "./rest/route.ts";
import { ApiError, failureStatus } from "./rest/status.ts";

/** What an API server is made of; it owns none of it. */
export interface ApiServerOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Logger;
  /** PEM, from `createServingCertificate`. */
  readonly tls: { readonly certificate: string; readonly privateKey: string };
  /** Whoever sends it as a bearer token may do everything. */
  readonly token: string;
  /** Shown by `/version` and `kubectl version`. */
  readonly version: string;
  readonly kinds?: readonly Kind[];
  readonly hooks?: ApiHooks;
  /** "127.0.0.1" by default. */
  readonly host?: string;
  /** 0, the default, is any free one. */
  readonly port?: number;
}

/** A request has to be here in full by then; an answer may take as long as it likes. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;
const CONNECTIONS_MAX = 2000;
/** Clients ask for a Kubernetes version and adapt to it: the one whose dialect this is. */
const KUBERNETES_MINOR = "32";

/** Kubernetes' REST dialect over a storage, on HTTPS with a bearer token. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #tokenHash: Buffer;
  readonly #aborter = new AbortController();
  #server: Server | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#tokenHash = hash(options.token);
  }

  /** Resolves with where it listens; rejects when the port is taken. Makes the namespace `default`. */
  async start(): Promise<{ readonly host: string; readonly port: number }> {
    const { tls, host = "127.0.0.1", port = 0, storage } = this.#options;
    await createNamespace(storage, "default");
    const server = createServer({
      cert: tls.certificate,
      key: tls.privateKey,
      minVersion: "TLSv1.2",
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
    });
    server.maxConnections = CONNECTIONS_MAX;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void this.#serve(request, response);
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
      this.#refuseUpgrade(request, socket);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        resolve();
      });
    });
    return { host, port: (server.address() as AddressInfo).port };
  }

  /** Ends watches and open connections; the storage stays open. */
  async stop(): Promise<void> {
    this.#aborter.abort();
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // Watches have ended their responses by now; what is left has nothing to wait for.
    await new Promise((resolve) => setImmediate(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let exchange: Exchange | undefined;
    try {
      // A client that is gone is no error of ours.
      response.on("error", () => undefined);
      exchange = new Exchange(request, response);
      if (this.#servePublic(exchange)) return;
      if (!this.#isAllowed(request)) throw new ApiError("Unauthorized", "Unauthorized");
      await route(this.#context(), exchange);
    } catch (error) {
      this.#fail(request, response, exchange, error);
    }
  }

  #context(): RestContext {
    const { storage, clock, log, kinds = KINDS, hooks = {} } = this.#options;
    return { storage, clock, log, kinds, hooks, signal: this.#aborter.signal };
  }

  /** What may be known without a token: that there is a server, and which. */
  #servePublic(exchange: Exchange): boolean {
    const { segments, method } = exchange;
    const [path = "", ...more] = segments;
    if (more.length > 0 || (method !== "GET" && method !== "HEAD")) return false;
    switch (path) {
      case "healthz":
      case "livez":
      case "readyz":
        exchange.start(200, "text/plain; charset=utf-8");
        exchange.response.end("ok");
        return true;
      case "version":
        exchange.sendJson(200, {
          major: "1",
          minor: KUBERNETES_MINOR,
          gitVersion: `v1.${KUBERNETES_MINOR}.0+weft-${this.#options.version}`,
          gitTreeState: "clean",
          platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
        });
        return true;
      default:
        return false;
    }
  }

  #isAllowed({ headers }: IncomingMessage): boolean {
    const match = /^Bearer +([^\s]+)$/i.exec(headers.authorization ?? "");
    // Hashes have one length, and comparing them takes the same time whatever was sent.
    return timingSafeEqual(hash(match?.[1] ?? ""), this.#tokenHash);
  }

  #fail(
    request: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange | undefined,
    error: unknown,
  ): void {
    const refusal = toApiError(error);
    if (refusal.reason === "InternalError") {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.error("request failed", { url: request.url, stack });
    }
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    // What is left of the body is not read, so that the connection can serve nothing more.
    if (!request.complete) response.setHeader("connection", "close");
    const body = failureStatus(refusal);
    if (exchange !== undefined) return exchange.sendJson(refusal.code, body);
    response.writeHead(refusal.code, { "content-type": "application/json" });
    response.end(`${JSON.stringify(body)}\n`);
  }

  /** `exec`, `attach` and `port-forward` ask for other protocols; the answer is that there are none. */
  #refuseUpgrade(request: IncomingMessage, socket: Duplex): void {
    socket.on("error", () => undefined);
    // The server has let go of it: nobody else would end it if the client does not.
    socket.once("finish", () => socket.destroy());
    socket.resume();
    const refusal = this.#isAllowed(request)
      ? new ApiError(
          "NotImplemented",
          "exec, attach and port-forward are not supported yet by this version of weft",
        )
      : new ApiError("Unauthorized", "Unauthorized");
    const body = `${JSON.stringify(failureStatus(refusal))}\n`;
    socket.end(
      `HTTP/1.1 ${refusal.code} ${refusal.reason}\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const isGone = error instanceof Error && "code" in error && error.code === "ECONNRESET";
  if (isGone) return new ApiError("BadRequest", "the request was not sent to its end");
  return new ApiError("InternalError", "an internal error happened, the server's log says more");
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function createNamespace(storage: Storage, name: string): Promise<void> {
  try {
    await storage.create({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
      status: { phase: "Active" },
    } as Namespace);
  } catch (error) {
    if (!(error instanceof StorageError && error.reason === "AlreadyExists")) throw error;
  }
}
