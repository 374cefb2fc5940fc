/** Bytes on their way to all clients together beyond which no further response is made. */
const PENDING_BYTES_MAX = 16 * 1024 * 1024;

/**
 * What all clients together may have on its way to them. A change for hundreds of proxies then
 * costs no more memory than the network can take soon; the others' responses are made as room comes,
 * first come, first served.
 */
export class WriteBudget {
  readonly #bytesMax: number;
  readonly #waiting = new Set<() => void>();
  #bytes = 0;

  constructor(bytesMax = PENDING_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** What is on its way. */
  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  /** Calls back once when there is room; the same callback waits once. */
  wait(onRoom: () => void): void {
    this.#waiting.add(onRoom);
  }

  /** Whoever waited does so no longer. */
  leave(onRoom: () => void): void {
    this.#waiting.delete(onRoom);
  }

  take(bytes: number): void {
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    if (bytes === 0) return;
    this.#bytes -= bytes;
    for (const onRoom of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(onRoom);
      onRoom();
    }
  }
}
