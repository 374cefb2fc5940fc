/** One byte of flags, four of the length (PROTOCOL-HTTP2.md, "Length-Prefixed-Message"). */
export const FRAME_PREFIX_BYTES = 5;

/** What stands before a message of so many bytes. */
export function framePrefix(flags: number, length: number): Buffer {
  const prefix = Buffer.allocUnsafe(FRAME_PREFIX_BYTES);
  prefix[0] = flags;
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

/** Follows the frames of one body, however that is cut. */
export class FrameReader {
  #prefixBytes = 0;
  #left = 0;
  /** Of the frame that was read last. */
  flags = 0;
  /** Whether what was read last begins a frame, and whether it ends one. */
  isStart = false;
  isEnd = false;

  /** Reads to the end of a frame, or of the bytes, whichever comes first; answers where that is. */
  read(buffer: Buffer, from: number, to: number): number {
    let at = from;
    this.isStart = this.#prefixBytes === 0;
    this.isEnd = false;
    while (this.#prefixBytes < FRAME_PREFIX_BYTES) {
      if (at === to) return at;
      const byte = buffer[at++] ?? 0;
      if (this.#prefixBytes++ === 0) this.flags = byte;
      else this.#left = this.#left * 256 + byte;
    }
    const taken = Math.min(this.#left, to - at);
    this.#left -= taken;
    if (this.#left > 0) return to;
    this.#prefixBytes = 0;
    this.isEnd = true;
    return at + taken;
  }
}

/** Counts the messages of one body, each as soon as it begins. */
export class MessageCounter {
  readonly #frames = new FrameReader();
  count = 0;

  /** How many more there are now. */
  add(buffer: Buffer, from: number, to: number): number {
    const before = this.count;
    for (let at = from; at < to; ) {
      at = this.#frames.read(buffer, at, to);
      if (this.#frames.isStart) this.count++;
    }
    return this.count - before;
  }
}
