/**
 * Looks for payloads one after the other in bytes that come in any pieces: each behind the end of
 * the one before, whatever stands between. Keeps no more bytes than a payload has.
 */
export class PayloadMatch {
  readonly #payloads: readonly Buffer[];
  #found = 0;
  /** The end of what came, which may be the beginning of the next payload. */
  #tail = Buffer.alloc(0);

  constructor(payloads: readonly Buffer[]) {
    this.#payloads = payloads;
  }

  get isWhole(): boolean {
    return this.#found === this.#payloads.length;
  }

  reset(): void {
    this.#found = 0;
    this.#tail = Buffer.alloc(0);
  }

  /** Takes a copy of what it needs of `bytes`. */
  push(bytes: Buffer): void {
    let rest = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes]);
    for (;;) {
      const payload = this.#payloads[this.#found];
      if (payload === undefined) {
        this.#tail = Buffer.alloc(0);
        return;
      }
      const at = rest.indexOf(payload);
      if (at === -1) {
        const kept = Math.min(rest.length, payload.length - 1);
        this.#tail = Buffer.from(rest.subarray(rest.length - kept));
        return;
      }
      this.#found++;
      rest = rest.subarray(at + payload.length);
    }
  }
}
