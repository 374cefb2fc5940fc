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
import type { Route, VirtualHost } from "../model/route.ts";
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
    const message = create(VirtualHostSchema, {
      name,
      domains: [...domains],
      routes: routes.map(routeMessage),
      includeRequestAttemptCount: true,
    });
    return {
      name,
      bytes: encodeMessage(VirtualHostSchema, message),
      origins: routes.map(({ origin }) => origin),
      clusters: routes.flatMap(({ clusters }) => clusters.map((cluster) => cluster.name)),
    };
  },
);

function routeMessage(route: Route): MessageInitShape<typeof RouteSchema> {
  const { name, match, operation, origin } = route;
  const isDefault = origin.key.kind === "Service";
  const istio = isDefault ? {} : { config: istioConfigPath(origin.key) };
  return {
    name,
    match: routeMatch(match),
    action: { case: "route", value: routeAction(route) },
    decorator: { operation },
    metadata: buildMetadata([origin], istio),
  };
}

function routeAction({ clusters }: Route): MessageInitShape<typeof RouteActionSchema> {
  const [first] = clusters;
  return {
    clusterSpecifier:
      clusters.length === 1 && first !== undefined
        ? { case: "cluster", value: first.name }
        : { case: "weightedClusters", value: { clusters: clusters.map((cluster) => cluster) } },
    timeout: ZERO,
    maxGrpcTimeout: ZERO,
    retryPolicy: RETRY_POLICY,
  };
}

/**
 * Answers for hosts that are not in the mesh. An explicit proxy has no original destination to
 * pass such a request on to, so there is nothing else to do with it.
 */
export const BLOCK_ALL: EncodedVirtualHost = {
  name: "block_all",
  bytes: encodeMessage(
    VirtualHostSchema,
    create(VirtualHostSchema, {
      name: "block_all",
      domains: ["*"],
      routes: [
        {
          name: "block_all",
          match: { pathSpecifier: { case: "prefix", value: "/" } },
          action: { case: "directResponse", value: { status: 502 } },
        },
      ],
      includeRequestAttemptCount: true,
    }),
  ),
  origins: [],
  clusters: [],
};
