import { CODE, FLAG, FRAME, readInt31 } from "./frame.ts";
import type { FrameSink } from "./frame-reader.ts";
import type { HeaderBlocks } from "./header-blocks.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";
import type { Http2Stream } from "./http2-stream.ts";
import { readSettings } from "./peer-settings.ts";
import type { Http2Session, SessionOwner } from "./session.ts";

/** What the frames that come mean for a session and its streams (RFC 9113 6). */
export class InboundFrames implements FrameSink {
  readonly #session: Http2Session;
  readonly #owner: SessionOwner;
  readonly #encoder: HpackEncoder;
  readonly #blocks: HeaderBlocks;
  #needsSettings = true;

  // The frame that is being read.
  #type = 0;
  #flags = 0;
  #id = 0;
  #length = 0;
  /** Of DATA: who gets it; absent when nobody does. */
  #dataStream: Http2Stream | undefined = undefined;
  /** Bytes of data that are left, -1 until the length of the padding is known. */
  #dataLeft = 0;
  #dataBytes = 0;

  constructor(
    session: Http2Session,
    owner: SessionOwner,
    encoder: HpackEncoder,
    blocks: HeaderBlocks,
  ) {
    this.#session = session;
    this.#owner = owner;
    this.#encoder = encoder;
    this.#blocks = blocks;
  }

  /** Whether the peer's first SETTINGS have come. */
  get isSettled(): boolean {
    return !this.#needsSettings;
  }

  /** What one read brought has been handed over; a frame may be in the middle. */
  onReadEnd(): void {
    const stream = this.#dataStream;
    if (stream !== undefined && this.#isCurrent(stream)) stream.handler.onReadEnd();
  }

  onOversize(): void {
    this.#session.fail(CODE.frameSizeError, "http2.frame_too_large");
  }

  onFrameHead(type: number, flags: number, id: number, length: number): void {
    this.#type = type;
    this.#flags = flags;
    this.#id = id;
    this.#length = length;
    if (this.#needsSettings && (type !== FRAME.settings || (flags & FLAG.ack) !== 0)) {
      return this.#session.fail(CODE.protocolError, "http2.settings_expected");
    }
    const block = this.#blocks.openStream;
    if (block !== 0 && (type !== FRAME.continuation || id !== block)) {
      return this.#session.fail(CODE.protocolError, "http2.continuation_expected");
    }
    if (type === FRAME.data) this.#beginData();
  }

  #beginData(): void {
    const id = this.#id;
    const length = this.#length;
    this.#dataStream = undefined;
    this.#dataBytes = 0;
    const isPadded = (this.#flags & FLAG.padded) !== 0;
    this.#dataLeft = isPadded ? -1 : length;
    if (isPadded && length === 0)
      return this.#session.fail(CODE.frameSizeError, "http2.bad_frame_size");
    if (id === 0 || this.#session.isIdle(id))
      return this.#session.fail(CODE.protocolError, "http2.bad_stream");
    if (!this.#session.receiving.take(length)) {
      return this.#session.fail(CODE.flowControlError, "http2.flow_control");
    }
    const stream = this.#session.streams.get(id);
    stream?.tookFrame(length);
    if (stream === undefined) {
      if (!this.#session.isAwaited(id))
        this.#session.fail(CODE.streamClosed, "http2.stream_closed");
    } else if (stream.isRemoteDone) {
      this.#session.fail(CODE.streamClosed, "http2.stream_closed");
    } else if (!stream.hasHead) {
      this.#session.endStream(stream, CODE.protocolError, "http2.violation.of.messaging.rule");
    } else {
      stream.receiveLeft -= length;
      if (stream.receiveLeft < 0) {
        this.#session.endStream(stream, CODE.flowControlError, "http2.flow_control");
      } else this.#dataStream = stream;
    }
  }

  onDataPiece(buffer: Buffer, from: number, to: number): void {
    let start = from;
    if (this.#dataLeft === -1) {
      const padding = buffer[start++] ?? 0;
      this.#dataLeft = this.#length - 1 - padding;
      if (this.#dataLeft < 0) return this.#session.fail(CODE.protocolError, "http2.bad_padding");
    }
    const end = Math.min(to, start + this.#dataLeft);
    const bytes = end - start;
    this.#dataLeft -= bytes;
    this.#dataBytes += bytes;
    const stream = this.#dataStream;
    const rest = to - from - bytes;
    if (rest > 0) this.#session.receiving.used(rest);
    if (stream === undefined || !this.#isCurrent(stream))
      return this.#session.receiving.used(bytes);
    if (rest > 0) this.#session.receiving.usedBy(stream, rest);
    if (bytes === 0) return;
    if (stream.lengthLeft !== -1) {
      if (bytes > stream.lengthLeft) {
        this.#session.receiving.used(bytes);
        return this.#badLength(stream);
      }
      stream.lengthLeft -= bytes;
    }
    stream.onBodyBytes(buffer, start, end);
  }

  /** What a handler does may end its stream, and begin another one with it. */
  #isCurrent(stream: Http2Stream): boolean {
    return stream.isOpen && stream.id === this.#id;
  }

  onDataEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    const isEnd = (this.#flags & FLAG.endStream) !== 0;
    const flood = this.#session.guard.onFrame(this.#dataBytes === 0 && !isEnd);
    if (flood !== undefined) return this.#session.fail(CODE.enhanceYourCalm, flood);
    if (stream === undefined || !this.#isCurrent(stream)) return;
    if (isEnd) {
      if (stream.lengthLeft > 0) return this.#badLength(stream);
      stream.onBodyEnd(undefined);
    }
    if (this.#isCurrent(stream)) stream.handler.onReadEnd();
  }

  #badLength(stream: Http2Stream): void {
    this.#session.counters.rx_messaging_error++;
    this.#session.endStream(stream, CODE.protocolError, "http2.violation.of.messaging.rule");
  }

  onFrame(buffer: Buffer, from: number, to: number): void {
    switch (this.#type) {
      case FRAME.headers:
        return this.#blocks.onHeaders(this.#id, this.#flags, buffer, from, to);
      case FRAME.continuation:
        return this.#blocks.onContinuation(this.#flags, buffer, from, to);
      case FRAME.resetStream:
        return this.#onReset(buffer, from, to);
      case FRAME.settings:
        return this.#onSettings(buffer, from, to);
      case FRAME.ping:
        return this.#onPing(buffer, from, to);
      case FRAME.goAway:
        return this.#onGoAway(buffer, from, to);
      case FRAME.windowUpdate:
        return this.#onWindowUpdate(buffer, from, to);
      case FRAME.priority:
        return this.#onPriority(buffer, from, to);
      case FRAME.pushPromise:
        // No client may push, and a server was told not to.
        return this.#session.fail(CODE.protocolError, "http2.push_promise");
      default:
    }
  }

  /** False, and the connection over, where the frame has another length or stream than it may. */
  #isFit(length: number, bytes: number, isOfStream: boolean): boolean {
    if (length !== bytes) this.#session.fail(CODE.frameSizeError, "http2.bad_frame_size");
    else if ((this.#id !== 0) !== isOfStream)
      this.#session.fail(CODE.protocolError, "http2.bad_stream");
    else return true;
    return false;
  }

  #onReset(buffer: Buffer, from: number, to: number): void {
    if (!this.#isFit(to - from, 4, true)) return;
    if (this.#session.isIdle(this.#id))
      return this.#session.fail(CODE.protocolError, "http2.bad_stream");
    const stream = this.#session.streams.get(this.#id);
    if (stream === undefined) return;
    stream.tookFrame(to - from);
    const code = buffer.readUInt32BE(from);
    const isUntouched = code === CODE.refusedStream;
    this.#session.counters.rx_reset++;
    this.#session.close(stream, {
      code,
      isRemote: true,
      detail: "http2.remote_reset",
      isUntouched,
    });
  }

  #onSettings(buffer: Buffer, from: number, to: number): void {
    if ((this.#flags & FLAG.ack) !== 0) {
      if (this.#isFit(to - from, 0, false))
        this.#session.receiving.onSettingsAck(this.#session.streams.values());
      return;
    }
    if (!this.#isFit((to - from) % 6, 0, false)) return;
    const before = this.#session.peer.initialWindow;
    const code = readSettings(buffer, from, to, this.#session.peer, this.#encoder);
    if (code !== CODE.noError) return this.#session.fail(code, "http2.bad_settings");
    this.#needsSettings = false;
    this.#session.writer.settingsAck();
    const { initialWindow } = this.#session.peer;
    if (!this.#session.sending.shift(this.#session.streams.values(), initialWindow - before)) {
      return this.#session.fail(CODE.flowControlError, "http2.flow_control");
    }
    if (initialWindow > before) this.#session.sending.pump();
    this.#owner.onSettings();
  }

  #onPing(buffer: Buffer, from: number, to: number): void {
    if (!this.#isFit(to - from, 8, false)) return;
    if ((this.#flags & FLAG.ack) === 0) this.#session.writer.ping(buffer, from, true);
    else this.#session.onPingAck(buffer, from);
  }

  #onGoAway(buffer: Buffer, from: number, to: number): void {
    if (!this.#isFit(Math.min(to - from, 8), 8, false)) return;
    const lastStream = readInt31(buffer, from);
    const code = buffer.readUInt32BE(from + 4);
    this.#session.isRefusing = true;
    if (!this.#session.isServer) {
      const end = { code, isRemote: true, detail: "http2.remote_refuse", isUntouched: true };
      for (const stream of this.#session.streams.values()) {
        if (stream.id > lastStream) this.#session.close(stream, end);
      }
    }
    this.#owner.onGoAway(lastStream, code);
  }

  #onWindowUpdate(buffer: Buffer, from: number, to: number): void {
    if (!this.#isFit(to - from, 4, this.#id !== 0)) return;
    const flood = this.#session.guard.onWindowUpdate();
    if (flood !== undefined) return this.#session.fail(CODE.enhanceYourCalm, flood);
    const bytes = readInt31(buffer, from);
    if (this.#id === 0) {
      if (bytes === 0) return this.#session.fail(CODE.protocolError, "http2.bad_window_update");
      if (this.#session.sending.grow(bytes)) this.#session.sending.pump();
      else this.#session.fail(CODE.flowControlError, "http2.flow_control");
      return;
    }
    if (this.#session.isIdle(this.#id))
      return this.#session.fail(CODE.protocolError, "http2.bad_stream");
    const stream = this.#session.streams.get(this.#id);
    if (stream === undefined) return;
    stream.tookFrame(to - from);
    if (bytes === 0) this.#session.endStream(stream, CODE.protocolError, "http2.bad_window_update");
    else if (this.#session.sending.growStream(stream, bytes)) this.#session.sending.pump();
    else this.#session.endStream(stream, CODE.flowControlError, "http2.flow_control");
  }

  /** What it says is of no interest (RFC 9113 5.3.2). */
  #onPriority(buffer: Buffer, from: number, to: number): void {
    if (!this.#isFit(to - from, 5, true)) return;
    if (readInt31(buffer, from) === this.#id) {
      return this.#session.fail(CODE.protocolError, "http2.bad_priority");
    }
    const flood = this.#session.guard.onPriority();
    if (flood !== undefined) this.#session.fail(CODE.enhanceYourCalm, flood);
  }
}
