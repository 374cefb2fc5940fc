import { createRegistry } from "@bufbuild/protobuf";
import { OpenTelemetryConfigSchema } from "./gen/envoy/config/trace/v3/opentelemetry_pb.js";
import { ZipkinConfigSchema } from "./gen/envoy/config/trace/v3/zipkin_pb.js";
import { FileAccessLogSchema } from "./gen/envoy/extensions/access_loggers/file/v3/file_pb.js";
import { ExpressionFilterSchema } from "./gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "./gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js";
import { OpenTelemetryAccessLogConfigSchema } from "./gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js";
import { StdoutAccessLogSchema } from "./gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js";
import { ClusterConfigSchema as DynamicForwardProxySchema } from "./gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js";
import {
  CorsPolicySchema,
  CorsSchema,
} from "./gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { FilterConfigSchema as HttpDynamicForwardProxySchema } from "./gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js";
import { HTTPFaultSchema } from "./gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { FilterConfigSchema as GrpcStatsSchema } from "./gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.js";
import { GrpcWebSchema } from "./gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js";
import { OnDemandSchema } from "./gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js";
import { RouterSchema } from "./gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpInspectorSchema } from "./gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { OriginalDstSchema } from "./gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { OriginalSrcSchema } from "./gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.js";
import { ProxyProtocolSchema } from "./gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import { TlsInspectorSchema } from "./gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { HttpConnectionManagerSchema } from "./gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { SniClusterSchema } from "./gen/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb.js";
import { FilterConfigSchema as SniDynamicForwardProxySchema } from "./gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js";
import { TcpProxySchema } from "./gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { MetadataSchema } from "./gen/envoy/extensions/formatter/metadata/v3/metadata_pb.js";
import { ReqWithoutQuerySchema } from "./gen/envoy/extensions/formatter/req_without_query/v3/req_without_query_pb.js";
import { UuidRequestIdConfigSchema } from "./gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js";
import { PreviousHostsPredicateSchema } from "./gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { PreviousPrioritiesConfigSchema } from "./gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js";
import { EnvironmentResourceDetectorConfigSchema } from "./gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.js";
import { ProxyProtocolUpstreamTransportSchema } from "./gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js";
import { RawBufferSchema } from "./gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "./gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "./gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";

/** The extensions that may stand in an `Any`, for protobuf's JSON form, which spells them out. */
export const EXTENSION_REGISTRY = createRegistry(
  DynamicForwardProxySchema,
  HttpDynamicForwardProxySchema,
  SniDynamicForwardProxySchema,
  ProxyProtocolUpstreamTransportSchema,
  UpstreamTlsContextSchema,
  ReqWithoutQuerySchema,
  MetadataSchema,
  DownstreamTlsContextSchema,
  SniClusterSchema,
  TlsInspectorSchema,
  ProxyProtocolSchema,
  OriginalSrcSchema,
  OriginalDstSchema,
  HttpInspectorSchema,
  HTTPFaultSchema,
  GrpcStatsSchema,
  GrpcWebSchema,
  CorsPolicySchema,
  CorsSchema,
  FileAccessLogSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  OpenTelemetryAccessLogConfigSchema,
  ExpressionFilterSchema,
  ZipkinConfigSchema,
  OpenTelemetryConfigSchema,
  EnvironmentResourceDetectorConfigSchema,
  UuidRequestIdConfigSchema,
  HttpConnectionManagerSchema,
  HttpProtocolOptionsSchema,
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  RawBufferSchema,
  OnDemandSchema,
  RouterSchema,
  StdoutAccessLogSchema,
  TcpProxySchema,
);
