import { type Kind } from "../../config/kind.ts";
import { findKind } from "../../config/kinds.ts";
import type { KubernetesKind } from "../kubernetes-source.ts";

/** Completed Pods have no address of their own any more; jobs leave thousands behind. */
const PODS_THAT_RUN = "status.phase!=Succeeded,status.phase!=Failed";

/** Kubernetes keeps slices of what its own controller writes here, and of what people do too. */
const ENDPOINTS_BY_HAND = "endpoints.kubernetes.io/managed-by!=endpoint-controller";

/** Which of a kind's objects are asked for. */
export interface FollowedKind {
  readonly kind: Kind;
  /** The namespace that is asked alone; absent: all. */
  readonly namespace?: string;
  readonly query: Readonly<Record<string, string>>;
}

/** What to ask for of a kind: no more of it than is needed. Throws when weft has no such kind. */
export function followedKind(asked: KubernetesKind): FollowedKind {
  const { group, kind: name, namespace, objectName } = asked;
  const kind = findKind(group, name);
  if (kind === undefined) throw new Error(`weft has no kind "${name}" in group "${group}"`);
  const query: Record<string, string> = {};
  if (objectName !== undefined) query["fieldSelector"] = `metadata.name=${objectName}`;
  else if (group === "" && name === "Pod") query["fieldSelector"] = PODS_THAT_RUN;
  else if (group === "" && name === "Endpoints") query["labelSelector"] = ENDPOINTS_BY_HAND;
  return { kind, query, ...(namespace !== undefined && { namespace }) };
}

/** `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL`, and of one object its name behind that. */
export function pathOf(
  { group, plural }: Pick<Kind, "group" | "plural">,
  version: string,
  namespace: string | undefined,
  name?: string,
): string {
  const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const inside = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const one = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${base}${inside}/${plural}${one}`;
}

/** How RBAC rules and people name a kind: `pods`, `virtualservices.networking.istio.io`. */
export function resourceOf({ group, plural }: Pick<Kind, "group" | "plural">): string {
  return group === "" ? plural : `${plural}.${group}`;
}
