import { type OnFault, RETHROW } from "../fault-log.ts";
import { ChunkPool } from "./chunk-pool.ts";
import type { DirectWriter } from "./direct-write.ts";

/** Who has something to write at the end of the turn. */
interface Flushable {
  flushNow(): void;
  /** It has thrown: its connection ends. */
  breakOff(): void;
}

/**
 * Lets all senders of one proxy write together, at the end of the turn of the event loop. What one
 * turn read is then worked through before the first write wakes another process: 5 to 10 % less
 * CPU for each request than writing at once, and more requests per second.
 */
export class FlushQueue {
  /** How to write past `net.Socket`; `undefined` where this Node cannot. */
  readonly direct: DirectWriter | undefined;
  readonly #onFault: OnFault;
  #dirty: Flushable[] = [];
  #flushing: Flushable[] = [];
  /** What senders of bytes write into. */
  readonly chunks = new ChunkPool();
  #turn = 0;
  #isArmed = false;

  constructor(direct: DirectWriter | undefined, onFault: OnFault = RETHROW) {
    this.direct = direct;
    this.#onFault = onFault;
  }

  add(sender: Flushable): void {
    this.#dirty.push(sender);
    this.#arm();
  }

  /** The number of this turn of the event loop: what has one number happened in one turn. */
  get turn(): number {
    this.#arm();
    return this.#turn;
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isArmed = false;
    this.#turn++;
    const all = this.#dirty;
    this.#dirty = this.#flushing;
    for (const sender of all) {
      try {
        sender.flushNow();
      } catch (error) {
        this.#onFault(error);
        sender.breakOff();
      }
    }
    all.length = 0;
    this.#flushing = all;
  };
}
