import { MessageHead, type RequestHead, type ResponseHead } from "../http/message-head.ts";
import { CODE, FLAG, HEAD_BYTES, readInt31 } from "./frame.ts";
import { type FieldSink, HpackDecoder } from "./hpack-decoder.ts";
import type { Http2Stream } from "./http2-stream.ts";
import {
  BAD_MESSAGE,
  type BadMessage,
  type FieldLimits,
  NO_FIELDS,
  RequestFields,
  ResponseFields,
  TrailerFields,
} from "./message-fields.ts";
import type { Http2Session, SessionOwner } from "./session.ts";

/** One block may come in so many CONTINUATIONs. */
const CONTINUATIONS_MAX = 256;
/** What a block may have beside the largest head there is, before it has to be given up. */
const SLACK_BYTES = 65_536;

/** Reads the header blocks of a session and says what they mean for its streams. */
export class HeaderBlocks {
  readonly #session: Http2Session;
  readonly #owner: SessionOwner;
  readonly #decoder: HpackDecoder;
  readonly #requests: RequestFields;
  readonly #responses: ResponseFields;
  readonly #trailers: TrailerFields;
  readonly #bytesMax: number;
  /** The stream whose block is not complete; 0 for none. */
  openStream = 0;
  #flags = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Of the frames that the block came in. */
  #frameBytes = 0;

  constructor(session: Http2Session, owner: SessionOwner, limits: FieldLimits) {
    this.#session = session;
    this.#owner = owner;
    const { options, counters, isServer } = session;
    // The peer may use what everybody has until it knows ours.
    const tableSize = Math.max(options.hpackTableSize, 4096);
    const side = isServer ? "request" : "response";
    this.#decoder = new HpackDecoder(side, tableSize, limits.underscores);
    const none = new MessageHead();
    this.#requests = new RequestFields(none as RequestHead, limits, counters);
    this.#responses = new ResponseFields(none as ResponseHead, limits, counters);
    this.#trailers = new TrailerFields(none, limits, counters);
    this.#bytesMax = 2 * limits.headBytesMax + SLACK_BYTES;
  }

  onHeaders(id: number, flags: number, buffer: Buffer, start: number, end: number): void {
    const session = this.#session;
    if (id === 0) return session.fail(CODE.protocolError, "http2.bad_stream");
    let from = start;
    let to = end;
    if ((flags & FLAG.padded) !== 0) to -= buffer[from++] ?? 0;
    if ((flags & FLAG.priority) !== 0) {
      if (readInt31(buffer, from) === id) {
        return session.fail(CODE.protocolError, "http2.bad_priority");
      }
      from += 5;
    }
    if (from > to) return session.fail(CODE.protocolError, "http2.bad_padding");
    this.#frameBytes = HEAD_BYTES + end - start;
    const isComplete = (flags & FLAG.endHeaders) !== 0;
    const isEnd = (flags & FLAG.endStream) !== 0;
    const flood = session.guard.onFrame(from === to && !isEnd);
    if (flood !== undefined) return session.fail(CODE.enhanceYourCalm, flood);
    if (isComplete) return this.#onBlock(id, isEnd, buffer, from, to);
    this.openStream = id;
    this.#flags = flags;
    this.#pieces = [];
    this.#bytes = 0;
    this.#keep(buffer, from, to);
  }

  onContinuation(flags: number, buffer: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (this.openStream === 0) {
      return session.fail(CODE.protocolError, "http2.unexpected_continuation");
    }
    const isComplete = (flags & FLAG.endHeaders) !== 0;
    const flood = session.guard.onFrame(from === to && !isComplete);
    if (flood !== undefined) return session.fail(CODE.enhanceYourCalm, flood);
    this.#frameBytes += HEAD_BYTES + to - from;
    if (!this.#keep(buffer, from, to) || !isComplete) return;
    const id = this.openStream;
    const block = Buffer.concat(this.#pieces);
    this.openStream = 0;
    this.#pieces = [];
    this.#onBlock(id, (this.#flags & FLAG.endStream) !== 0, block, 0, block.length);
  }

  #keep(buffer: Buffer, from: number, to: number): boolean {
    this.#pieces.push(Buffer.from(buffer.subarray(from, to)));
    this.#bytes += to - from;
    if (this.#bytes <= this.#bytesMax && this.#pieces.length <= CONTINUATIONS_MAX) return true;
    this.#session.counters.header_overflow++;
    // Without the whole block the tables are lost, and so is the connection.
    this.#session.fail(CODE.enhanceYourCalm, "http2.header_block_too_large");
    return false;
  }

  #onBlock(id: number, isEnd: boolean, buffer: Buffer, from: number, to: number): void {
    const session = this.#session;
    const stream = session.streams.get(id);
    stream?.meter?.tookBlock(this.#frameBytes);
    if (stream === undefined) {
      if (session.isServer) this.#onNewStream(id, isEnd, buffer, from, to);
      else this.#onStrayResponse(id, buffer, from, to);
    } else if (stream.isRemoteDone) {
      session.fail(CODE.streamClosed, "http2.stream_closed");
    } else if (stream.hasHead) {
      this.#onTrailers(stream, isEnd, buffer, from, to);
    } else {
      this.#onResponse(stream as Http2Stream<ResponseHead>, isEnd, buffer, from, to);
    }
  }

  #decode(buffer: Buffer, from: number, to: number, sink: FieldSink): boolean {
    if (this.#decoder.decode(buffer, from, to, sink)) return true;
    this.#session.fail(CODE.compressionError, "http2.compression_error");
    return false;
  }

  #onNewStream(id: number, isEnd: boolean, buffer: Buffer, from: number, to: number): void {
    const session = this.#session;
    if ((id & 1) === 0) return session.fail(CODE.protocolError, "http2.bad_stream");
    if (!session.isIdle(id)) {
      if (!this.#decode(buffer, from, to, NO_FIELDS) || session.isAwaited(id)) return;
      return session.fail(CODE.streamClosed, "http2.stream_closed");
    }
    session.lastPeerStream = id;
    if (!session.takes(id)) {
      this.#decode(buffer, from, to, NO_FIELDS);
      return;
    }
    const hasRoom = session.streams.size < session.options.maxConcurrentStreams;
    const stream = hasRoom ? this.#owner.accept() : undefined;
    if (stream === undefined) {
      if (!this.#decode(buffer, from, to, NO_FIELDS)) return;
      session.writer.reset(id, CODE.refusedStream);
      session.counters.tx_reset++;
      session.noteReset(id);
      return;
    }
    session.begin(stream, id);
    stream.meter?.tookBlock(this.#frameBytes);
    const { head } = stream.handler;
    const fields = this.#requests.begin(head);
    if (!this.#decode(buffer, from, to, fields)) return;
    const error = fields.end(session.options.allowsConnect);
    if (error !== undefined) return this.#onBadMessage(stream, error);
    if (isEnd && head.contentLength > 0) return this.#onBadMessage(stream, BAD_MESSAGE.rule);
    stream.hasHead = true;
    stream.isRemoteDone = isEnd;
    stream.lengthLeft = head.contentLength;
    stream.handler.onHead(isEnd);
    // What follows may take its time: the head goes on by itself.
    if (!isEnd && stream.isOpen) stream.handler.onReadEnd();
  }

  #onResponse(
    stream: Http2Stream<ResponseHead>,
    isEnd: boolean,
    buffer: Buffer,
    from: number,
    to: number,
  ): void {
    const { handler } = stream;
    const { head } = handler;
    const fields = this.#responses.begin(head);
    if (!this.#decode(buffer, from, to, fields)) return;
    const error = fields.end();
    if (error !== undefined) return this.#onBadMessage(stream, error);
    // Nothing may switch to another protocol here (RFC 9113 8.6).
    const isInterim = head.status < 200;
    if (head.status === 101 || (isInterim && isEnd)) {
      return this.#onBadMessage(stream, BAD_MESSAGE.rule);
    }
    if (isInterim) return handler.onHead(false);
    stream.hasHead = true;
    const hasLength = !stream.isHeadRequest && head.status !== 304;
    stream.lengthLeft = hasLength ? head.contentLength : -1;
    if (isEnd && stream.lengthLeft > 0) return this.#onBadMessage(stream, BAD_MESSAGE.rule);
    stream.isRemoteDone = isEnd;
    handler.onHead(isEnd);
    if (isEnd) this.#session.closeIfDone(stream);
    else if (stream.isOpen) handler.onReadEnd();
  }

  /** Of a stream that is closed. */
  #onStrayResponse(id: number, buffer: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (session.isIdle(id)) return session.fail(CODE.protocolError, "http2.bad_stream");
    session.counters.headers_cb_no_stream++;
    if (!this.#decode(buffer, from, to, NO_FIELDS) || session.isAwaited(id)) return;
    session.fail(CODE.streamClosed, "http2.stream_closed");
  }

  #onTrailers(stream: Http2Stream, isEnd: boolean, buffer: Buffer, from: number, to: number): void {
    const session = this.#session;
    const head = new MessageHead();
    const fields = this.#trailers.begin(head);
    if (!this.#decode(buffer, from, to, fields)) return;
    const error = fields.end() ?? (isEnd ? undefined : BAD_MESSAGE.rule);
    if (error !== undefined) return this.#onBadMessage(stream, error);
    if (stream.lengthLeft > 0) return this.#onBadMessage(stream, BAD_MESSAGE.rule);
    // Those of requests, as in Envoy.
    if (session.isServer) session.counters.trailers++;
    const { id } = stream;
    stream.onBodyEnd(head.headers);
    if (stream.isOpen && stream.id === id) stream.handler.onReadEnd();
  }

  #onBadMessage(stream: Http2Stream, error: BadMessage): void {
    const session = this.#session;
    const { counters } = session;
    if (error === BAD_MESSAGE.tooManyHeaders) counters.header_overflow++;
    else if (error === BAD_MESSAGE.headTooLarge) counters.header_list_size_too_large++;
    else if (error !== BAD_MESSAGE.underscore) {
      counters.rx_messaging_error++;
      if (!session.options.endsStreamOnError) return session.fail(CODE.protocolError, error);
      return session.endStream(stream, CODE.protocolError, error);
    }
    session.endStream(stream, CODE.internalError, error);
  }
}
