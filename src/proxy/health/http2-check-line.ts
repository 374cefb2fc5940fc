import type { Clock, Timer } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { Host } from "../cluster/host.ts";
import type { CounterGroups } from "../counters.ts";
import type { HeaderList } from "../http/header-list.ts";
import { ResponseHead } from "../http/message-head.ts";
import { CODE } from "../http2/frame.ts";
import { Http2Stream, type RequestLine, type StreamHandler } from "../http2/http2-stream.ts";
import { Http2Session, type SessionOwner } from "../http2/session.ts";
import { ByteSender } from "../net/byte-sender.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { FlushQueue } from "../net/flush-queue.ts";
import type { ReadBuffer } from "../net/socket.ts";
import { http2Counters } from "../stats/http2-stats.ts";
import { CheckSocket } from "./check-socket.ts";
import type { HealthCheckConfig } from "./health-config.ts";

/** What checks over HTTP/2 share within a cluster. */
export interface Http2CheckDeps {
  readonly config: HealthCheckConfig;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly counters: CounterGroups;
  readonly readBuffer: ReadBuffer;
  readonly flushQueue: FlushQueue;
  readonly deadlines: Deadlines;
}

/** What a check asks. */
export interface Http2Question {
  readonly line: RequestLine;
  readonly headers: HeaderList;
  /** Empty for none. */
  readonly body: Buffer;
}

/** Whose checks they are. */
export interface Http2Asker {
  question(): Http2Question;
  /** The final head of the answer to the check in progress; `isEnd`: all that there is. */
  onHead(head: ResponseHead, isEnd: boolean): void;
  onBodyBytes(buffer: Buffer, from: number, to: number): void;
  onBodyEnd(trailers: HeaderList | undefined): void;
  /** No answer, or not all of it: the stream or the connection broke off. */
  onBroken(): void;
}

/** One connection, and whether another check may go over it. */
interface Line {
  readonly socket: CheckSocket;
  session: Http2Session | undefined;
  isRefusing: boolean;
}

/** A host's own connection of HTTP/2 for its checks: one at a time, and kept where it may be. */
export class Http2CheckLine implements SessionOwner, StreamHandler<ResponseHead> {
  readonly head = new ResponseHead();
  readonly #host: Host;
  readonly #deps: Http2CheckDeps;
  readonly #asker: Http2Asker;
  readonly #stream = new Http2Stream<ResponseHead>(this);
  #line: Line | undefined = undefined;
  #idle: Timer | undefined = undefined;
  #isInFlight = false;

  constructor(host: Host, deps: Http2CheckDeps, asker: Http2Asker) {
    this.#host = host;
    this.#deps = deps;
    this.#asker = asker;
  }

  /** Begins a check; the one before it is over. */
  run(): void {
    this.#idle?.cancel();
    this.#isInFlight = true;
    if (this.#line?.session === undefined) this.#line = this.#connect();
    else this.#ask(this.#line.session);
  }

  #connect(): Line {
    const { config, readBuffer } = this.#deps;
    const events = {
      onConnect: () => this.#onConnect(),
      onBytes: (buffer: Buffer, length: number) => this.#line?.session?.onBytes(buffer, length),
      onEnd: () => this.#break(),
    };
    const socket = new CheckSocket(this.#host, config, readBuffer, events, ["h2"]);
    return { socket, session: undefined, isRefusing: false };
  }

  #onConnect(): void {
    const line = this.#line;
    if (line === undefined) return;
    const { load } = this.#host;
    const { http2, connection } = load.config;
    const { counters, flushQueue } = this.#deps;
    load.http2 ??= counters.get(`cluster.${load.config.statName}.http2`, http2Counters());
    const parts = {
      side: "client",
      options: http2,
      limits: connection.responseHeads,
      counters: load.http2,
      out: new ByteSender(line.socket.socket, flushQueue),
      context: this.#deps,
    } as const;
    const session = new Http2Session(parts, this);
    line.session = session;
    session.start();
    if (this.#isInFlight) this.#ask(session);
  }

  #ask(session: Http2Session): void {
    const { line, headers, body } = this.#asker.question();
    session.openStream(this.#stream);
    this.#stream.sendRequest(line, headers, body.length === 0);
    if (body.length === 0) return;
    this.#stream.sendBytes(body, 0, body.length);
    this.#stream.sendEnd(undefined);
  }

  onHead(isEnd: boolean): void {
    if (this.head.status >= 200) this.#asker.onHead(this.head, isEnd);
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#isInFlight) this.#asker.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (this.#isInFlight) this.#asker.onBodyEnd(trailers);
  }

  /** The check is over, whether its answer is complete or not; the connection is kept where it may be. */
  end(): void {
    this.#isInFlight = false;
    const { isOpen, isFinished } = this.#stream;
    if (isOpen && !isFinished) this.#stream.reset(CODE.internalError);
    const { config } = this.#deps;
    const line = this.#line;
    // One that does not stand yet would come too late for the next check.
    const isKept = config.reusesConnection && line?.session !== undefined && !line.isRefusing;
    if (isKept) this.#limitIdle();
    else this.close();
  }

  /** Like every connection of the cluster it is kept for so long only. */
  #limitIdle(): void {
    const { load } = this.#host;
    const { idleTimeoutMs } = load.config.connection;
    if (idleTimeoutMs === 0) return;
    this.#idle?.cancel();
    this.#idle = this.#deps.clock.setTimer(idleTimeoutMs, () => {
      load.connectionsIdleTimeout++;
      this.close();
    });
  }

  onReadEnd(): void {}
  onSendDrain(): void {}

  onStreamEnd(): void {
    if (this.#line?.session?.isOver !== false) return this.#break();
    // The connection lives on.
    const wasInFlight = this.#isInFlight;
    this.end();
    if (wasInFlight) this.#asker.onBroken();
  }

  accept(): undefined {
    return undefined;
  }

  onStreamClosed(): void {}
  onSettings(): void {}

  onGoAway(_lastStream: number, code: number): void {
    const line = this.#line;
    if (line === undefined) return;
    line.isRefusing = true;
    if (!this.#isInFlight) this.close();
    else if (code !== CODE.noError) this.#break();
  }

  onSessionEnd(): void {
    this.#break();
  }

  #break(): void {
    const wasInFlight = this.#isInFlight;
    this.close();
    if (wasInFlight) this.#asker.onBroken();
  }

  close(): void {
    this.#idle?.cancel();
    this.#isInFlight = false;
    const line = this.#line;
    this.#line = undefined;
    line?.socket.close();
    line?.session?.onClose("");
  }
}
