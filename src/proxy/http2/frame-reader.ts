import { FRAME, FRAME_BYTES_MAX, HEAD_BYTES, readInt31 } from "./frame.ts";

/** Takes frames apart from each other. The bytes are valid during the call only. */
export interface FrameSink {
  /** A frame begins. Its payload follows unless the sink stops the reader. */
  onFrameHead(type: number, flags: number, streamId: number, length: number): void;
  /** The whole payload of any frame but DATA. */
  onFrame(buffer: Buffer, from: number, to: number): void;
  /** A piece of the payload of DATA, padding included. */
  onDataPiece(buffer: Buffer, from: number, to: number): void;
  /** All of the payload of DATA has been handed over. */
  onDataEnd(): void;
  /** A frame that is larger than any may be. */
  onOversize(): void;
}

/** Finds the frames in bytes that come in pieces of any size. DATA goes on as it comes, others whole. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** The start of a head that is not all there. */
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES);
  #headBytes = 0;
  /** Payload that is still to come; -1 between frames. */
  #left = -1;
  #isData = false;
  /** A payload that did not come in one piece. */
  #payload: Buffer | undefined = undefined;
  #payloadBytes = 0;
  #isStopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** No more frames are wanted. */
  stop(): void {
    this.#isStopped = true;
  }

  read(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (!this.#isStopped && (at < to || this.#left === 0)) {
      if (this.#left !== -1) {
        at = this.#isData ? this.#readData(buffer, at, to) : this.#readPayload(buffer, at, to);
      } else if (this.#headBytes === 0 && to - at >= HEAD_BYTES) {
        this.#begin(buffer, at);
        at += HEAD_BYTES;
      } else {
        const end = Math.min(to, at + HEAD_BYTES - this.#headBytes);
        buffer.copy(this.#head, this.#headBytes, at, end);
        this.#headBytes += end - at;
        at = end;
        if (this.#headBytes < HEAD_BYTES) return;
        this.#headBytes = 0;
        this.#begin(this.#head, 0);
      }
    }
  }

  #begin(buffer: Buffer, at: number): void {
    const length = ((buffer[at] ?? 0) << 16) | ((buffer[at + 1] ?? 0) << 8) | (buffer[at + 2] ?? 0);
    if (length > FRAME_BYTES_MAX) return this.#sink.onOversize();
    const type = buffer[at + 3] ?? 0;
    this.#isData = type === FRAME.data;
    this.#left = length;
    this.#sink.onFrameHead(type, buffer[at + 4] ?? 0, readInt31(buffer, at + 5), length);
  }

  #readData(buffer: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#left);
    this.#left -= end - from;
    const isEnd = this.#left === 0;
    if (isEnd) this.#left = -1;
    if (end > from) this.#sink.onDataPiece(buffer, from, end);
    if (isEnd && !this.#isStopped) this.#sink.onDataEnd();
    return end;
  }

  #readPayload(buffer: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#left);
    if (this.#payload === undefined && end - from === this.#left) {
      this.#left = -1;
      this.#sink.onFrame(buffer, from, end);
      return end;
    }
    this.#payload ??= Buffer.allocUnsafe(this.#left);
    buffer.copy(this.#payload, this.#payloadBytes, from, end);
    this.#payloadBytes += end - from;
    this.#left -= end - from;
    if (this.#left > 0) return end;
    const payload = this.#payload;
    this.#payload = undefined;
    this.#payloadBytes = 0;
    this.#left = -1;
    this.#sink.onFrame(payload, 0, payload.length);
    return end;
  }
}
