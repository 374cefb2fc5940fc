import type { MetadataValue } from "./match-request.ts";
import type { Route } from "./route.ts";

/** The part of a route's metadata that weft's own control plane writes. */
const NAMESPACE = "weft";
/** What may stand in RESPONSE_CODE_DETAILS as it is. */
const WORD = /^[\w.:-]{1,128}$/;

/**
 * Why a cluster that a route names is not there, where the control plane that wrote the route knew:
 * `host_not_found`, `subset_not_found`. It stands in the route's metadata at
 * `weft.missing[<cluster>]`, so that whoever reads the proxy's answer learns which reference of the
 * configuration leads nowhere. `undefined` where nothing is said, or nothing that could be logged.
 */
export function missingReference(metadata: Route["metadata"], cluster: string): string | undefined {
  const missing = member(metadata[NAMESPACE], "missing");
  const reason = member(missing, cluster);
  return typeof reason === "string" && WORD.test(reason) ? reason : undefined;
}

function member(value: MetadataValue | undefined, key: string): MetadataValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key)
    ? (value as { readonly [key: string]: MetadataValue })[key]
    : undefined;
}
