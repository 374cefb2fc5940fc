import type { Clock } from "../base/clock.ts";
import type { HeldState } from "./publication.ts";

/** Clients that went, whose state is kept for when they come back: how many, and how long. */
const DEPARTED_MAX = 1000;
const DEPARTED_MS_MAX = 10 * 60_000;

/** What clients had that went, by node id, for when they come back. */
export class DepartedClients {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #held = new Map<string, HeldState & { readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Keeps what a client had; that of the one who went first is forgotten for it when there are many. */
  keep(nodeId: string, held: HeldState | undefined): void {
    if (held?.kinds.length === 0) return;
    this.#held.delete(nodeId);
    if (held === undefined) return;
    this.#held.set(nodeId, { ...held, atMs: this.#clock.monotonicMs() });
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= DEPARTED_MAX) break;
      this.#held.delete(oldest);
    }
  }

  /** Gives back what a client had, unless that is too long ago. */
  take(nodeId: string): HeldState | undefined {
    const held = this.#held.get(nodeId);
    this.#held.delete(nodeId);
    if (held === undefined) return undefined;
    return this.#clock.monotonicMs() - held.atMs > DEPARTED_MS_MAX ? undefined : held;
  }
}
