import type { UpstreamExchange } from "../http/upstream-exchange.ts";

/** The body of a request so far, while it may still have to be sent, or sent again. */
export class KeptBody {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Whether it stays when it has been sent, for another attempt. */
  staysWhenSent = false;

  get bytes(): number {
    return this.#bytes;
  }

  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  /** Keeps a copy. */
  add(buffer: Buffer, from: number, to: number): void {
    this.#pieces.push(Buffer.from(buffer.subarray(from, to)));
    this.#bytes += to - from;
  }

  /** Sends all of it, and forgets it where it need not stay or is more than `bytesMax`. */
  sendTo(exchange: UpstreamExchange, bytesMax: number): void {
    for (const bytes of this.#pieces) exchange.sendBytes(bytes, 0, bytes.length);
    if (this.#bytes > bytesMax) this.staysWhenSent = false;
    if (!this.staysWhenSent) this.clear();
  }

  /** Nothing will be sent again. */
  drop(): void {
    this.staysWhenSent = false;
    this.clear();
  }

  clear(): void {
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#bytes = 0;
  }
}
