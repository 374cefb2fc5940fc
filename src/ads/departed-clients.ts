import type { Clock } from "../base/clock.ts";
import { layersOf, type ResourceMap } from "../xds/resource-map.ts";
import type { HeldState } from "./publication.ts";

/** Clients that went, whose state is kept for when they come back: how many, and how long. */
const DEPARTED_MAX = 1000;
const DEPARTED_MS_MAX = 10 * 60_000;

/**
 * Most resources in what they had, counting once what several had alike: so many, or so many times
 * what the last one had. Each version of a mesh that nobody has any more stays for their sake, with
 * the bytes that it was sent as. Those who went together, as in a restart, mostly had the same.
 */
const RESOURCES_MAX = 20_000;
const SHARE_MAX = 8;

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
    const nowMs = this.#clock.monotonicMs();
    this.#held.set(nodeId, { ...held, atMs: nowMs });
    for (const [oldest, { atMs }] of this.#held) {
      if (this.#held.size <= DEPARTED_MAX && nowMs - atMs <= DEPARTED_MS_MAX) break;
      this.#held.delete(oldest);
    }
    this.#boundResources();
  }

  /** Forgets those who went first when what they had is too much of what nobody else had. */
  #boundResources(): void {
    const counted = new Set<ResourceMap>();
    let resources = 0;
    let resourcesMax: number | undefined;
    for (const [nodeId, { published }] of [...this.#held].reverse()) {
      for (const layer of Object.values(published).flatMap(layersOf)) {
        if (counted.has(layer)) continue;
        counted.add(layer);
        resources += layer.size;
      }
      resourcesMax ??= Math.max(RESOURCES_MAX, resources * SHARE_MAX);
      if (resources > resourcesMax) this.#held.delete(nodeId);
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
