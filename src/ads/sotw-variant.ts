import type { XdsResource } from "../xds/snapshot.ts";
import { decodeSotwRequest } from "./discovery-request.ts";
import { resourceEntry } from "./resource-entry.ts";
import { type Offered, resourcesOf, selectionsOf, versionOf } from "./selection.ts";
import { isWholeState, type Subscription } from "./subscription.ts";
import type { ClientRequest, RespondOptions, ResponseDraft, Variant } from "./variant.ts";

/** The state of the world: every request names all that is wanted (xDS protocol, "Four Variants"). */
export const SOTW: Variant = {
  name: "sotw",
  isInOrder: true,
  decode: (bytes, sets) => {
    const decoded = decodeSotwRequest(bytes, sets);
    if (!decoded.ok) return decoded;
    const { names, versionInfo, ...common } = decoded.value;
    const ask: ClientRequest["ask"] = (subscription, isFirst) => {
      // An answer to an earlier response knows nothing of the latest one, and the answer to that
      // will repeat the names ("ACK and NACK": stale nonces are ignored).
      const { nonce } = common;
      if (nonce !== "" && !isFirst && nonce !== subscription.sent?.nonce) return NOTHING_ASKED;
      if (isFirst) subscription.heldVersion = versionInfo;
      const wasWildcard = subscription.isWildcard;
      const added = subscription.replaceNames(names, sets);
      // A new name is answered at once and in any case, be it that there is nothing to say: who
      // asks waits for it.
      const isDue = added.length > 0 || (subscription.isWildcard && !wasWildcard);
      return { isDue, added };
    };
    const request: ClientRequest = { ...common, isReturning: versionInfo !== "", ask };
    return { ok: true, value: request };
  },
  refusal: (kind) =>
    kind === "virtualHost"
      ? "virtual hosts are looked up on demand in the incremental variant alone: use api_type DELTA_GRPC"
      : undefined,
  respond,
};

const NOTHING_ASKED = { isDue: false, added: [] };

function respond(
  subscription: Subscription,
  offered: Offered,
  { isForced, atMs }: RespondOptions,
): ResponseDraft | undefined {
  if (subscription.isIdle) return undefined;
  const { kind, map } = offered;
  const { selector, sent, heldVersion } = subscription;
  const version = (): string => versionOf(offered, selector);
  if (sent === undefined && heldVersion !== "" && heldVersion === version()) {
    // Came back with what it is to have: sending it again would only make it work.
    subscription.resume(map, heldVersion, atMs);
    return undefined;
  }
  const { isAll, changed } = subscription.changesTo(map);
  const selections = isAll || isWholeState(kind) ? selectionsOf(offered, selector) : [];
  const picked = isAll ? [] : pick(offered, changed);
  const isAny = picked.length > 0 || (isAll && selections.some((one) => one.resources.length > 0));
  // The same version is not sent twice, above all not to a client that refused it.
  const isNews = isWholeState(kind) ? version() !== sent?.version : isAny;
  if (!isNews && !isForced) {
    subscription.moveTo(map);
    return undefined;
  }
  if (isWholeState(kind) || isAll) {
    const body = selections.flatMap((one) => one.body("any"));
    return {
      version: version(),
      body,
      removed: [],
      changed: isAll ? resourcesOf(selections) : picked,
    };
  }
  const body = picked.flatMap((one) => resourceEntry("any", kind, one, undefined));
  return { version: version(), body, removed: [], names: changed, changed: picked };
}

/** Those of an offer that have these names. */
export function pick({ map }: Offered, names: readonly string[]): readonly XdsResource[] {
  return names.flatMap((name) => map.get(name) ?? []);
}
