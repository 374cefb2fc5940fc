import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { FilterSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { RouterSchema } from "../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { packAny } from "../api/type-url.ts";
import type { HttpChain, HttpRole } from "../model/listener.ts";
import type { MeshSettings } from "../model/mesh-settings.ts";
import { inlineRouteConfiguration } from "./route-configuration.ts";
import { ADS, ZERO } from "./wire.ts";

/** What proxies call themselves in the `server` header. */
const SERVER_NAME = "istio-envoy";

type Options = Partial<
  Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, { $typeName: string }>
>;

const BY_ROLE: Readonly<Record<HttpRole, Options>> = {
  "sidecar-outbound": {},
  "sidecar-inbound": { serverName: SERVER_NAME },
  // Clients are strangers: what they claim about themselves does not count.
  gateway: { serverName: SERVER_NAME, useRemoteAddress: true },
  // The form in which clients of a proxy ask: `GET http://host/path`.
  "http-proxy": { httpProtocolOptions: { allowAbsoluteUrl: true } },
};

/** The connection manager at the end of a chain. */
export function httpFilter(
  { statPrefix, routes, role }: HttpChain,
  _settings: MeshSettings,
): MessageInitShape<typeof FilterSchema> {
  const router = packAny(RouterSchema, create(RouterSchema));
  const manager = create(HttpConnectionManagerSchema, {
    statPrefix,
    routeSpecifier:
      typeof routes === "string"
        ? { case: "rds", value: { configSource: ADS, routeConfigName: routes } }
        : { case: "routeConfig", value: inlineRouteConfiguration(routes) },
    ...BY_ROLE[role],
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        configType: { case: "typedConfig", value: router },
      },
    ],
    // A stream may be silent for as long as it likes (Istio's default).
    streamIdleTimeout: ZERO,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    normalizePath: true,
  });
  return {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig", value: packAny(HttpConnectionManagerSchema, manager) },
  };
}
