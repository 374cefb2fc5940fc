/**
 * What a client is to have of a kind, found and encoded once for all who ask for the same of the
 * same layers.
 */
import { memoise } from "../base/memo.ts";
import { layeredMap, layersOf, type ResourceMap } from "../xds/resource-map.ts";
import type { ResourceKind, XdsResource } from "../xds/snapshot.ts";
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
  readonly resources: readonly XdsResource[];
  readonly #kind: ResourceKind;
  readonly #parents: ResourceMap;
  readonly #bodies = new Map<EntryForm, Uint8Array | undefined>();

  constructor(
    layer: ResourceMap,
    parents: ResourceMap,
    names: NameSet | undefined,
    kind: ResourceKind,
  ) {
    this.#kind = kind;
    this.#parents = parents;
    this.resources = selectFrom(layer, names);
    let digest = 0n;
    for (const one of this.resources) digest ^= resourceDigest(one, parents.get(one.name));
    this.digest = digest;
  }

  /** Kept from the second time on: mostly for nobody or for many. */
  body(form: EntryForm): Uint8Array {
    const known = this.#bodies.get(form);
    if (known !== undefined) return known;
    const body = Buffer.concat(
      this.resources.map((one) =>
        resourceEntry(form, this.#kind, one, this.#parents.get(one.name)),
      ),
    );
    this.#bodies.set(form, this.#bodies.has(form) ? body : undefined);
    return body;
  }
}

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

/** The version of all that is selected. */
export function versionOf(offered: Offered, names: NameSet | undefined): string {
  let digest = 0n;
  for (const selection of selectionsOf(offered, names)) digest ^= selection.digest;
  return stateVersion(digest);
}
