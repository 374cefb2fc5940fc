import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { CorsSchema } from "../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { FilterConfigSchema as DynamicForwardProxySchema } from "../api/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js";
import { HTTPFaultSchema } from "../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { FilterConfigSchema as GrpcStatsSchema } from "../api/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.js";
import { GrpcWebSchema } from "../api/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js";
import { OnDemandSchema } from "../api/gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js";
import { RouterSchema } from "../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import type { HttpFilterSchema } from "../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { packAny } from "../api/type-url.ts";
import type { HttpChain } from "../model/listener.ts";
import type { ProxySettings } from "../model/proxy-settings.ts";
import { dnsCacheConfig } from "./cluster-discovery.ts";

type HttpFilter = MessageInitShape<typeof HttpFilterSchema>;

/** The HTTP filters of a chain, in Istio's order; what routes say to them stands in the routes. */
export function httpFilters(
  { role, reachesDynamicDns = false, isOnDemand = false, takesGrpcWeb = false }: HttpChain,
  settings: ProxySettings,
): HttpFilter[] {
  // No inbound route says anything to fault and cors. Istio has them there all the same, where
  // others may look for them; weft's own proxy would pay for them with every request.
  const areRouted = role !== "sidecar-inbound" || !settings.isWeft;
  return [
    // Before all others: what a route says to them counts only once there is a route.
    ...(isOnDemand ? [ON_DEMAND] : []),
    ...(takesGrpcWeb ? [GRPC_WEB] : []),
    GRPC_STATS,
    ...(areRouted ? [FAULT, CORS] : []),
    ...(reachesDynamicDns ? [dynamicForwardProxy(settings)] : []),
    settings.addsDebugHeaders ? ROUTER : SILENT_ROUTER,
  ];
}

const GRPC_WEB = httpFilter("grpc_web", GrpcWebSchema, {});
/** Calls are counted by cluster; how many messages they had is for logs. */
const GRPC_STATS = httpFilter("grpc_stats", GrpcStatsSchema, {
  emitFilterState: true,
  perMethodStatSpecifier: { case: "statsForAllMethods", value: { value: false } },
});
const FAULT = httpFilter("fault", HTTPFaultSchema, {});
const CORS = httpFilter("cors", CorsSchema, {});
const ON_DEMAND = httpFilter("on_demand", OnDemandSchema, {});
const ROUTER = httpFilter("router", RouterSchema, {});
const SILENT_ROUTER = httpFilter("router", RouterSchema, { suppressEnvoyHeaders: true });

/** Looks up the host of a request whose cluster has none of its own. */
function dynamicForwardProxy({ lookup }: ProxySettings): HttpFilter {
  return httpFilter("dynamic_forward_proxy", DynamicForwardProxySchema, {
    implementationSpecifier: { case: "dnsCacheConfig", value: dnsCacheConfig(lookup) },
  });
}

function httpFilter<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  config: MessageInitShape<Desc>,
): HttpFilter {
  return {
    name: `envoy.filters.http.${name}`,
    configType: { case: "typedConfig", value: packAny(schema, create(schema, config)) },
  };
}
