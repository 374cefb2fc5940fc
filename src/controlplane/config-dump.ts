import type { JsonValue } from "@bufbuild/protobuf";
import type { ClientStatus } from "../ads/client-status.ts";
import type { Published } from "../ads/publish-plan.ts";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { resourceJson } from "../xds/resource-json.ts";
import type { ResourceKind, XdsResource } from "../xds/snapshot.ts";

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

function messageJson(kind: ResourceKind, resource: XdsResource): JsonValue {
  const type = { "@type": RESOURCE_TYPE_URL[kind] };
  try {
    return { ...type, ...resourceJson(kind, resource) };
  } catch (error) {
    // An extension that the registry lacks must not hide everything else.
    return { ...type, error: error instanceof Error ? error.message : String(error) };
  }
}
