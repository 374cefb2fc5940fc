/**
 * The order in which one snapshot replaces another (make before break).
 *
 * A route may only name a cluster that the proxy has, with its endpoints, so clusters are added
 * first and taken away last. Between the steps the proxy has to acknowledge.
 */
import { memoise } from "../base/memo.ts";
import {
  layeredMap,
  layersOf,
  namesToCompare,
  type ResourceMap,
  resourceChanges,
} from "../xds/resource-map.ts";
import { RESOURCE_KINDS, type ResourceKind } from "../xds/snapshot.ts";
import { keepServing } from "./keep-serving.ts";

/** What is handed out at one moment, by kind. */
export type Published = Readonly<Record<ResourceKind, ResourceMap>>;

/** One step: what it hands out from its start on. */
export interface PublishStage {
  /** `make` adds clusters and endpoints, `switch` moves listeners and routes, `break` removes. */
  readonly step: "make" | "switch" | "break";
  readonly publish: Partial<Published>;
  /** Wait for all of it, not only for what differs from what was handed out before. */
  readonly isAllNew?: boolean;
}

/** Nothing handed out. */
export const NOTHING_PUBLISHED: Published = {
  cluster: new Map(),
  endpoint: new Map(),
  listener: new Map(),
  route: new Map(),
  virtualHost: new Map(),
};

/** The order of kinds within a step: what is named goes before what names it. */
export const SEND_ORDER: readonly ResourceKind[] = RESOURCE_KINDS;

/**
 * The steps from what a proxy has been offered to what it is to have; none when both are the same.
 *
 * With `mayLack`, it is not known how much of what was offered has arrived, so every step is taken.
 *
 * While routes move, every old cluster stays, not only those that a route still names: a listener
 * may name clusters without a route, and one that is kept a moment too long harms nobody. Nor does
 * a cluster lose its last endpoint meanwhile.
 */
export function planStages(
  published: Published,
  next: Published,
  { mayLack = false }: { readonly mayLack?: boolean } = {},
): readonly PublishStage[] {
  const stages: PublishStage[] = [];
  const isAllNew = mayLack;
  const cluster = union(next.cluster, published.cluster);
  const { listener, route, virtualHost } = next;
  const isSwitch =
    mayLack ||
    !isSame(listener, published.listener) ||
    !isSame(route, published.route) ||
    !isSame(virtualHost, published.virtualHost);
  const all = union(next.endpoint, published.endpoint);
  const endpoint = isSwitch ? keepServing(all, published.endpoint) : all;
  if (mayLack || !isSame(cluster, published.cluster) || !isSame(endpoint, published.endpoint)) {
    stages.push({ step: "make", publish: { cluster, endpoint }, isAllNew });
  }
  if (isSwitch) {
    stages.push({ step: "switch", publish: { listener, route, virtualHost }, isAllNew });
  }
  if (!isSame(next.cluster, cluster) || !isSame(next.endpoint, endpoint)) {
    stages.push({ step: "break", publish: { cluster: next.cluster, endpoint: next.endpoint } });
  }
  return stages;
}

/** Whether two maps hold the same names in the same versions. */
export function isSame(left: ResourceMap, right: ResourceMap): boolean {
  if (left === right) return true;
  if (left.size !== right.size) return false;
  const { changed, removed } = resourceChanges(left, right);
  return changed.size === 0 && removed.size === 0;
}

/** All of `first`, and of `second` what only it has. */
function union(first: ResourceMap, second: ResourceMap): ResourceMap {
  if (first === second) return first;
  const layers = layersOf(first);
  const extra = layersOf(second).map((layer, index) => {
    const lacking = lackingIn(layers[index] ?? NONE, layer);
    // What is in another layer now is no longer lacking.
    const kept = [...lacking].filter(([name]) => !first.has(name));
    return kept.length === lacking.size ? lacking : new Map(kept);
  });
  return layeredMap(...layers, ...extra);
}

const NONE: ResourceMap = new Map();

/** What only the other layer has, found once for all proxies that have both. */
const lackingIn = memoise((layer: ResourceMap, other: ResourceMap): ResourceMap => {
  if (layer === other) return NONE;
  const names = namesToCompare(layer, other);
  const lacking =
    names === undefined ? [...other.keys()] : [...names].filter((one) => other.has(one));
  return new Map(
    lacking.flatMap((name) => {
      const resource = layer.has(name) ? undefined : other.get(name);
      return resource === undefined ? [] : [[name, resource]];
    }),
  );
});
