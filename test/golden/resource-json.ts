import {
  createRegistry,
  type DescMessage,
  fromBinary,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../src/api/gen/envoy/config/route/v3/route_pb.js";
import { RouterSchema } from "../../src/api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../../src/api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { TcpProxySchema } from "../../src/api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { PreviousHostsPredicateSchema } from "../../src/api/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { HttpProtocolOptionsSchema } from "../../src/api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import type { ResourceKind, XdsResource } from "../../src/xds/snapshot.ts";

const SCHEMA: Readonly<Record<ResourceKind, DescMessage>> = {
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
};

const registry = createRegistry(
  HttpConnectionManagerSchema,
  HttpProtocolOptionsSchema,
  PreviousHostsPredicateSchema,
  RouterSchema,
  TcpProxySchema,
);

/** A resource as protobuf's JSON, read back from the bytes that proxies get. */
export function resourceJson(kind: ResourceKind, { body }: XdsResource): JsonValue {
  const schema = SCHEMA[kind];
  return toJson(schema, fromBinary(schema, body), { registry, useProtoFieldName: true });
}
