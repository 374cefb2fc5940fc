import type { ByteSender } from "../net/byte-sender.ts";
import { FLAG, FRAME, FRAME_BYTES_MAX, HEAD_BYTES } from "./frame.ts";
import { BLOCK_BYTES_MAX, type HpackEncoder } from "./hpack-encoder.ts";

/** How many frames may wait for a peer that does not read. */
export interface OutputLimits {
  readonly outboundFramesMax: number;
  /** Of those that answer the peer's: acknowledgements and resets. */
  readonly outboundControlFramesMax: number;
}

/** Told when too much waits. */
export interface FloodOwner {
  onOutboundFlood(isControl: boolean): void;
}

/** Writes the frames of one connection; they leave at the end of the turn. */
export class FrameWriter {
  readonly #out: ByteSender;
  readonly #encoder: HpackEncoder;
  readonly #limits: OutputLimits;
  readonly #owner: FloodOwner;
  /** Frames since the last write that left at once, and when that was. */
  #frames = 0;
  #controlFrames = 0;
  #writes = 0;
  /** The last HEADERS or DATA frame, which may still become the last of its stream. */
  #lastStream = 0;
  #lastChunk: Buffer | undefined = undefined;
  #lastFrom = 0;
  #lastTo = 0;

  constructor(out: ByteSender, encoder: HpackEncoder, limits: OutputLimits, owner: FloodOwner) {
    this.#out = out;
    this.#encoder = encoder;
    this.#limits = limits;
    this.#owner = owner;
  }

  raw(bytes: Buffer): void {
    this.#out.bytes(bytes, 0, bytes.length);
  }

  /** `pairs`: setting, value, setting, value… */
  settings(pairs: readonly number[]): void {
    this.#head((pairs.length / 2) * 6, FRAME.settings, 0, 0);
    for (let at = 0; at < pairs.length; at += 2) {
      this.#int16(pairs[at] ?? 0);
      this.#int32(pairs[at + 1] ?? 0);
    }
    this.#count(false);
  }

  settingsAck(): void {
    this.#head(0, FRAME.settings, FLAG.ack, 0);
    this.#count(true);
  }

  /** The eight bytes of `buffer` from `at`. */
  ping(buffer: Buffer, at: number, isAck: boolean): void {
    this.#head(8, FRAME.ping, isAck ? FLAG.ack : 0, 0);
    buffer.copy(this.#out.chunk, this.#out.at, at, at + 8);
    this.#out.at += 8;
    this.#count(isAck);
  }

  goAway(lastStream: number, code: number, text: string): void {
    this.#head(8 + text.length, FRAME.goAway, 0, 0);
    this.#int32(lastStream);
    this.#int32(code);
    this.#out.chunk.write(text, this.#out.at, "latin1");
    this.#out.at += text.length;
    this.#out.flush();
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#head(4, FRAME.windowUpdate, 0, streamId);
    this.#int32(bytes);
    this.#count(false);
  }

  reset(streamId: number, code: number): void {
    this.#head(4, FRAME.resetStream, 0, streamId);
    this.#int32(code);
    this.#count(true);
  }

  /** Begins a header block of at most so many bytes, and gives what its fields are written with. */
  beginBlock(bytesMax: number): HpackEncoder {
    this.#out.reserve(HEAD_BYTES + BLOCK_BYTES_MAX + bytesMax);
    this.#encoder.begin(this.#out.chunk, this.#out.at + HEAD_BYTES);
    return this.#encoder;
  }

  /**
   * Ends the block; it stands in HEADERS and, where it is long, in CONTINUATIONs. Gives how many
   * bytes their frames have.
   */
  endBlock(streamId: number, isEnd: boolean): number {
    const out = this.#out;
    const length = this.#encoder.at - out.at - HEAD_BYTES;
    const flags = isEnd ? FLAG.endStream : 0;
    if (length > FRAME_BYTES_MAX) {
      const block = Buffer.from(out.chunk.subarray(out.at + HEAD_BYTES, this.#encoder.at));
      this.#split(block, streamId, flags);
    } else {
      const from = out.at;
      this.#head(length, FRAME.headers, flags | FLAG.endHeaders, streamId);
      out.at += length;
      this.#noteLast(streamId, from);
    }
    this.#count(false);
    return length + HEAD_BYTES * Math.max(1, Math.ceil(length / FRAME_BYTES_MAX));
  }

  #split(block: Buffer, streamId: number, flags: number): void {
    for (let at = 0; at < block.length; ) {
      const end = Math.min(block.length, at + FRAME_BYTES_MAX);
      const last = end === block.length ? FLAG.endHeaders : 0;
      if (at === 0) this.#head(end, FRAME.headers, flags | last, streamId);
      else this.#head(end - at, FRAME.continuation, last, streamId);
      this.#out.bytes(block, at, end);
      at = end;
    }
    this.#lastStream = 0;
  }

  /** `buffer[from, to)`, no more than `FRAME_BYTES_MAX`; it may be overwritten after. */
  data(streamId: number, buffer: Buffer, from: number, to: number): void {
    const out = this.#out;
    const length = to - from;
    this.#head(length, FRAME.data, 0, streamId);
    const start = out.at - HEAD_BYTES;
    buffer.copy(out.chunk, out.at, from, to);
    out.at += length;
    this.#noteLast(streamId, start);
    this.#count(false);
  }

  /**
   * The stream's last frame was its last: says so on it where it has not left, else with another,
   * whose bytes it gives.
   */
  end(streamId: number): number {
    const out = this.#out;
    const isHere =
      this.#lastStream === streamId && out.chunk === this.#lastChunk && out.at === this.#lastTo;
    if (isHere) {
      const at = this.#lastFrom + 4;
      out.chunk[at] = (out.chunk[at] ?? 0) | FLAG.endStream;
      this.#lastStream = 0;
      return 0;
    }
    this.#head(0, FRAME.data, FLAG.endStream, streamId);
    this.#count(false);
    return HEAD_BYTES;
  }

  #noteLast(streamId: number, from: number): void {
    this.#lastStream = streamId;
    this.#lastChunk = this.#out.chunk;
    this.#lastFrom = from;
    this.#lastTo = this.#out.at;
  }

  /** Makes room for the whole frame and writes its head. */
  #head(length: number, type: number, flags: number, streamId: number): void {
    const out = this.#out;
    out.reserve(HEAD_BYTES + length);
    const { chunk, at } = out;
    chunk[at] = length >>> 16;
    chunk[at + 1] = (length >>> 8) & 255;
    chunk[at + 2] = length & 255;
    chunk[at + 3] = type;
    chunk[at + 4] = flags;
    chunk[at + 5] = streamId >>> 24;
    chunk[at + 6] = (streamId >>> 16) & 255;
    chunk[at + 7] = (streamId >>> 8) & 255;
    chunk[at + 8] = streamId & 255;
    out.at = at + HEAD_BYTES;
  }

  #int16(value: number): void {
    const { chunk, at } = this.#out;
    chunk[at] = value >>> 8;
    chunk[at + 1] = value & 255;
    this.#out.at = at + 2;
  }

  #int32(value: number): void {
    this.#out.chunk.writeUInt32BE(value >>> 0, this.#out.at);
    this.#out.at += 4;
  }

  /** Counts what waits: for the end of the turn, or for a peer that does not read. */
  #count(isControl: boolean): void {
    const out = this.#out;
    out.flush();
    if (out.writes !== this.#writes && !out.isFull) {
      this.#writes = out.writes;
      this.#frames = 0;
      this.#controlFrames = 0;
    }
    this.#frames++;
    if (isControl) this.#controlFrames++;
    if (this.#controlFrames > this.#limits.outboundControlFramesMax) {
      this.#owner.onOutboundFlood(true);
    } else if (this.#frames > this.#limits.outboundFramesMax) {
      this.#owner.onOutboundFlood(false);
    }
  }
}
