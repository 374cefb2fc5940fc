import type { Socket } from "node:net";
import type { UpstreamExchange } from "../http/upstream-exchange.ts";
import { ByteSender } from "../net/byte-sender.ts";
import { http2Counters } from "../stats/http2-stats.ts";
import type { ClientCodec, LinePool, UpstreamLine } from "../upstream/upstream-line.ts";
import { ClientExchange } from "./client-exchange.ts";
import type { Http2Stream, StreamEnd } from "./http2-stream.ts";
import { Http2Session, type SessionOwner } from "./session.ts";

/** HTTP/2 over one connection to an upstream host: as many exchanges as both sides allow. */
export class Http2ClientConnection implements ClientCodec, SessionOwner {
  readonly line: UpstreamLine;
  readonly session: Http2Session;
  readonly isShared = true;
  readonly isHasty = false;
  readonly #pool: LinePool;
  readonly #out: ByteSender;
  #countedSent = 0;
  /** Places that are taken. */
  active = 0;
  responses = 0;
  /** Of streams that are closed. */
  readonly #free: ClientExchange[] = [];
  /** How many more may begin until it is used up. */
  #left: number;

  constructor(line: UpstreamLine, pool: LinePool, socket: Socket) {
    const { host, context } = line;
    const { load } = host;
    const { http2, connection } = load.config;
    this.line = line;
    this.#pool = pool;
    this.#left = connection.maxRequests === 0 ? Number.POSITIVE_INFINITY : connection.maxRequests;
    this.#out = new ByteSender(socket, context.flushQueue);
    load.http2 ??= context.counters.get(`cluster.${load.config.statName}.http2`, http2Counters());
    this.session = new Http2Session(
      {
        side: "client",
        options: http2,
        limits: connection.responseHeads,
        counters: load.http2,
        out: this.#out,
        context,
      },
      this,
    );
    this.session.start();
  }

  get room(): number {
    const { session } = this;
    if (session.isUsedUp) return 0;
    const { maxConcurrentStreams } = session.options;
    const max = Math.min(session.peer.maxConcurrentStreams, maxConcurrentStreams);
    return Math.max(0, Math.min(max - this.active, this.#left));
  }

  open(): UpstreamExchange {
    if (this.active++ === 0) this.line.work();
    if (--this.#left === 0) {
      this.line.host.load.connectionsMaxRequests++;
      this.line.drain();
    }
    return this.#free.pop() ?? new ClientExchange(this);
  }

  onBytes(buffer: Buffer, length: number): void {
    this.session.onBytes(buffer, length);
  }

  /** It may still read what we say, but would never answer. */
  onEnd(): void {
    this.onLost();
  }

  onDrain(): void {
    this.session.onSocketDrain();
  }

  onLost(): void {
    // First, so that nobody is given a place on it any more.
    this.line.close(true);
  }

  onRelease(): void {
    this.#countSent();
    this.session.onClose("");
  }

  #countSent(): void {
    const { bytesSent } = this.#out;
    this.line.host.load.bytesSent += bytesSent - this.#countedSent;
    this.#countedSent = bytesSent;
  }

  /** No server may open streams. */
  accept(): undefined {
    return undefined;
  }

  onStreamClosed(stream: Http2Stream): void {
    // What ends with the connection is under way until that is gone.
    if (this.session.isOver) return;
    this.#free.push(stream.handler as ClientExchange);
    this.#countSent();
    if (--this.active === 0) this.line.rest(this.line.context.clock.monotonicMs());
    this.#pool.onRoom(this.line);
  }

  onGoAway(): void {
    this.line.host.load.closeNotifies++;
    this.line.drain();
  }

  onSettings(): void {
    if (this.room > 0) this.#pool.onRoom(this.line);
  }

  onSessionEnd({ detail }: StreamEnd): void {
    if (detail !== "http2.keepalive_timeout") this.line.host.load.connectionProtocolErrors++;
    this.#out.flushNow();
    this.line.close();
  }
}
