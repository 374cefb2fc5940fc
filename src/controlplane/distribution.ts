import { keyText, type ObjectKey } from "../config/object.ts";
import { layersOf, type ResourceMap } from "../xds/resource-map.ts";
import { RESOURCE_KINDS, type XdsSnapshot } from "../xds/snapshot.ts";
import { type DistributionClient, DistributionView } from "./distribution-view.ts";
import { NO_PROXIES } from "./proxy-set.ts";

/**
 * Remembers which mesh every object's last change went into and which mesh every layer of resources
 * was first built from. With that, a proxy that acknowledged a layer is known to have an object as
 * it is, also while others change the same resource faster than proxies answer.
 *
 * Holds one number for each object; what was deleted is forgotten once no proxy has it.
 */
export class Distribution {
  #epoch = 0;
  readonly #changes = new Map<string, number>();
  readonly #unconfirmed = new Map<string, ObjectKey>();
  readonly #deleted = new Set<string>();
  readonly #epochs = new WeakMap<ResourceMap, number>();
  readonly #built = new WeakMap<XdsSnapshot, number>();

  /** Of the mesh that was built last; 0 before the first. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The objects that are on their way, by `keyText`. */
  get unconfirmed(): ReadonlyMap<string, ObjectKey> {
    return this.#unconfirmed;
  }

  /** Objects changed; the next mesh has them as they are now. */
  noteChanged(keys: readonly ObjectKey[], isThere: (key: ObjectKey) => boolean): void {
    for (const key of keys) {
      const text = keyText(key);
      this.#changes.set(text, this.#epoch + 1);
      this.#unconfirmed.set(text, key);
      if (isThere(key)) this.#deleted.delete(text);
      else this.#deleted.add(text);
    }
  }

  /** A mesh with all changes so far has been built. */
  noteMesh(): void {
    this.#epoch += 1;
  }

  /** A proxy's configuration has been built from the mesh. */
  noteSnapshot(snapshot: XdsSnapshot): void {
    this.#built.set(snapshot, this.#epoch);
    for (const kind of RESOURCE_KINDS) {
      for (const layer of layersOf(snapshot.resources[kind])) {
        if (!this.#epochs.has(layer)) this.#epochs.set(layer, this.#epoch);
      }
    }
  }

  /** The mesh that a configuration was built from. */
  epochOf(snapshot: XdsSnapshot): number {
    return this.#built.get(snapshot) ?? 0;
  }

  /** How far everything has come at this moment. */
  look(clients: readonly DistributionClient[], nowMs: number): DistributionView {
    const view = new DistributionView({
      clients,
      nowMs,
      epoch: this.#epoch,
      changes: this.#changes,
      unconfirmed: this.#unconfirmed,
      epochOf: (layer) => this.#epochs.get(layer),
    });
    for (const [text, key] of this.#unconfirmed) {
      const { isBuilt, lacking } = view.of(key);
      if (!isBuilt || lacking !== NO_PROXIES) continue;
      this.#unconfirmed.delete(text);
      if (this.#deleted.delete(text)) this.#changes.delete(text);
    }
    return view;
  }
}
