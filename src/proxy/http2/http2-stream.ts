import type { BodySink } from "../http/body-sink.ts";
import type { ByteMeter } from "../http/byte-meter.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { RequestHead, ResponseHead } from "../http/message-head.ts";
import { FRAME_BYTES_MAX, HEAD_BYTES, NUMBER_FRAME_BYTES } from "./frame.ts";
import { FIELD_BYTES_MAX, type HpackEncoder } from "./hpack-encoder.ts";
import type { Http2Session } from "./session.ts";

/** So much of a body waits here for the peer before its sender is told to stop. */
const QUEUE_BYTES_MAX = 65_536;

/** Why a stream ended before its time. */
export interface StreamEnd {
  /** One of `CODE`. */
  readonly code: number;
  /** Whether the peer said so; else the session found something wrong. */
  readonly isRemote: boolean;
  /** In Envoy's words. */
  readonly detail: string;
  /** The peer has not looked at it: it may be tried again elsewhere. */
  readonly isUntouched: boolean;
}

/** Who uses a stream. The body's end comes with the head where nothing follows it. */
export interface StreamHandler<Head extends RequestHead | ResponseHead> extends BodySink {
  /** What the peer's message is read into: a request on the server's side. */
  readonly head: Head;
  /**
   * The head is complete. A client gets it for each response below 200 too, and the final one
   * after.
   */
  onHead(isEnd: boolean): void;
  /** What one frame brought has been handed over. */
  onReadEnd(): void;
  /** What waited for the peer's window has gone. */
  onSendDrain(): void;
  /** Nothing comes or goes any more; not called where the handler itself ended the stream. */
  onStreamEnd(end: StreamEnd): void;
}

/** The first line of a request as HTTP/2 says it. */
export interface RequestLine {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** "" for a CONNECT that has none. */
  readonly path: string;
  /** Of an extended CONNECT; "" for none. */
  readonly protocol: string;
}

/**
 * One stream of a session: states (RFC 9113 5.1), windows, and what waits for them. It may be used
 * again for another stream once it is closed.
 */
export class Http2Stream<Head extends RequestHead | ResponseHead = RequestHead | ResponseHead> {
  readonly handler: StreamHandler<Head>;
  /** Counts the bytes of its frames; absent where nobody asks. */
  meter: ByteMeter | undefined = undefined;
  id = 0;
  #session: Http2Session | undefined = undefined;
  /** What the peer may still send, and what of it has been used up since that was last said. */
  receiveLeft = 0;
  receiveUsed = 0;
  /** What the peer takes now; below 0 after it took some back. */
  sendWindow = 0;
  /** The peer's head has come; what follows are trailers. */
  hasHead = false;
  isRemoteDone = false;
  isLocalDone = false;
  /** Of the body that was announced; -1 where nothing was. */
  lengthLeft = -1;
  /** Its request was a HEAD: the response's length is none of its body. */
  isHeadRequest = false;

  /** What was not taken yet, while the handler wants nothing. */
  #held: Buffer[] = [];
  #isPaused = false;
  #isDelivering = false;
  #endHeld = false;
  #heldTrailers: HeaderList | undefined = undefined;

  /** What waits for windows or for the socket. */
  #queue: Buffer[] = [];
  #queueAt = 0;
  queuedBytes = 0;
  #isFull = false;
  #endQueued = false;
  #queuedTrailers: HeaderList | undefined = undefined;
  /** What the stream is reset with when all is sent; -1 for not at all. */
  #codeAtEnd = -1;

  constructor(handler: StreamHandler<Head>) {
    this.handler = handler;
  }

  /** Called by the session. */
  open(session: Http2Session, id: number, receiveWindow: number, sendWindow: number): void {
    this.#session = session;
    this.id = id;
    this.receiveLeft = receiveWindow;
    this.receiveUsed = 0;
    this.sendWindow = sendWindow;
    this.hasHead = false;
    this.isRemoteDone = false;
    this.isLocalDone = false;
    this.lengthLeft = -1;
    this.isHeadRequest = false;
    this.#isPaused = false;
    this.#endHeld = false;
    this.#heldTrailers = undefined;
    this.#isFull = false;
    this.#endQueued = false;
    this.#queuedTrailers = undefined;
    this.#codeAtEnd = -1;
  }

  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  /** Both sides have ended, and the handler knows. */
  get isFinished(): boolean {
    return this.isRemoteDone && this.isLocalDone && !this.#endHeld;
  }

  /** Called by the session: nothing comes or goes any more. */
  close(): void {
    const session = this.#session;
    this.#session = undefined;
    if (this.#held.length > 0) {
      for (const piece of this.#held) session?.released(piece.length);
      this.#held = [];
    }
    if (this.queuedBytes === 0) return;
    session?.queued(-this.queuedBytes);
    this.#queue = [];
    this.#queueAt = 0;
    this.queuedBytes = 0;
  }

  // Receiving.

  /** Takes no more of the body for now: the peer's window is not renewed. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on; what was held comes at once. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#held.length > 0 || this.#endHeld) this.#deliver();
  }

  #deliver(): void {
    // The handler may pause and resume while it is given something.
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (!this.#isPaused && this.#session !== undefined) {
      const piece = this.#held.shift();
      if (piece === undefined) break;
      this.#session.released(piece.length);
      this.handler.onBodyBytes(piece, 0, piece.length);
      this.#session?.used(this, piece.length);
    }
    this.#isDelivering = false;
    if (this.#isPaused || this.#session === undefined) return;
    if (this.#endHeld && this.#held.length === 0) {
      this.#endHeld = false;
      this.#tellEnd(this.#heldTrailers);
    }
    this.handler.onReadEnd();
  }

  /** Called by the session: a frame of four bytes was sent for it. */
  sentNumber(): void {
    if (this.meter !== undefined) this.meter.sent += NUMBER_FRAME_BYTES;
  }

  /** Called by the session: a frame of so many bytes came for it, other than of a header block. */
  tookFrame(bytes: number): void {
    if (this.meter !== undefined) this.meter.received += HEAD_BYTES + bytes;
  }

  /** Called by the session with a piece of the body. */
  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#isPaused || this.#held.length > 0) {
      this.#held.push(Buffer.from(buffer.subarray(from, to)));
      this.#session?.held(to - from);
      return;
    }
    this.handler.onBodyBytes(buffer, from, to);
    this.#session?.used(this, to - from);
  }

  /** Called by the session with the end of the body. */
  onBodyEnd(trailers: HeaderList | undefined): void {
    this.isRemoteDone = true;
    if (this.#isPaused || this.#held.length > 0) {
      this.#endHeld = true;
      this.#heldTrailers = trailers;
    } else {
      this.#tellEnd(trailers);
    }
  }

  #tellEnd(trailers: HeaderList | undefined): void {
    const session = this.#session;
    this.handler.onBodyEnd(trailers);
    // The handler may have ended it, and used it again.
    if (this.#session === session) this.#session?.closeIfDone(this);
  }

  // Sending.

  /** Whether what is sent now waits here; `onSendDrain` says when it has gone. */
  get isFull(): boolean {
    return this.#isFull || (this.#session?.isFull ?? false);
  }

  sendRequest(line: RequestLine, headers: HeaderList, isEnd: boolean): void {
    const session = this.#session;
    if (session === undefined) return;
    this.isHeadRequest = line.method === "HEAD";
    const { method, scheme, authority, path, protocol } = line;
    const bytes = method.length + scheme.length + authority.length + path.length + protocol.length;
    const encoder = session.writer.beginBlock(bytes + 5 * 32 + boundOf(headers));
    encoder.field(":method", method);
    if (path !== "") encoder.field(":scheme", scheme);
    encoder.field(":authority", authority);
    if (path !== "") encoder.field(":path", path);
    if (protocol !== "") encoder.field(":protocol", protocol);
    this.#endHead(session, encoder, headers, isEnd);
  }

  /** Also one below 200, which is not the last. */
  sendResponse(status: number, headers: HeaderList, isEnd: boolean): void {
    const session = this.#session;
    if (session === undefined) return;
    const encoder = session.writer.beginBlock(32 + boundOf(headers));
    encoder.field(":status", STATUS_TEXTS[status] ?? String(status));
    this.#endHead(session, encoder, headers, isEnd);
  }

  #endHead(
    session: Http2Session,
    encoder: HpackEncoder,
    headers: HeaderList,
    isEnd: boolean,
  ): void {
    const { entries, end } = headers;
    for (let at = 0; at < end; at += 2) encoder.field(entries[at] ?? "", entries[at + 1] ?? "");
    const bytes = session.writer.endBlock(this.id, isEnd);
    this.meter?.sentBlock(bytes);
    if (!isEnd) return;
    this.isLocalDone = true;
    session.closeIfDone(this);
  }

  /** Sends `buffer[from, to)` of the body; the buffer may be overwritten after. */
  sendBytes(buffer: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (session === undefined) return;
    if (this.meter !== undefined) {
      const frames = Math.ceil((to - from) / FRAME_BYTES_MAX);
      this.meter.sent += to - from + frames * HEAD_BYTES;
    }
    let at = from;
    if (this.queuedBytes === 0 && !session.isFull) at = session.sendData(this, buffer, from, to);
    if (at === to || this.#session !== session) return;
    if (this.queuedBytes === 0) session.wait(this);
    this.#queue.push(Buffer.from(buffer.subarray(at, to)));
    this.queuedBytes += to - at;
    session.queued(to - at);
    if (this.queuedBytes > QUEUE_BYTES_MAX) this.#isFull = true;
  }

  /** All of the message has been handed over. */
  sendEnd(trailers: HeaderList | undefined): void {
    const session = this.#session;
    if (session === undefined || this.isLocalDone) return;
    if (this.queuedBytes > 0) {
      this.#endQueued = true;
      this.#queuedTrailers = trailers;
      return;
    }
    this.isLocalDone = true;
    if (trailers === undefined || trailers.end === 0) {
      const bytes = session.writer.end(this.id);
      if (this.meter !== undefined) this.meter.sent += bytes;
      session.closeIfDone(this);
    } else {
      this.#endHead(session, session.writer.beginBlock(boundOf(trailers)), trailers, true);
    }
  }

  /** Called by the session when a window opened: sends at most so many bytes; gives how many. */
  pump(bytesMax: number): number {
    const session = this.#session;
    if (session === undefined) return 0;
    let sent = 0;
    while (this.queuedBytes > 0 && sent < bytesMax && !session.isFull) {
      const piece = this.#queue[0];
      if (piece === undefined) break;
      const from = this.#queueAt;
      const to = Math.min(piece.length, from + bytesMax - sent);
      const at = session.sendData(this, piece, from, to);
      if (at === from) break;
      sent += at - from;
      this.#queueAt = at;
      if (at < piece.length) continue;
      this.#queue.shift();
      this.#queueAt = 0;
    }
    // What was sent may have been too much for the connection.
    if (this.#session !== session) return sent;
    this.queuedBytes -= sent;
    session.queued(-sent);
    return sent;
  }

  /** Called by the session after `pump`: the end, and whoever waits for room. */
  afterPump(): void {
    if (this.queuedBytes > QUEUE_BYTES_MAX / 2 || this.#session === undefined) return;
    if (this.queuedBytes === 0 && this.#endQueued) {
      this.#endQueued = false;
      this.sendEnd(this.#queuedTrailers);
      if (this.#codeAtEnd !== -1) this.#session?.resetAfterRead(this, this.#codeAtEnd);
    } else if (this.#isFull && !this.#session.isFull) {
      this.#isFull = false;
      this.handler.onSendDrain();
    }
  }

  /** Called by the session: the socket takes more. */
  onSocketDrain(): void {
    if (this.#isFull || this.#endQueued) this.afterPump();
    else if (this.queuedBytes === 0) this.handler.onSendDrain();
  }

  /** Wants no more of the peer's message; what is sent goes to its end. Called after `sendEnd`. */
  endEarly(code: number): void {
    this.#isPaused = false;
    if (this.isLocalDone) this.#session?.resetAfterRead(this, code);
    else this.#codeAtEnd = code;
  }

  /** Breaks the stream off, where there is still something to break; the handler hears no more. */
  reset(code: number): void {
    if (this.isRemoteDone && this.isLocalDone) this.#session?.close(this, undefined);
    else this.#session?.resetStream(this, code);
  }
}

/** What the fields of a block take at most. */
function boundOf({ entries, end }: HeaderList): number {
  let bytes = (end / 2) * FIELD_BYTES_MAX;
  for (let at = 0; at < end; at++) bytes += entries[at]?.length ?? 0;
  return bytes;
}

const STATUS_TEXTS: readonly string[] = Array.from({ length: 600 }, (_, status) => String(status));
