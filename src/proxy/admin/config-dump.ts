import { type DescMessage, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../api/gen/envoy/config/route/v3/route_pb.js";
import { RESOURCE_TYPE_URL } from "../../api/type-url.ts";
import type { TypeStatus } from "../../xdsclient/resource-type.ts";
import { EXTENSION_TYPES } from "../extension-types.ts";
import type { AdminState } from "./pages.ts";

const DUMP = "type.googleapis.com/envoy.admin.v3.";

/** The configuration in use, in the shape of Envoy's dump. Endpoints are on `/clusters`. */
export function dumpConfig(state: AdminState): JsonValue[] {
  const status = new Map(state.adsStatus().map((one) => [one.typeUrl, one]));
  const clusters = state.clusters.active;
  const listeners = state.listeners.active;
  return [
    { "@type": `${DUMP}BootstrapConfigDump`, bootstrap: state.bootstrap.json },
    {
      "@type": `${DUMP}ClustersConfigDump`,
      ...versionInfo(status.get(RESOURCE_TYPE_URL.cluster)),
      static_clusters: clusters
        .filter(({ isDynamic }) => !isDynamic)
        .map(({ config }) => ({ cluster: decode(ClusterSchema, config.body) })),
      dynamic_active_clusters: clusters
        .filter(({ isDynamic }) => isDynamic)
        .map(({ config }) => ({ cluster: decode(ClusterSchema, config.body) })),
    },
    {
      "@type": `${DUMP}ListenersConfigDump`,
      ...versionInfo(status.get(RESOURCE_TYPE_URL.listener)),
      static_listeners: listeners
        .filter(({ isDynamic }) => !isDynamic)
        .map(({ config }) => ({ listener: decode(ListenerSchema, config.body) })),
      dynamic_listeners: listeners
        .filter(({ isDynamic }) => isDynamic)
        .map(({ config }) => ({
          name: config.name,
          active_state: { listener: decode(ListenerSchema, config.body) },
        })),
    },
    {
      "@type": `${DUMP}RoutesConfigDump`,
      ...versionInfo(status.get(RESOURCE_TYPE_URL.route)),
      dynamic_route_configs: state.routes.bodies.map((body) => ({
        route_config: decode(RouteConfigurationSchema, body),
      })),
    },
  ];
}

function versionInfo(status: TypeStatus | undefined): { [key: string]: JsonValue } {
  if (status === undefined) return {};
  return {
    version_info: status.version,
    ...(status.rejection === undefined ? {} : { error_state: { details: status.rejection } }),
  };
}

function decode(schema: DescMessage, body: Uint8Array): JsonValue {
  return toJson(schema, fromBinary(schema, body), {
    registry: EXTENSION_TYPES,
    useProtoFieldName: true,
  });
}
