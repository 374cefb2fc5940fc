import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type RetryPolicySchema,
  type RouteActionSchema,
  type RouteSchema,
  VirtualHostSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { PreviousHostsPredicateSchema } from "../api/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { encodeMessage, packAny } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import type { Origin } from "../model/origin.ts";
import {
  clustersOf,
  type ForwardAction,
  type Route,
  type RouteAction,
  type VirtualHost,
} from "../model/route.ts";
import { buildMetadata, istioConfigPath } from "./metadata.ts";
import { routeMatch } from "./route-match.ts";
import { ZERO } from "./wire.ts";

/** Istio's default: what failed before it reached an app is tried again, elsewhere. */
const RETRY_POLICY: MessageInitShape<typeof RetryPolicySchema> = {
  retryOn: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
  numRetries: 2,
  retryHostPredicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      configType: {
        case: "typedConfig",
        value: packAny(PreviousHostsPredicateSchema, create(PreviousHostsPredicateSchema)),
      },
    },
  ],
  hostSelectionRetryMaxAttempts: 5n,
};

/** A virtual host as it stands inside a route configuration. */
export interface EncodedVirtualHost {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly origins: readonly Origin[];
  /** The clusters that it names. */
  readonly clusters: readonly string[];
}

/** Encodes a virtual host; once for as long as it stays the same, for all proxies that have it. */
export const encodeVirtualHost = memoise(
  ({ name, domains, routes }: VirtualHost): EncodedVirtualHost => {
    const message = create(VirtualHostSchema, virtualHostMessage({ name, domains, routes }));
    return {
      name,
      bytes: encodeMessage(VirtualHostSchema, message),
      origins: routes.flatMap(({ origin }) => origin ?? []),
      clusters: routes.flatMap(clustersOf),
    };
  },
);

/** A virtual host on the wire. */
export function virtualHostMessage({
  name,
  domains,
  routes,
}: VirtualHost): MessageInitShape<typeof VirtualHostSchema> {
  return {
    name,
    domains: [...domains],
    routes: routes.map(routeMessage),
    includeRequestAttemptCount: true,
  };
}

function routeMessage(route: Route): MessageInitShape<typeof RouteSchema> {
  const { name, match, operation, origin } = route;
  const isDefault = origin === undefined || origin.key.kind === "Service";
  const istio = isDefault ? {} : { config: istioConfigPath(origin.key) };
  return {
    name,
    match: routeMatch(match),
    action: routeAction(route.action),
    ...(operation !== "" && { decorator: { operation } }),
    ...(origin !== undefined && { metadata: buildMetadata([origin], istio) }),
  };
}

function routeAction(
  action: RouteAction,
): NonNullable<MessageInitShape<typeof RouteSchema>["action"]> {
  switch (action.type) {
    case "forward":
      return { case: "route", value: forwardAction(action) };
    case "redirect":
      return { case: "redirect", value: {} };
    case "direct-response":
      return { case: "directResponse", value: { status: action.status } };
  }
}

function forwardAction({
  clusters,
  retry,
}: ForwardAction): MessageInitShape<typeof RouteActionSchema> {
  const [first] = clusters;
  const isOne = clusters.length === 1 && first !== undefined;
  return {
    clusterSpecifier: isOne
      ? { case: "cluster", value: first.name }
      : {
          case: "weightedClusters",
          value: { clusters: clusters.map(({ name, weight }) => ({ name, weight })) },
        },
    timeout: ZERO,
    ...(retry !== undefined && { maxGrpcTimeout: ZERO, retryPolicy: RETRY_POLICY }),
  };
}
