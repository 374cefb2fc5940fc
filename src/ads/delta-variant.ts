import type { XdsResource } from "../xds/snapshot.ts";
import { decodeDeltaRequest } from "./discovery-request.ts";
import { resourceEntry } from "./resource-entry.ts";
import { wireVersion } from "./resource-version.ts";
import { type Offered, resourcesOf, selectionsOf, versionOf } from "./selection.ts";
import { pick } from "./sotw-variant.ts";
import type { OfferChanges, Subscription } from "./subscription.ts";
import type { ClientRequest, RespondOptions, ResponseDraft, Variant } from "./variant.ts";

/** Incremental discovery: requests and responses say what is to change (xDS protocol, "Incremental xDS"). */
export const DELTA: Variant = {
  name: "delta",
  isInOrder: false,
  decode: (bytes, sets) => {
    const decoded = decodeDeltaRequest(bytes, sets);
    if (!decoded.ok) return decoded;
    const { subscribe, unsubscribe, initialVersions, ...common } = decoded.value;
    const ask: ClientRequest["ask"] = (subscription, isFirst) => {
      const wasWildcard = subscription.isWildcard;
      // The whole interest is said anew on every stream, so that only its first request can ask for
      // all without a word.
      const isSilent = isFirst && unsubscribe.length === 0;
      const isAny = subscribe.names.size > 0;
      if (isSilent || isAny) subscription.addNames(subscribe, sets, isFirst);
      if (unsubscribe.length > 0) subscription.removeNames(unsubscribe, sets);
      if (isFirst) subscription.held = initialVersions;
      const isDue =
        isAny || subscription.again.size > 0 || (subscription.isWildcard && !wasWildcard);
      return { isDue, added: [...subscribe.names] };
    };
    const request: ClientRequest = { ...common, isReturning: initialVersions.size > 0, ask };
    return { ok: true, value: request };
  },
  refusal: () => undefined,
  respond,
};

function respond(
  subscription: Subscription,
  offered: Offered,
  { isForced, atMs, keepsLost }: RespondOptions,
): ResponseDraft | undefined {
  if (subscription.isIdle) return undefined;
  const { selector, sent, held } = subscription;
  if (keepsLost) keepLost(subscription, offered);
  const given = subscription.changesTo(offered.map);
  const changes = given.isAll && held.size > 0 ? changesFrom(subscription, offered, given) : given;
  const { isAll, changed, gone } = changes;
  const version = (): string => versionOf(offered, selector);
  const selections = isAll ? selectionsOf(offered, selector) : [];
  const picked = isAll ? [] : pick(offered, changed);
  const isAny = picked.length > 0 || selections.some((one) => one.resources.length > 0);
  if (!isAny && gone.length === 0) {
    // Who asks for all of nothing is told so once: it may wait for it at its start.
    const isFirstOfNone = isForced && sent === undefined && held.size === 0;
    if (!isFirstOfNone) {
      if (sent === undefined) subscription.resume(offered.map, version(), atMs);
      else subscription.moveTo(offered.map);
      return undefined;
    }
  }
  const { kind, parents } = offered;
  const body = isAll
    ? selections.flatMap((one) => one.body("resource"))
    : picked.flatMap((one) => resourceEntry("resource", kind, one, parents.get(one.name)));
  return {
    version: version(),
    body,
    removed: gone,
    ...(!isAll && { names: [...changed, ...gone] }),
    changed: isAll ? resourcesOf(selections) : picked,
  };
}

/** Routes that a client has may still name clusters that are gone: those go when the routes are new. */
function keepLost(subscription: Subscription, { kind, map }: Offered): void {
  if (kind !== "cluster" && kind !== "endpoint") return;
  subscription.awaitNames([...subscription.held.keys()].filter((name) => !map.has(name)));
}

/** How an offer differs from what a client that came back says it has. */
function changesFrom(
  subscription: Subscription,
  offered: Offered,
  { gone }: OfferChanges,
): OfferChanges {
  const { held, again, selector } = subscription;
  const { map, parents } = offered;
  const changed = selectionsOf(offered, selector)
    .flatMap((one) => one.resources)
    .filter(
      (one) =>
        again.has(one.name) || held.get(one.name) !== wireVersion(one, parents.get(one.name)),
    )
    .map(({ name }: XdsResource) => name);
  const lost = [...held.keys()].filter(
    (name) => subscription.has(name) && !map.has(name) && !subscription.pending.has(name),
  );
  return { isAll: false, changed, gone: [...new Set([...gone, ...lost])] };
}
