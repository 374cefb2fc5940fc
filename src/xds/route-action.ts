import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RedirectAction_RedirectResponseCode,
  type RedirectActionSchema,
  type RouteAction_RequestMirrorPolicySchema,
  type RouteActionSchema,
  type RouteSchema,
  type WeightedCluster_ClusterWeightSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type {
  DirectResponse,
  ForwardAction,
  Mirror,
  RedirectAction,
  RouteAction,
  WeightedCluster,
} from "../model/route.ts";
import { hashPolicy } from "./hash-policy.ts";
import { headerFields } from "./header-operations.ts";
import { retryPolicy } from "./retry-policy.ts";
import { percent } from "./route-filter-config.ts";
import { duration } from "./wire.ts";

type RouteInit = Exclude<MessageInitShape<typeof RouteSchema>, { $typeName: string }>;

/** What a route does, on the wire. */
export function routeAction(action: RouteAction): NonNullable<RouteInit["action"]> {
  switch (action.type) {
    case "forward":
      return { case: "route", value: forwardAction(action) };
    case "redirect":
      return { case: "redirect", value: redirectAction(action) };
    case "direct-response":
      return { case: "directResponse", value: directResponse(action) };
  }
}

function forwardAction(action: ForwardAction): MessageInitShape<typeof RouteActionSchema> {
  const { clusters, timeoutMs, retry, rewrite, mirrors, hashKeys } = action;
  const timeout = duration(timeoutMs);
  return {
    clusterSpecifier: clusterSpecifier(clusters),
    timeout,
    // What gRPC clients ask for is bounded alike, and nothing is where the route has no timeout.
    maxGrpcTimeout: timeout,
    ...(retry !== undefined && { retryPolicy: retryPolicy(retry) }),
    ...(rewrite.path !== undefined && { prefixRewrite: rewrite.path }),
    ...(rewrite.pathRegex !== undefined && {
      regexRewrite: {
        pattern: { regex: rewrite.pathRegex.match },
        substitution: rewrite.pathRegex.replacement,
      },
    }),
    ...hostRewrite(action),
    requestMirrorPolicies: mirrors.map(mirrorPolicy),
    hashPolicy: hashKeys.map(hashPolicy),
  };
}

function clusterSpecifier(
  clusters: readonly WeightedCluster[],
): NonNullable<
  Exclude<MessageInitShape<typeof RouteActionSchema>, { $typeName: string }>["clusterSpecifier"]
> {
  const [first] = clusters;
  if (clusters.length === 1 && first !== undefined) return { case: "cluster", value: first.name };
  return { case: "weightedClusters", value: { clusters: clusters.map(clusterWeight) } };
}

function clusterWeight({
  name,
  weight,
  requestHeaders,
  responseHeaders,
  authority,
}: WeightedCluster): MessageInitShape<typeof WeightedCluster_ClusterWeightSchema> {
  return {
    name,
    weight,
    ...headerFields(requestHeaders, responseHeaders),
    ...(authority !== undefined && {
      hostRewriteSpecifier: { case: "hostRewriteLiteral", value: authority },
    }),
  };
}

function hostRewrite({
  rewrite: { authority },
  isHostOfUpstream,
}: ForwardAction): Pick<MessageInitShape<typeof RouteActionSchema>, "hostRewriteSpecifier"> {
  if (authority !== undefined) {
    return { hostRewriteSpecifier: { case: "hostRewriteLiteral", value: authority } };
  }
  if (!isHostOfUpstream) return {};
  return { hostRewriteSpecifier: { case: "autoHostRewrite", value: { value: true } } };
}

function mirrorPolicy({
  cluster,
  perMillion,
}: Mirror): MessageInitShape<typeof RouteAction_RequestMirrorPolicySchema> {
  return {
    cluster,
    runtimeFraction: { defaultValue: percent(perMillion) },
    // Copies are not part of what the client waits for, and would stand in its trace as if.
    traceSampled: false,
  };
}

const REDIRECT_CODES: Readonly<Record<number, RedirectAction_RedirectResponseCode>> = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};

function redirectAction({
  status,
  path,
  authority,
  scheme,
  port,
}: RedirectAction): MessageInitShape<typeof RedirectActionSchema> {
  const responseCode = REDIRECT_CODES[status];
  return {
    hostRedirect: authority ?? "",
    portRedirect: port ?? 0,
    ...(scheme !== undefined && {
      schemeRewriteSpecifier: { case: "schemeRedirect", value: scheme },
    }),
    ...(path !== undefined && {
      pathRewriteSpecifier: {
        case: path.kind === "prefix" ? "prefixRewrite" : "pathRedirect",
        value: path.value,
      },
    }),
    ...(responseCode !== undefined && { responseCode }),
  };
}

function directResponse({
  status,
  body,
}: DirectResponse): NonNullable<Extract<RouteInit["action"], { case: "directResponse" }>["value"]> {
  if (body === undefined) return { status };
  const specifier =
    "text" in body
      ? ({ case: "inlineString", value: body.text } as const)
      : ({
          case: "inlineBytes",
          value: new Uint8Array(Buffer.from(body.base64, "base64")),
        } as const);
  return { status, body: { specifier } };
}
