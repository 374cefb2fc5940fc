import type { ProxyContext } from "../context.ts";
import type { RequestHead } from "../http/message-head.ts";
import type { ByteSender } from "../net/byte-sender.ts";
import type { Http2Counters } from "../stats/http2-stats.ts";
import { FloodGuard } from "./flood-guard.ts";
import { CODE, PREFACE, SETTING, STREAM_ID_MAX, WINDOW_BYTES } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HeaderBlocks } from "./header-blocks.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import type { Http2Options } from "./http2-options.ts";
import type { Http2Stream, StreamEnd } from "./http2-stream.ts";
import { InboundFrames } from "./inbound-frames.ts";
import { KeepalivePings } from "./keepalive-pings.ts";
import type { FieldLimits } from "./message-fields.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { ReceiveWindow, SendWindow } from "./windows.ts";

/** Who has a session: the connection that its bytes come and go over. */
export interface SessionOwner {
  /** Server: somebody for a stream that the peer opens; `undefined` refuses it. */
  accept(): Http2Stream<RequestHead> | undefined;
  /** A stream is over, in order or not; its handler has been told where it had to be. */
  onStreamClosed(stream: Http2Stream): void;
  /** The peer takes no streams above `lastStream`; those of a client have been ended. */
  onGoAway(lastStream: number, code: number): void;
  /** The peer said how it wants to be spoken to, first or anew. */
  onSettings(): void;
  /** The peer has read what `announceEnd` said: which streams it opened is known. */
  onAnnounced?(): void;
  /** Nothing can be said any more but what has been written: the socket is to be ended. */
  onSessionEnd(end: StreamEnd): void;
}

/** What a session is made of. */
export interface SessionParts {
  readonly side: "server" | "client";
  readonly options: Http2Options;
  readonly limits: FieldLimits;
  readonly counters: Http2Counters;
  readonly out: ByteSender;
  readonly context: Pick<ProxyContext, "clock" | "prng" | "deadlines">;
}

/** What the PING holds that follows the announcement of the end. */
const ANNOUNCED = Buffer.from("goingend", "latin1");

/** Streams that were reset here and may still get what was under way: so many are known one by one. */
const RESETS_MAX = 256;

/**
 * One connection of HTTP/2 (RFC 9113), of either side: frames, header tables, settings, windows,
 * streams. Sockets and timers of connections are its owner's.
 *
 * A server gives what it reads to `onBytes`; each request comes to a stream that the owner makes in
 * `accept`. A client makes a stream with a handler, opens it with `openStream` where
 * `hasRoom` says so, and sends on it; both call `start` first, and `onSocketDrain` when their
 * socket takes more.
 */
export class Http2Session {
  readonly writer: FrameWriter;
  readonly options: Http2Options;
  readonly counters: Http2Counters;
  readonly streams = new Map<number, Http2Stream>();
  readonly guard: FloodGuard;
  readonly peer: PeerSettings = {
    maxConcurrentStreams: Number.POSITIVE_INFINITY,
    initialWindow: WINDOW_BYTES,
    allowsConnect: false,
  };
  readonly isServer: boolean;
  readonly receiving: ReceiveWindow;
  readonly sending: SendWindow;
  readonly #owner: SessionOwner;
  readonly #out: ByteSender;
  readonly #frames: InboundFrames;
  readonly #blocks: HeaderBlocks;
  readonly #reader: FrameReader;
  readonly #keepalive: KeepalivePings | undefined;
  /** The last stream that the peer opened, and that we did. */
  lastPeerStream = 0;
  #lastStream: number;
  /** Streams above this are not taken: said in the last GOAWAY. */
  #acceptedMax = STREAM_ID_MAX;
  /** The peer takes no new streams. */
  isRefusing = false;
  #prefaceBytes = 0;
  #isOver = false;
  readonly #resets = new Set<number>();
  #isReading = false;
  /** Streams that end with the read in progress, each with its code. */
  readonly #endings = new Map<number, number>();
  /** Every stream up to this one may be one that was reset: they were too many to know each. */
  #resetsUpTo = 0;

  constructor(
    { side, options, limits, counters, out, context }: SessionParts,
    owner: SessionOwner,
  ) {
    this.isServer = side === "server";
    this.options = options;
    this.counters = counters;
    this.#owner = owner;
    this.#out = out;
    const encoder = new HpackEncoder(options.hpackTableSize);
    this.writer = new FrameWriter(out, encoder, options, this);
    this.guard = new FloodGuard(options, counters);
    this.receiving = new ReceiveWindow(this.writer, options);
    this.sending = new SendWindow(this.writer, this.guard);
    this.#lastStream = this.isServer ? 0 : -1;
    this.#blocks = new HeaderBlocks(this, owner, limits);
    this.#frames = new InboundFrames(this, owner, encoder, this.#blocks);
    this.#reader = new FrameReader(this.#frames);
    const { keepalive } = options;
    if (keepalive !== undefined) {
      this.#keepalive = new KeepalivePings(keepalive, context, this.writer, () => {
        counters.keepalive_timeout++;
        // Who does not hear a PING is not told of the end either.
        this.fail(CODE.noError, "http2.keepalive_timeout", false);
      });
    }
  }

  /** Says how it wants to be spoken to. A client begins with the preface. */
  start(): void {
    const { options, writer } = this;
    if (!this.isServer) writer.raw(PREFACE);
    const settings = [SETTING.headerTableSize, options.hpackTableSize];
    if (!this.isServer) settings.push(SETTING.enablePush, 0);
    else if (options.allowsConnect) settings.push(SETTING.enableConnectProtocol, 1);
    settings.push(SETTING.maxConcurrentStreams, options.maxConcurrentStreams);
    settings.push(SETTING.initialWindowSize, options.streamWindow);
    writer.settings(settings);
    this.receiving.start();
    this.#keepalive?.start();
  }

  /** Whether what is sent waits for the socket. */
  get isFull(): boolean {
    return this.#out.isFull;
  }
  /** No stream can be opened, and nothing comes any more. */
  get isOver(): boolean {
    return this.#isOver;
  }
  /** Client: whether the peer, and what it asked for, allow one more stream. */
  get hasRoom(): boolean {
    const max = Math.min(this.peer.maxConcurrentStreams, this.options.maxConcurrentStreams);
    return !this.isRefusing && !this.#isOver && this.streams.size < max;
  }
  /** Client: no stream can be opened on it any more, however many end. */
  get isUsedUp(): boolean {
    return this.isRefusing || this.#isOver || this.#lastStream >= STREAM_ID_MAX - 1;
  }
  /** Whether a header block is not complete. */
  get isInsideHead(): boolean {
    return this.#blocks.openStream !== 0;
  }
  /** Whether the peer's first SETTINGS have come. */
  get isSettled(): boolean {
    return this.#frames.isSettled;
  }

  /** Client: begins a stream; the head is to be sent before another one is opened. */
  openStream(stream: Http2Stream): void {
    this.#lastStream += 2;
    this.#keepalive?.onStream();
    this.begin(stream, this.#lastStream);
  }

  /** A stream begins, whoever opened it. */
  begin(stream: Http2Stream, id: number): void {
    this.streams.set(id, stream);
    this.guard.streams++;
    this.counters.streams_active++;
    stream.open(this, id, this.receiving.streamBytes, this.peer.initialWindow);
  }

  // Reading.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#isOver) return;
    this.#keepalive?.onBytes();
    const from =
      this.#prefaceBytes < PREFACE.length && this.isServer ? this.#preface(buffer, length) : 0;
    if (from === -1) return;
    this.#isReading = true;
    this.#reader.read(buffer, from, length);
    this.#isReading = false;
    this.#frames.onReadEnd();
    if (this.#endings.size > 0) this.#endStreams();
  }

  #endStreams(): void {
    for (const [id, code] of this.#endings) this.streams.get(id)?.reset(code);
    this.#endings.clear();
  }

  /** Where the frames begin; -1 where what came is no HTTP/2. */
  #preface(buffer: Buffer, length: number): number {
    let at = 0;
    while (at < length && this.#prefaceBytes < PREFACE.length) {
      if (buffer[at++] === PREFACE[this.#prefaceBytes++]) continue;
      this.fail(CODE.protocolError, "http2.bad_preface");
      return -1;
    }
    return at;
  }

  /** The answer to a PING, whose payload is `buffer[at, at + 8)`. */
  onPingAck(buffer: Buffer, at: number): void {
    if (ANNOUNCED.equals(buffer.subarray(at, at + 8))) this.#owner.onAnnounced?.();
    else this.#keepalive?.onAck();
  }

  // Flow control: what streams say of themselves.

  /** A stream's handler has taken so many bytes. */
  used(stream: Http2Stream, bytes: number): void {
    this.receiving.used(bytes);
    if (stream.isOpen && !stream.isRemoteDone) this.receiving.usedBy(stream, bytes);
  }
  /** So many bytes wait for a stream's handler. */
  held(bytes: number): void {
    this.receiving.held(bytes);
  }
  /** They do no more. */
  released(bytes: number): void {
    this.receiving.released(bytes);
  }
  /** More bytes, or fewer, wait for the peer. */
  queued(bytes: number): void {
    this.counters.pending_send_bytes += bytes;
  }
  /** Sends what the windows allow; gives where it stopped. */
  sendData(stream: Http2Stream, buffer: Buffer, from: number, to: number): number {
    return this.sending.send(stream, buffer, from, to);
  }
  /** A stream has more to send than it may. */
  wait(stream: Http2Stream): void {
    this.sending.wait(stream);
  }

  /** The socket has taken all that was written. */
  onSocketDrain(): void {
    if (this.#isOver) return;
    this.sending.pump();
    for (const stream of this.streams.values()) {
      if (this.isFull) return;
      stream.onSocketDrain();
    }
  }

  // Ends.

  /** Whether nobody has opened the stream yet. */
  isIdle(id: number): boolean {
    const isPeers = (id & 1) === (this.isServer ? 1 : 0);
    return id > (isPeers ? this.lastPeerStream : this.#lastStream);
  }

  /** Whether something may still be under way for a stream that is closed. */
  isAwaited(id: number): boolean {
    return this.#resets.has(id) || id <= this.#resetsUpTo || id > this.#acceptedMax;
  }

  /** Whether a stream that the peer opens now is taken. */
  takes(id: number): boolean {
    return id <= this.#acceptedMax;
  }

  /** Closes a stream that both sides have ended. */
  closeIfDone(stream: Http2Stream): void {
    if (stream.isFinished) this.close(stream, undefined);
  }

  /** Breaks a stream off, which its handler wants or hears by `end`. */
  resetStream(stream: Http2Stream, code: number, end?: StreamEnd): void {
    this.counters.tx_reset++;
    this.writer.reset(stream.id, code);
    stream.sentNumber();
    this.noteReset(stream.id);
    this.close(stream, end);
  }

  /**
   * Breaks off a stream that was answered before its request had come, unless what was read together
   * with that ends it in order: what is wrong in there is still found.
   */
  resetAfterRead(stream: Http2Stream, code: number): void {
    if (this.#isReading) this.#endings.set(stream.id, code);
    else stream.reset(code);
  }

  /** Refuses to know more of a stream, which is none yet or not any more. */
  noteReset(id: number): void {
    this.#resets.add(id);
    if (this.#resets.size <= RESETS_MAX) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      this.#resetsUpTo = Math.max(this.#resetsUpTo, oldest);
      break;
    }
  }

  /** Something is wrong with one stream: it ends, the connection goes on. */
  endStream(stream: Http2Stream, code: number, detail: string): void {
    this.resetStream(stream, code, { code, isRemote: false, detail, isUntouched: false });
  }

  /** A stream is over; its handler is told where there is an `end`. */
  close(stream: Http2Stream, end: StreamEnd | undefined): void {
    if (!stream.isOpen || !this.streams.delete(stream.id)) return;
    stream.close();
    this.counters.streams_active--;
    if (end !== undefined) stream.handler.onStreamEnd(end);
    this.#owner.onStreamClosed(stream);
  }

  /** Says that no more streams are taken; those that are under way to here still are. */
  announceEnd(): void {
    this.#goAway(STREAM_ID_MAX, CODE.noError, "");
    this.writer.ping(ANNOUNCED, 0, false);
  }

  /** Takes no more streams from now on; those that are open go on. */
  refuseStreams(): void {
    this.#acceptedMax = this.lastPeerStream;
    this.#goAway(this.lastPeerStream, CODE.noError, "");
  }

  #goAway(lastStream: number, code: number, text: string): void {
    this.counters.goaway_sent++;
    this.writer.goAway(lastStream, code, text);
  }

  onOutboundFlood(isControl: boolean): void {
    const { counters } = this;
    if (isControl) counters.outbound_control_flood++;
    else counters.outbound_flood++;
    const name = isControl ? "http2.outbound_control_frames_flood" : "http2.outbound_frames_flood";
    this.fail(CODE.enhanceYourCalm, name);
  }

  /** Something is wrong with the connection: all of it ends, with GOAWAY unless that is left out. */
  fail(code: number, detail: string, says = true): void {
    if (this.#isOver) return;
    const end = { code, isRemote: false, detail, isUntouched: false };
    this.#over(end, says);
    this.#owner.onSessionEnd(end);
  }

  /** The socket is gone. */
  onClose(detail: string): void {
    this.#over({ code: CODE.noError, isRemote: true, detail, isUntouched: false }, false);
  }

  #over(end: StreamEnd, says: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reader.stop();
    this.#keepalive?.stop();
    if (says) this.#goAway(this.lastPeerStream, end.code, end.detail);
    for (const stream of this.streams.values()) this.close(stream, end);
  }
}
