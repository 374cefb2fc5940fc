import { type DescMessage, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { ClientStatus } from "../ads/client-status.ts";
import type { Published } from "../ads/publish-plan.ts";
import { ClusterSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { EXTENSION_REGISTRY } from "../api/registry.ts";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import type { ResourceKind, XdsResource } from "../xds/snapshot.ts";

const SCHEMA: Readonly<Record<ResourceKind, DescMessage>> = {
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
};

/** What a proxy is offered, in the form of Envoy's own `config_dump`. */
export function configDump(published: Published, { kinds }: ClientStatus): JsonValue {
  const dump = (
    kind: ResourceKind,
    type: string,
    list: string,
    wrap: (entry: { [key: string]: JsonValue }, resource: XdsResource) => JsonValue,
    field: string,
  ): JsonValue => ({
    "@type": `type.googleapis.com/envoy.admin.v3.${type}`,
    version_info: kinds[kind].sentVersion ?? "",
    [list]: [...published[kind].values()].map((resource) =>
      wrap({ version_info: resource.version, [field]: messageJson(kind, resource) }, resource),
    ),
  });
  const asIs = (entry: { [key: string]: JsonValue }): JsonValue => entry;
  return {
    configs: [
      dump("cluster", "ClustersConfigDump", "dynamic_active_clusters", asIs, "cluster"),
      dump("endpoint", "EndpointsConfigDump", "dynamic_endpoint_configs", asIs, "endpoint_config"),
      dump(
        "listener",
        "ListenersConfigDump",
        "dynamic_listeners",
        (entry, { name }) => ({ name, active_state: entry }),
        "listener",
      ),
      dump("route", "RoutesConfigDump", "dynamic_route_configs", asIs, "route_config"),
    ],
  };
}

function messageJson(kind: ResourceKind, { body }: XdsResource): JsonValue {
  const schema = SCHEMA[kind];
  const type = { "@type": RESOURCE_TYPE_URL[kind] };
  try {
    const json = toJson(schema, fromBinary(schema, body), {
      registry: EXTENSION_REGISTRY,
      useProtoFieldName: true,
    });
    return { ...type, ...(json as { [key: string]: JsonValue }) };
  } catch (error) {
    // An extension that the registry lacks must not hide everything else.
    return { ...type, error: error instanceof Error ? error.message : String(error) };
  }
}
