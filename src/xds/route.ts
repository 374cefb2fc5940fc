import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type RouteSchema,
  VirtualHost_TlsRequirementType,
  VirtualHostSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { encodeMessage } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import { compareText, type Origin } from "../model/origin.ts";
import { clustersOf, type Route, type VirtualHost } from "../model/route.ts";
import { headerFields } from "./header-operations.ts";
import { buildMetadata, istioConfigPath, type ResourceMetadata } from "./metadata.ts";
import { versionOf } from "./resource.ts";
import { routeAction } from "./route-action.ts";
import { routeFilterConfig } from "./route-filter-config.ts";
import { routeMatch } from "./route-match.ts";

/** A virtual host as it stands inside a route configuration. */
export interface EncodedVirtualHost {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The same as it stands inside a route configuration, with its field and its length. */
  readonly entry: Uint8Array;
  /** Hash of the bytes. */
  readonly version: string;
  readonly origins: readonly Origin[];
  /** The clusters that it names. */
  readonly clusters: readonly string[];
}

/** Encodes a virtual host; once for as long as it stays the same, for all proxies that have it. */
export const encodeVirtualHost = memoise(
  (host: VirtualHost, countsAttempts: boolean): EncodedVirtualHost => {
    const { name, routes } = host;
    const message = create(VirtualHostSchema, virtualHostMessage(host, countsAttempts));
    const content = encodeMessage(VirtualHostSchema, message);
    const entry = new BinaryWriter()
      .tag(RouteConfigurationSchema.field.virtualHosts.number, WireType.LengthDelimited)
      .bytes(content)
      .finish();
    const bytes = entry.subarray(entry.length - content.length);
    return {
      name,
      bytes,
      entry,
      version: versionOf(bytes),
      origins: routes.flatMap(originsOf),
      clusters: [...new Set(routes.flatMap(clustersOf))],
    };
  },
);

/** A virtual host on the wire; `countsAttempts` tells upstreams how often a request was tried. */
export function virtualHostMessage(
  { name, domains, routes, requiresTls }: VirtualHost,
  countsAttempts: boolean,
): MessageInitShape<typeof VirtualHostSchema> {
  return {
    name,
    domains: [...domains],
    routes: routes.map(routeMessage),
    includeRequestAttemptCount: countsAttempts,
    ...(requiresTls === true && { requireTls: VirtualHost_TlsRequirementType.ALL }),
  };
}

function originsOf({ origin, delegate }: Route): readonly Origin[] {
  return [origin, delegate].filter((one) => one !== undefined);
}

function routeMessage(route: Route): MessageInitShape<typeof RouteSchema> {
  const { name, match, action, operation, origin, statPrefix } = route;
  return {
    name,
    match: routeMatch(match),
    action: routeAction(action),
    ...headerFields(route.requestHeaders, route.responseHeaders),
    typedPerFilterConfig: routeFilterConfig(route),
    ...(operation !== "" && { decorator: { operation } }),
    ...(statPrefix !== "" && { statPrefix }),
    ...(origin !== undefined && { metadata: routeMetadata(route, origin) }),
  };
}

/** Where weft's own proxy reads why a cluster that a route names is not there. */
const WEFT_NAMESPACE = "weft";

function routeMetadata(route: Route, origin: Origin): ResourceMetadata {
  const istio = origin.key.kind === "Service" ? {} : { config: istioConfigPath(origin.key) };
  const metadata = buildMetadata(originsOf(route), istio);
  const missing = missingOf(route);
  if (missing.length === 0) return metadata;
  const { filterMetadata } = metadata;
  return {
    filterMetadata: {
      ...filterMetadata,
      [WEFT_NAMESPACE]: { missing: Object.fromEntries(missing) },
    },
  };
}

/** The clusters that a route names and that are not there, each with the reason, by name. */
function missingOf({ action }: Route): readonly (readonly [string, string])[] {
  if (action.type !== "forward") return [];
  const named = [
    ...action.clusters.map(({ name, missing }) => [name, missing] as const),
    ...action.mirrors.map(({ cluster, missing }) => [cluster, missing] as const),
  ];
  return named
    .flatMap(([name, missing]) => (missing === undefined ? [] : [[name, missing] as const]))
    .sort(([a], [b]) => compareText(a, b));
}
