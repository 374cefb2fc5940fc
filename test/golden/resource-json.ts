import { type DescMessage, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../src/api/gen/envoy/config/route/v3/route_pb.js";
import { EXTENSION_REGISTRY } from "../../src/api/registry.ts";
import type { ResourceKind, XdsResource } from "../../src/xds/snapshot.ts";

const SCHEMA: Readonly<Record<ResourceKind, DescMessage>> = {
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
};

/** A resource as protobuf's JSON, read back from the bytes that proxies get. */
export function resourceJson(kind: ResourceKind, { body }: XdsResource): JsonValue {
  const schema = SCHEMA[kind];
  return toJson(schema, fromBinary(schema, body), {
    registry: EXTENSION_REGISTRY,
    useProtoFieldName: true,
  });
}
