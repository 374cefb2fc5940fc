import { type DescMessage, fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { ClusterSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import { VirtualHostSchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { EXTENSION_REGISTRY } from "../api/registry.ts";
import type { ResourceKind, XdsResource, XdsSnapshot } from "./snapshot.ts";

const SCHEMA: Readonly<Record<ResourceKind, DescMessage>> = {
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
  virtualHost: VirtualHostSchema,
};

/**
 * A resource as protobuf's JSON with Envoy's own field names, read back from the bytes that proxies
 * get; what stands in an `Any` is written out beside its `@type`. Throws when an `Any` holds a
 * message that the registry lacks.
 */
export function resourceJson(kind: ResourceKind, { body }: XdsResource): JsonObject {
  const schema = SCHEMA[kind];
  return toJson(schema, fromBinary(schema, body), {
    registry: EXTENSION_REGISTRY,
    useProtoFieldName: true,
  }) as JsonObject;
}

/** All resources of a proxy in JSON, each list sorted by name. */
export interface SnapshotJson {
  readonly listeners: readonly JsonObject[];
  readonly routes: readonly JsonObject[];
  readonly clusters: readonly JsonObject[];
  readonly endpoints: readonly JsonObject[];
  /** Absent where no routes have theirs looked up on demand. */
  readonly virtualHosts?: readonly JsonObject[];
}

/** What a proxy is to have, in the form that `weft xds-dump` prints. Throws as `resourceJson` does. */
export function snapshotJson({ resources }: XdsSnapshot): SnapshotJson {
  const list = (kind: ResourceKind): readonly JsonObject[] =>
    [...resources[kind].values()]
      .sort((left, right) => (left.name < right.name ? -1 : 1))
      .map((resource) => resourceJson(kind, resource));
  return {
    listeners: list("listener"),
    routes: list("route"),
    clusters: list("cluster"),
    endpoints: list("endpoint"),
    ...(resources.virtualHost.size > 0 && { virtualHosts: list("virtualHost") }),
  };
}
