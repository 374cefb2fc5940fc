/**
 * What a client is to have of a kind, found and encoded once for all who ask for the same of the
 * same layers.
 */
import { memoise } from "../base/memo.ts";
import { PatchedMap } from "../base/patched-map.ts";
import { layeredMap, layersOf, type ResourceMap } from "../xds/resource-map.ts";
import type { ResourceKind, XdsResource } from "../xds/snapshot.ts";
import { JoinedBodies, joinPieces } from "./joined-bodies.ts";
import type { NameSet } from "./name-sets.ts";
import type { Published } from "./publish-plan.ts";
import { type EntryForm, resourceEntry } from "./resource-entry.ts";
import { resourceDigest, stateVersion } from "./resource-version.ts";

/** Resources of one kind that are handed out, with those that they belong to. */
export interface Offered {
  readonly kind: ResourceKind;
  readonly map: ResourceMap;
  /** By the same names: of endpoints their clusters, otherwise nothing. */
  readonly parents: ResourceMap;
}

const NO_PARENTS: ResourceMap = new Map();

/** What is handed out of a kind. */
export function offeredOf(kind: ResourceKind, published: Published): Offered {
  const parents = kind === "endpoint" ? published.cluster : NO_PARENTS;
  return { kind, map: published[kind], parents };
}

/** Those resources of one layer that some names select, in the layer's order. */
class Selection {
  readonly digest: bigint;
  readonly #layer: ResourceMap;
  readonly #names: NameSet | undefined;
  #resources: readonly XdsResource[] | undefined;
  readonly #kind: ResourceKind;
  readonly #parents: ResourceMap;
  readonly #bodies = new Map<EntryForm, readonly Uint8Array[] | undefined>();

  constructor(
    layer: ResourceMap,
    parents: ResourceMap,
    names: NameSet | undefined,
    kind: ResourceKind,
  ) {
    this.#kind = kind;
    this.#parents = parents;
    this.#layer = layer;
    this.#names = names;
    this.digest = digestOf(layer, parents, names);
  }

  /** Walked when they are asked for: of what changes little, mostly nobody does. */
  get resources(): readonly XdsResource[] {
    this.#resources ??= selectFrom(this.#layer, this.#names);
    return this.#resources;
  }

  /**
   * What is selected, in pieces that stand one after the other. Mostly for nobody or for many: from
   * the second time on those that are small are put together, and kept while there is room.
   */
  body(form: EntryForm): readonly Uint8Array[] {
    const known = this.#bodies.get(form);
    if (known !== undefined) return known;
    const pieces = this.resources.flatMap((one) =>
      resourceEntry(form, this.#kind, one, this.#parents.get(one.name)),
    );
    if (!this.#bodies.has(form)) {
      this.#bodies.set(form, undefined);
      return pieces;
    }
    const joined = joinPieces(pieces);
    this.#bodies.set(form, joined.pieces);
    joinedBodies.keep(this, joined.copied);
    return joined.pieces;
  }

  /** Gives up what was put together; it would be done again if somebody asked. */
  forgetJoined(): void {
    for (const form of this.#bodies.keys()) this.#bodies.set(form, undefined);
  }
}

/** What selections put together and keep. */
export const joinedBodies = new JoinedBodies();

/** The digest of what is selected; of a patched layer, from that of its base. */
const digestOf = memoise(
  (layer: ResourceMap, parents: ResourceMap, names: NameSet | undefined): bigint => {
    let digest = 0n;
    if (!(layer instanceof PatchedMap)) {
      for (const one of selectFrom(layer, names))
        digest ^= resourceDigest(one, parents.get(one.name));
      return digest;
    }
    const { base, patch } = layer as PatchedMap<XdsResource>;
    digest = digestOf(base, parents, names);
    for (const [name, after] of patch) {
      if (names !== undefined && !names.names.has(name)) continue;
      for (const one of [base.get(name), after]) {
        if (one !== undefined) digest ^= resourceDigest(one, parents.get(name));
      }
    }
    return digest;
  },
);

function selectFrom(layer: ResourceMap, names: NameSet | undefined): readonly XdsResource[] {
  if (names === undefined) return [...layer.values()];
  const selected: XdsResource[] = [];
  if (layer.size < names.names.size) {
    for (const [name, resource] of layer) if (names.names.has(name)) selected.push(resource);
    return selected;
  }
  for (const name of names.names) {
    const resource = layer.get(name);
    if (resource !== undefined) selected.push(resource);
  }
  return selected;
}

const selectionOf = memoise(
  (layer: ResourceMap, parents: ResourceMap, names: NameSet | undefined, kind: ResourceKind) =>
    new Selection(layer, parents, names, kind),
);

/** The clusters of a proxy alone have no endpoints here: without them many share the same parents. */
const parentsOf = memoise((layer: ResourceMap, parents: ResourceMap): ResourceMap => {
  const shares = (other: ResourceMap): boolean => {
    const [small, large] = other.size < layer.size ? [other, layer] : [layer, other];
    for (const name of small.keys()) if (large.has(name)) return true;
    return false;
  };
  return layeredMap(...layersOf(parents).filter(shares));
});

/** What is selected of an offer, by layer; `names` absent: all of it. */
export function selectionsOf(
  { kind, map, parents }: Offered,
  names: NameSet | undefined,
): readonly Selection[] {
  const layers = layersOf(map);
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  // Where one layer hides a name of another they have to be taken as one.
  const apart = size === map.size ? layers : [map];
  return apart.map((layer) => selectionOf(layer, parentsOf(layer, parents), names, kind));
}

/** All that is selected, walked as it is asked for: mostly nobody does. */
export function resourcesOf(selections: readonly Selection[]): Iterable<XdsResource> {
  return {
    *[Symbol.iterator]() {
      for (const { resources } of selections) yield* resources;
    },
  };
}

/** The version of all that is selected. */
export function versionOf(offered: Offered, names: NameSet | undefined): string {
  let digest = 0n;
  for (const selection of selectionsOf(offered, names)) digest ^= selection.digest;
  return stateVersion(digest);
}
