/** What a client still owes an answer to, and what it has: pure questions about its subscriptions. */
import type { ResourceKind } from "../xds/snapshot.ts";
import { type Published, type PublishStage, SEND_ORDER } from "./publish-plan.ts";
import { XDS_SHORT_NAME } from "./short-name.ts";
import type { Subscription } from "./subscription.ts";

/** Which kind is asked for because of another, and stays unfinished without it. */
export const CHILD_KIND = { cluster: "endpoint", listener: "route", route: "virtualHost" } as const;

/** What a client is offered and what it asked for. */
export interface Offer {
  readonly published: Published;
  readonly subscriptions: ReadonlyMap<ResourceKind, Subscription>;
  /** Kinds whose response is not written yet. */
  readonly due: ReadonlyMap<ResourceKind, boolean>;
}

/** A step that is under way. */
export interface OpenStage extends PublishStage {
  /** What it added or changed, among what the client is subscribed to. */
  readonly changed: { readonly cluster: readonly string[]; readonly listener: readonly string[] };
}

/** What a step still waits for, in words for the log, found as it is asked for; nothing when it is done. */
export function* missingAnswers(offer: Offer, stage: OpenStage): Generator<string, void> {
  for (const kind of SEND_ORDER) {
    if (stage.publish[kind] === undefined) continue;
    if (offer.due.has(kind)) yield `${XDS_SHORT_NAME[kind]} not sent`;
    else if (offer.subscriptions.get(kind)?.isAwaited === true) {
      yield `${XDS_SHORT_NAME[kind]} not acknowledged`;
    }
  }
  const routesOf = (name: string): readonly string[] =>
    offer.published.listener.get(name)?.references ?? [];
  yield* uncovered(offer, "cluster", stage.changed.cluster, (name) => [name]);
  yield* uncovered(offer, "listener", stage.changed.listener, routesOf);
}

/** Whether the client took a cluster, with its endpoints. */
export function hasCluster(offer: Offer, name: string): boolean {
  const { published, subscriptions, due } = offer;
  const clusters = subscriptions.get("cluster");
  if (clusters === undefined || clusters.isAwaited || due.has("cluster")) return false;
  if (clusters.isRefused(name)) return false;
  if (!published.endpoint.has(name)) return true;
  const endpoints = subscriptions.get("endpoint");
  return endpoints?.isAwaited === false && endpoints.wasGiven(name);
}

/** The children of changed resources that the client has not asked for and got yet. */
function* uncovered(
  offer: Offer,
  kind: "cluster" | "listener",
  changed: readonly string[],
  childrenOf: (name: string) => readonly string[],
): Generator<string, void> {
  const childKind = CHILD_KIND[kind];
  const parents = offer.subscriptions.get(kind);
  const children = offer.subscriptions.get(childKind);
  for (const name of changed) {
    // What is refused, its children will never be asked for.
    if (parents?.isRefused(name) === true) continue;
    for (const child of childrenOf(name)) {
      const resource = offer.published[childKind].get(child);
      if (resource === undefined) continue;
      if (children?.isAwaited === false && children.wasGiven(child, resource.version)) continue;
      yield `${XDS_SHORT_NAME[childKind]} ${child}`;
    }
  }
}
