import {
  type DirectResponseAction,
  DirectResponseActionSchema,
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  RedirectActionSchema,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type RedirectAction as RedirectMessage,
  RouteAction_MaxStreamDurationSchema,
  type RouteAction as RouteActionMessage,
  RouteActionSchema,
  type WeightedCluster,
  WeightedCluster_ClusterWeightSchema,
  WeightedClusterSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import type { Prng } from "../base/prng.ts";
import { durationMs } from "./duration-ms.ts";
import type { MatchRequest } from "./match-request.ts";
import type { PathMatch } from "./path-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { decodeRetryPolicy, type RetryPolicy } from "./retry-policy.ts";
import type { ClusterAction, DirectAction, RedirectAction } from "./route.ts";
import { wireText } from "./wire-text.ts";

/** The largest uint32. */
const WEIGHTS_MAX = 4_294_967_295;
/** Of the body of a direct response, in bytes; as Envoy has it unless told otherwise. */
const DIRECT_BODY_MAX = 4096;

/** Envoy's timeout of a route that names none. */
const TIMEOUT_MS_DEFAULT = 15_000;

const NOT_FOUND_STATUS: Readonly<Record<NotFoundCode, number>> = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503,
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
};

const REDIRECT_STATUS: Readonly<Record<RedirectCode, number>> = {
  [RedirectCode.MOVED_PERMANENTLY]: 301,
  [RedirectCode.FOUND]: 302,
  [RedirectCode.SEE_OTHER]: 303,
  [RedirectCode.TEMPORARY_REDIRECT]: 307,
  [RedirectCode.PERMANENT_REDIRECT]: 308,
};

const CLUSTER_FIELDS = [
  "cluster",
  "weighted_clusters",
  "cluster_not_found_response_code",
  "prefix_rewrite",
  "host_rewrite_literal",
  "timeout",
  "idle_timeout",
  "retry_policy",
  // Bounds what a gRPC client may ask for; only read with `max_stream_duration`'s own field, and
  // checked to be zero, which means "as the client asks".
  "max_grpc_timeout",
  "max_stream_duration",
];

/** What a decoder of an action needs to know of its route. */
export interface ActionContext {
  readonly pathMatch: PathMatch;
  /** Of the virtual host; the route's own comes first. */
  readonly retryPolicy: RetryPolicy | undefined;
  readonly path: string;
  readonly issues: Issue[];
}

/** Decodes the action that sends a request on. */
export function decodeClusterAction(
  message: RouteActionMessage,
  { pathMatch, retryPolicy, path, issues }: ActionContext,
): ClusterAction {
  issues.push(...refuseFields(RouteActionSchema, message, CLUSTER_FIELDS, path));
  refuseStreamDuration(message, path, issues);
  const prefixRewrite = wireText(message.prefixRewrite);
  const { hostRewriteSpecifier } = message;
  return {
    kind: "cluster",
    ...decodeClusters(message, path, issues),
    notFoundStatus: NOT_FOUND_STATUS[message.clusterNotFoundResponseCode] ?? 503,
    timeoutMs: durationMs(message.timeout) ?? TIMEOUT_MS_DEFAULT,
    idleTimeoutMs: durationMs(message.idleTimeout),
    retryPolicy:
      message.retryPolicy === undefined
        ? retryPolicy
        : decodeRetryPolicy(message.retryPolicy, joinPath(path, "retry_policy"), issues),
    rewritePath:
      prefixRewrite === ""
        ? undefined
        : (from) => prefixRewrite + from.substring(pathMatch.matchedLength(from)),
    hostRewrite:
      hostRewriteSpecifier.case === "hostRewriteLiteral"
        ? wireText(hostRewriteSpecifier.value)
        : "",
  };
}

/** Zero is "no limit", which is how it is without the field; anything else is not built. */
function refuseStreamDuration(message: RouteActionMessage, path: string, issues: Issue[]): void {
  const refuse = (field: string): void => {
    issues.push({
      path: joinPath(path, field),
      message: "is not supported yet, unless it is zero",
    });
  };
  if (durationMs(message.maxGrpcTimeout) ?? 0) refuse("max_grpc_timeout");
  const limits = message.maxStreamDuration;
  if (limits === undefined) return;
  const at = joinPath(path, "max_stream_duration");
  const handled = ["max_stream_duration", "grpc_timeout_header_max"];
  issues.push(...refuseFields(RouteAction_MaxStreamDurationSchema, limits, handled, at));
  if (durationMs(limits.maxStreamDuration) ?? 0) {
    refuse("max_stream_duration.max_stream_duration");
  }
  if (durationMs(limits.grpcTimeoutHeaderMax) ?? 0) {
    refuse("max_stream_duration.grpc_timeout_header_max");
  }
}

function decodeClusters(
  message: RouteActionMessage,
  path: string,
  issues: Issue[],
): Pick<ClusterAction, "clusterNames" | "chooseCluster"> {
  const { clusterSpecifier: specifier } = message;
  if (specifier.case === "cluster") {
    const name = specifier.value;
    if (name === "") issues.push({ path: joinPath(path, "cluster"), message: "is empty" });
    return { clusterNames: [name], chooseCluster: () => name };
  }
  if (specifier.case === "weightedClusters") {
    return decodeWeighted(specifier.value, joinPath(path, "weighted_clusters"), issues);
  }
  // Another specifier was refused by name with the fields.
  if (specifier.case === undefined) issues.push({ path, message: "names no cluster" });
  return { clusterNames: [], chooseCluster: () => "" };
}

function decodeWeighted(
  message: WeightedCluster,
  path: string,
  issues: Issue[],
): Pick<ClusterAction, "clusterNames" | "chooseCluster"> {
  // Without a runtime layer the key prefix changes nothing. `total_weight` is checked by Envoy
  // against nothing any more: the sum of the weights counts.
  const handled = ["clusters", "runtime_key_prefix", "total_weight"];
  issues.push(...refuseFields(WeightedClusterSchema, message, handled, path));
  const ends: number[] = [];
  const names: string[] = [];
  let total = 0;
  for (const [at, cluster] of message.clusters.entries()) {
    const clusterPath = joinPath(path, `clusters[${at}]`);
    const fields = ["name", "weight"];
    issues.push(...refuseFields(WeightedCluster_ClusterWeightSchema, cluster, fields, clusterPath));
    if (cluster.name === "") issues.push({ path: clusterPath, message: "has no name" });
    total += cluster.weight ?? 0;
    ends.push(total);
    names.push(cluster.name);
  }
  if (total > WEIGHTS_MAX) {
    issues.push({ path, message: `sum of the weights exceeds ${WEIGHTS_MAX}` });
  }
  if (total === 0)
    issues.push({
      path,
      message: "sum of weights in the weighted_cluster must be greater than 0.",
    });
  return { clusterNames: names, chooseCluster: (prng) => chooseWeighted(names, ends, total, prng) };
}

/** One of `names`, each as likely as its share of `total`; `ends` are the running sums. */
export function chooseWeighted(
  names: readonly string[],
  ends: readonly number[],
  total: number,
  prng: Prng,
): string {
  const drawn = prng.next() * total;
  for (let at = 0; at < ends.length; at++) {
    if (drawn < (ends[at] ?? 0)) return names[at] ?? "";
  }
  return names[names.length - 1] ?? "";
}

/** Decodes the action that answers by itself. */
export function decodeDirectAction(
  message: DirectResponseAction,
  path: string,
  issues: Issue[],
): DirectAction {
  issues.push(...refuseFields(DirectResponseActionSchema, message, ["status", "body"], path));
  if (message.status < 200 || message.status >= 600) {
    const what = `${message.status} is not between 200 and 599`;
    issues.push({ path: joinPath(path, "status"), message: what });
  }
  const body = decodeBody(message, path, issues);
  if (body.length > DIRECT_BODY_MAX) {
    const what = `response body size is ${body.length} bytes; maximum is ${DIRECT_BODY_MAX}`;
    issues.push({ path: joinPath(path, "body"), message: what });
  }
  return { kind: "direct", status: message.status, body };
}

function decodeBody(message: DirectResponseAction, path: string, issues: Issue[]): string {
  const source = message.body?.specifier;
  if (source === undefined || source.case === undefined) return "";
  if (source.case === "inlineString") return wireText(source.value);
  if (source.case === "inlineBytes") return Buffer.from(source.value).toString("latin1");
  const what = `source "${source.case}" is not supported yet`;
  issues.push({ path: joinPath(path, "body"), message: what });
  return "";
}

const REDIRECT_FIELDS = [
  "https_redirect",
  "scheme_redirect",
  "host_redirect",
  "port_redirect",
  "path_redirect",
  "prefix_rewrite",
  "response_code",
  "strip_query",
];

/** Decodes the action that sends the client elsewhere. */
export function decodeRedirectAction(
  message: RedirectMessage,
  { pathMatch, path, issues }: ActionContext,
): RedirectAction {
  issues.push(...refuseFields(RedirectActionSchema, message, REDIRECT_FIELDS, path));
  const { schemeRewriteSpecifier: scheme, portRedirect } = message;
  const hostRedirect = wireText(message.hostRedirect);
  return {
    kind: "redirect",
    status: REDIRECT_STATUS[message.responseCode] ?? 301,
    location: (request) => {
      let newScheme = request.scheme;
      if (scheme.case === "httpsRedirect" && scheme.value) newScheme = "https";
      if (scheme.case === "schemeRedirect") newScheme = scheme.value || newScheme;
      const host = redirectHost(request, { newScheme, hostRedirect, portRedirect });
      return `${newScheme}://${host}${redirectPath(message, pathMatch, request.path)}`;
    },
  };
}

function redirectHost(
  request: MatchRequest,
  to: { newScheme: string; hostRedirect: string; portRedirect: number },
): string {
  if (to.portRedirect !== 0) {
    return `${to.hostRedirect || request.authority.replace(/:\d+$/, "")}:${to.portRedirect}`;
  }
  if (to.hostRedirect !== "") return to.hostRedirect;
  // The port that went with the old scheme by default would be wrong with the new one.
  const oldPort = request.scheme === "http" ? /:80$/ : /:443$/;
  if (to.newScheme === request.scheme) return request.authority;
  return request.authority.replace(oldPort, "");
}

function redirectPath(message: RedirectMessage, pathMatch: PathMatch, from: string): string {
  const query = from.indexOf("?");
  const kept = message.stripQuery || query === -1 ? "" : from.substring(query);
  const bare = query === -1 ? from : from.substring(0, query);
  const { pathRewriteSpecifier: rewrite } = message;
  if (rewrite.case === "regexRewrite" || rewrite.value === undefined || rewrite.value === "") {
    return bare + kept;
  }
  const to = wireText(rewrite.value);
  if (rewrite.case === "pathRedirect") return to.includes("?") ? to : to + kept;
  return to + bare.substring(pathMatch.matchedLength(bare)) + kept;
}
