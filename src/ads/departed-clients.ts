import type { Clock } from "../base/clock.ts";
import { memoise } from "../base/memo.ts";
import { layersOf, type ResourceMap } from "../xds/resource-map.ts";
import type { HeldState } from "./publication.ts";

/** Clients that went, whose state is kept for when they come back: how many, and how long. */
const DEPARTED_MAX = 1000;
const DEPARTED_MS_MAX = 10 * 60_000;

/**
 * Most bytes of what they had, counting once the layers that several had alike: so many, or so many
 * times what the last one had. Each version of a mesh that nobody has any more stays for their sake.
 * Those who went together, as in a restart, mostly had the same.
 */
const BYTES_MAX = 8 * 1024 * 1024;
const SHARE_MAX = 4;

/** What an entry of a table costs, besides the bytes that are sent. */
const ENTRY_BYTES = 400;

/** About as much as a layer keeps alive when nobody else has it. */
const bytesOf = memoise((layer: ResourceMap): number => {
  let bytes = 0;
  for (const { body } of layer.values()) bytes += body.length + ENTRY_BYTES;
  return bytes;
});

/** What clients had that went, by node id, for when they come back. */
export class DepartedClients {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #held = new Map<string, HeldState & { readonly atMs: number }>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#held.size;
  }

  /** About what is kept for them, as of the last one who went; more than there is when others have the same. */
  get bytes(): number {
    return this.#bytes;
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
    this.#boundBytes();
  }

  /** Forgets those who went first when what they had is too much of what nobody else had. */
  #boundBytes(): void {
    const counted = new Set<ResourceMap>();
    let bytes = 0;
    let bytesMax: number | undefined;
    for (const [nodeId, { published }] of [...this.#held].reverse()) {
      for (const layer of Object.values(published).flatMap(layersOf)) {
        if (counted.has(layer)) continue;
        counted.add(layer);
        bytes += bytesOf(layer);
      }
      bytesMax ??= Math.max(BYTES_MAX, bytes * SHARE_MAX);
      if (bytes > bytesMax) this.#held.delete(nodeId);
      else this.#bytes = bytes;
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
