import { missingReference } from "../../match/missing-reference.ts";
import type {
  ClusterAction,
  ClusterChoice,
  DirectAction,
  RedirectAction,
} from "../../match/route.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { OverrideHost } from "../http/filter-notes.ts";
import type { FilterStream } from "../http/http-filter.ts";
import { clusterNotFound, type LocalReply, NO_HEALTHY_UPSTREAM } from "../http/local-reply.ts";

/** The answer of a route that needs no upstream. */
export function answerRoute(
  action: DirectAction | RedirectAction,
  stream: FilterStream,
): LocalReply {
  const { status } = action;
  const details = "direct_response";
  if (action.kind === "redirect") {
    // For Envoy a CONNECT, which has no path, cannot be sent anywhere.
    const headers = stream.path === "" ? [] : ["location", action.location(stream)];
    return { status, body: "", flag: "", details, headers };
  }
  const reply: LocalReply = { status, body: action.body, flag: "", details };
  // Where what was made, or what moved, is to be found (RFC 9110 10.2.2).
  if (status !== 201 && Math.floor(status / 100) !== 3) return reply;
  const { scheme, authority, path } = stream;
  return { ...reply, headers: ["location", `${scheme}://${authority}${path}`] };
}

/** The answer to a request whose cluster is not there, with the reason where the route knows it. */
export function answerMissing(
  { notFoundStatus }: ClusterAction,
  { name }: ClusterChoice,
  { route }: FilterStream,
): LocalReply {
  return clusterNotFound(notFoundStatus, route && missingReference(route.metadata, name));
}

/** The answer where a cluster has no host for a request. */
export function noHost({ config }: Cluster, wanted: OverrideHost | undefined): LocalReply {
  if (wanted?.isStrict === true) {
    return { ...NO_HEALTHY_UPSTREAM, status: wanted.missingStatus };
  }
  if (config.dnsCache === undefined) return NO_HEALTHY_UPSTREAM;
  return { ...NO_HEALTHY_UPSTREAM, details: "dns_resolution_failure" };
}
