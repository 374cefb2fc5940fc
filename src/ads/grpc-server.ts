import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Clock, Timer } from "../base/clock.ts";
import { AGE_GRACE_MS, KEEPALIVE_DEFAULT, type Keepalive } from "../base/keepalive.ts";
import { createPrng, type Prng } from "../base/prng.ts";
import { parseGrpcTimeout } from "../match/grpc-timeout.ts";
import { GrpcCall } from "./grpc-call.ts";
import { GRPC_STATUS, type GrpcStatus } from "./grpc-status.ts";

/** Longest timer that there is; a deadline beyond is none. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The part of its greatest age by which a connection may get older, or less old. */
const AGE_JITTER = 0.1;

const HTTP_METHOD_NOT_ALLOWED = 405;
const HTTP_UNSUPPORTED_MEDIA_TYPE = 415;

/** What the server needs. */
export interface GrpcServerOptions {
  readonly clock: Clock;
  /** By path, such as `/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources`. */
  readonly methods: ReadonlyMap<string, (call: GrpcCall) => void>;
  /** The largest message that is taken. */
  readonly messageBytesMax: number;
  readonly keepalive?: Keepalive;
  /** Decides how old a connection gets, so that not all end at one moment. */
  readonly prng?: Prng;
}

/**
 * A server of gRPC over HTTP/2 without TLS, for methods that stream raw messages both ways
 * (gRPC over HTTP2). grpc-js would copy every message for every client and take it through a dozen
 * calls; here what clients have in common is handed to the network as it is. No compression.
 */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Http2Server;
  /** With the address of the peer. */
  readonly #sessions = new Map<ServerHttp2Session, string>();
  readonly #prng: Prng;
  #isClosing = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#prng = options.prng ?? createPrng(0);
    this.#server = createServer();
    this.#server.on("session", (session) => this.#welcome(session));
    this.#server.on("stream", (stream, headers) => this.#accept(stream, headers));
    // The session is gone by itself then.
    this.#server.on("sessionError", () => undefined);
  }

  /** Binds `host:port`; the port. Rejects with the system's error when that fails. */
  async listen(addr: string): Promise<number> {
    const colon = addr.lastIndexOf(":");
    const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(Number(addr.slice(colon + 1)), host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    const address = this.#server.address();
    return typeof address === "object" ? (address?.port ?? 0) : 0;
  }

  /**
   * Takes no connection more, and tells clients that this server goes (GOAWAY). Resolves when all
   * connections are closed; those that are not by themselves are cut after a time.
   */
  async close(waitMs: number): Promise<void> {
    this.#isClosing = true;
    this.#server.close();
    for (const session of this.#sessions.keys()) session.close();
    if (this.#sessions.size === 0) return;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = this.#options.clock.setTimer(waitMs, () => {
        for (const session of this.#sessions.keys()) session.destroy();
        resolve();
      });
    });
    timer?.cancel();
  }

  #welcome(session: ServerHttp2Session): void {
    const { remoteAddress = "", remotePort = 0, remoteFamily } = session.socket;
    const host = remoteFamily === "IPv6" ? `[${remoteAddress}]` : remoteAddress;
    this.#sessions.set(session, `${host}:${remotePort}`);
    const endWatch = this.#watch(session);
    const endAge = this.#limitAge(session);
    session.on("close", () => {
      endWatch();
      endAge();
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#onEmpty?.();
    });
    if (this.#isClosing) session.close();
  }

  /** Asks again and again whether the peer is still there; returns how to stop that. */
  #watch(session: ServerHttp2Session): () => void {
    const { clock, keepalive = KEEPALIVE_DEFAULT } = this.#options;
    let timer: Timer;
    const wait = (): void => {
      timer = clock.setTimer(keepalive.intervalMs, ask);
    };
    const ask = (): void => {
      // It may have ended already, with a socket that is yet to close.
      if (session.destroyed) return;
      timer = clock.setTimer(keepalive.timeoutMs, () => session.destroy());
      session.ping((error) => {
        timer.cancel();
        if (error === null) wait();
      });
    };
    wait();
    return () => timer.cancel();
  }

  /** Has a connection end when it is too old, as Go's gRPC does; returns how to stop that. */
  #limitAge(session: ServerHttp2Session): () => void {
    const { clock, keepalive: { ageMsMax } = KEEPALIVE_DEFAULT } = this.#options;
    if (ageMsMax === undefined) return () => undefined;
    const ageMs = ageMsMax * (1 + AGE_JITTER * (2 * this.#prng.next() - 1));
    let timer = clock.setTimer(ageMs, () => {
      // No call begins on it any more; discovery never ends by itself.
      session.close();
      timer = clock.setTimer(AGE_GRACE_MS, () => session.destroy());
    });
    return () => timer.cancel();
  }

  #accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { clock, methods, messageBytesMax } = this.#options;
    const httpStatus = refusalOf(headers);
    if (httpStatus !== undefined) {
      stream.on("error", () => undefined);
      stream.respond({ ":status": httpStatus }, { endStream: true });
      stream.resume();
      return;
    }
    const { session } = stream;
    const peer = (session && this.#sessions.get(session as ServerHttp2Session)) ?? "";
    const call = new GrpcCall(stream, { clock, peer, messageBytesMax });
    const timeout = headerOf(headers, "grpc-timeout");
    const timeoutMs = timeout === undefined ? undefined : parseGrpcTimeout(timeout);
    const method = methods.get(headers[":path"] ?? "");
    if (method === undefined) return call.end(unimplemented(`no method ${headers[":path"]}`));
    const encoding = headerOf(headers, "grpc-encoding") ?? "identity";
    if (encoding !== "identity") {
      return call.end(unimplemented(`grpc-encoding "${encoding}": only identity is spoken`));
    }
    if (timeout !== undefined && timeoutMs === undefined) {
      return call.end({ code: GRPC_STATUS.INTERNAL, details: `grpc-timeout "${timeout}" is none` });
    }
    if (timeoutMs !== undefined && timeoutMs <= TIMER_MS_MAX) call.limit(timeoutMs);
    method(call);
  }
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join() : value;
}

function unimplemented(details: string): GrpcStatus {
  return { code: GRPC_STATUS.UNIMPLEMENTED, details };
}

/** The HTTP status for what is no call of gRPC. */
function refusalOf(headers: IncomingHttpHeaders): number | undefined {
  if (headers[":method"] !== "POST") return HTTP_METHOD_NOT_ALLOWED;
  const type = headers["content-type"] ?? "";
  return /^application\/grpc($|[+;])/.test(type) ? undefined : HTTP_UNSUPPORTED_MEDIA_TYPE;
}
