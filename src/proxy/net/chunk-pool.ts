/** What nearly every turn's frames of one connection fit into. */
const SMALL_BYTES = 16_384;
/** A read of the other side, framed, and more. */
const LARGE_BYTES = 81_920;
/** As many of each size are kept. */
const KEPT_MAX = 32;

/** Buffers that are written into for one turn and used again when they have left. */
export class ChunkPool {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];

  /** One with room for `bytes`, which may be any number. */
  take(bytes: number): Buffer {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    if (bytes <= LARGE_BYTES) return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** Gives back one that nobody reads from any more. */
  put(chunk: Buffer): void {
    const { length } = chunk;
    if (length === SMALL_BYTES) {
      if (this.#small.length < KEPT_MAX) this.#small.push(chunk);
    } else if (length === LARGE_BYTES && this.#large.length < KEPT_MAX) {
      this.#large.push(chunk);
    }
  }

  /** Whether a chunk of that size may give way to a larger one, before what it holds is written. */
  mayGrow(chunk: Buffer, bytes: number): boolean {
    return chunk.length === SMALL_BYTES && bytes <= LARGE_BYTES;
  }
}
