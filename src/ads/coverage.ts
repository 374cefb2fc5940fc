/** What a client still owes an answer to, and what it has: pure questions about its subscriptions. */
import type { ResourceKind } from "../xds/snapshot.ts";
import { type Published, type PublishStage, SEND_ORDER } from "./publish-plan.ts";
import { XDS_SHORT_NAME } from "./short-name.ts";
import type { Subscription } from "./subscription.ts";

/** Which kind is asked for because of another, and stays unfinished without it. */
export const CHILD_KIND = { cluster: "endpoint", listener: "route" } as const;

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

/** What a step still waits for, in words for the log; nothing when it is done. */
export function missingAnswers(offer: Offer, stage: OpenStage): readonly string[] {
  const missing: string[] = [];
  for (const kind of SEND_ORDER) {
    if (stage.publish[kind] === undefined) continue;
    if (offer.due.has(kind)) missing.push(`${XDS_SHORT_NAME[kind]} not sent`);
    else if (offer.subscriptions.get(kind)?.isAwaited === true) {
      missing.push(`${XDS_SHORT_NAME[kind]} not acknowledged`);
    }
  }
  const routesOf = (name: string): readonly string[] =>
    offer.published.listener.get(name)?.references ?? [];
  missing.push(...uncovered(offer, "cluster", stage.changed.cluster, (name) => [name]));
  missing.push(...uncovered(offer, "listener", stage.changed.listener, routesOf));
  return missing;
}

/** Whether the client took a cluster, with its endpoints. */
export function hasCluster(offer: Offer, name: string): boolean {
  const { published, subscriptions, due } = offer;
  const clusters = subscriptions.get("cluster");
  if (clusters === undefined || clusters.isAwaited || due.has("cluster")) return false;
  if (isRefused(offer, "cluster")(name)) return false;
  if (!published.endpoint.has(name)) return true;
  const endpoints = subscriptions.get("endpoint");
  return endpoints?.isAwaited === false && endpoints.delivered.has(name);
}

/** The children of changed resources that the client has not asked for and got yet. */
function uncovered(
  offer: Offer,
  kind: "cluster" | "listener",
  changed: readonly string[],
  childrenOf: (name: string) => readonly string[],
): readonly string[] {
  const missing: string[] = [];
  const childKind = CHILD_KIND[kind];
  const children = offer.subscriptions.get(childKind);
  // What is refused, its children will never be asked for.
  const skip = isRefused(offer, kind);
  for (const name of changed) {
    for (const child of skip(name) ? [] : childrenOf(name)) {
      const resource = offer.published[childKind].get(child);
      if (resource === undefined) continue;
      if (children?.delivered.get(child) === resource.version && !children.isAwaited) continue;
      missing.push(`${XDS_SHORT_NAME[childKind]} ${child}`);
    }
  }
  return missing;
}

/**
 * Which resources the client refused in the latest response. Envoy names them and takes the
 * others; a refusal that names none of them may mean any.
 */
function isRefused(
  { subscriptions, published }: Offer,
  kind: "cluster" | "listener",
): (name: string) => boolean {
  const { sent, nacked } = subscriptions.get(kind) ?? {};
  if (sent === undefined || nacked === undefined || nacked.nonce !== sent.nonce) return () => false;
  const { message } = nacked;
  const isAnyNamed = [...published[kind].keys()].some((name) => isMentioned(name, message));
  return isAnyNamed ? (name) => isMentioned(name, message) : () => true;
}

/** Whether a client's words name a resource, and not one whose longer name begins or ends alike. */
export function isMentioned(name: string, message: string): boolean {
  for (let at = message.indexOf(name); at !== -1; at = message.indexOf(name, at + 1)) {
    const [before, after] = [message[at - 1] ?? " ", message[at + name.length] ?? " "];
    if (!/[\w|-]/.test(before) && !/[\w|-]/.test(after)) return true;
  }
  return false;
}
