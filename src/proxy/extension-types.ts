import { createRegistry, type Registry } from "@bufbuild/protobuf";
import { ScaleTimersOverloadActionConfigSchema } from "../api/gen/envoy/config/overload/v3/overload_pb.js";
import { FilterConfigSchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { OpenTelemetryConfigSchema } from "../api/gen/envoy/config/trace/v3/opentelemetry_pb.js";
import { ZipkinConfigSchema } from "../api/gen/envoy/config/trace/v3/zipkin_pb.js";
import { FileAccessLogSchema } from "../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js";
import { ExpressionFilterSchema } from "../api/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js";
import { OpenTelemetryAccessLogConfigSchema } from "../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js";
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from "../api/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js";
import { ClusterConfigSchema as AggregateClusterSchema } from "../api/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb.js";
import { ClusterConfigSchema as DynamicForwardClusterSchema } from "../api/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js";
import { BrotliSchema as BrotliCompressorSchema } from "../api/gen/envoy/extensions/compression/brotli/compressor/v3/brotli_pb.js";
import { BrotliSchema as BrotliDecompressorSchema } from "../api/gen/envoy/extensions/compression/brotli/decompressor/v3/brotli_pb.js";
import { GzipSchema as GzipCompressorSchema } from "../api/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.js";
import { GzipSchema as GzipDecompressorSchema } from "../api/gen/envoy/extensions/compression/gzip/decompressor/v3/gzip_pb.js";
import { ZstdSchema as ZstdCompressorSchema } from "../api/gen/envoy/extensions/compression/zstd/compressor/v3/zstd_pb.js";
import { ZstdSchema as ZstdDecompressorSchema } from "../api/gen/envoy/extensions/compression/zstd/decompressor/v3/zstd_pb.js";
import {
  BufferPerRouteSchema,
  BufferSchema,
} from "../api/gen/envoy/extensions/filters/http/buffer/v3/buffer_pb.js";
import {
  CompressorPerRouteSchema,
  CompressorSchema,
} from "../api/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb.js";
import {
  CorsPolicySchema,
  CorsSchema,
} from "../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { DecompressorSchema } from "../api/gen/envoy/extensions/filters/http/decompressor/v3/decompressor_pb.js";
import {
  FilterConfigSchema as DynamicForwardFilterSchema,
  PerRouteConfigSchema as DynamicForwardRouteSchema,
} from "../api/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js";
import { HTTPFaultSchema } from "../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { ConfigSchema as GrpcHttp1BridgeSchema } from "../api/gen/envoy/extensions/filters/http/grpc_http1_bridge/v3/config_pb.js";
import {
  FilterConfigPerRouteSchema as GrpcReverseBridgeRouteSchema,
  FilterConfigSchema as GrpcReverseBridgeSchema,
} from "../api/gen/envoy/extensions/filters/http/grpc_http1_reverse_bridge/v3/config_pb.js";
import { FilterConfigSchema as GrpcStatsSchema } from "../api/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.js";
import { GrpcWebSchema } from "../api/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js";
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
} from "../api/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import { HealthCheckSchema } from "../api/gen/envoy/extensions/filters/http/health_check/v3/health_check_pb.js";
import { LocalRateLimitSchema } from "../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js";
import {
  PerRouteConfigSchema as OnDemandRouteSchema,
  OnDemandSchema,
} from "../api/gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js";
import {
  RBACPerRouteSchema,
  RBACSchema,
} from "../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import { RouterSchema } from "../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { ConfigSchema as SetFilterStateSchema } from "../api/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js";
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from "../api/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js";
import { TapSchema } from "../api/gen/envoy/extensions/filters/http/tap/v3/tap_pb.js";
import { UpstreamCodecSchema } from "../api/gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb.js";
import { HttpInspectorSchema } from "../api/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { LocalRateLimitSchema as ListenerRateLimitSchema } from "../api/gen/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit_pb.js";
import { OriginalDstSchema } from "../api/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { OriginalSrcSchema } from "../api/gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.js";
import { ProxyProtocolSchema } from "../api/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import { TlsInspectorSchema } from "../api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { ConnectionLimitSchema } from "../api/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js";
import { ConfigSchema as DirectResponseSchema } from "../api/gen/envoy/extensions/filters/network/direct_response/v3/config_pb.js";
import { EchoSchema } from "../api/gen/envoy/extensions/filters/network/echo/v3/echo_pb.js";
import { HttpConnectionManagerSchema } from "../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { LocalRateLimitSchema as NetworkRateLimitSchema } from "../api/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js";
import { RBACSchema as NetworkRbacSchema } from "../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import { SniClusterSchema } from "../api/gen/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb.js";
import { FilterConfigSchema as SniDynamicForwardSchema } from "../api/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js";
import { TcpProxySchema } from "../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { CelSchema } from "../api/gen/envoy/extensions/formatter/cel/v3/cel_pb.js";
import { MetadataSchema as MetadataFormatterSchema } from "../api/gen/envoy/extensions/formatter/metadata/v3/metadata_pb.js";
import { ReqWithoutQuerySchema } from "../api/gen/envoy/extensions/formatter/req_without_query/v3/req_without_query_pb.js";
import { HealthCheckEventFileSinkSchema } from "../api/gen/envoy/extensions/health_check/event_sinks/file/v3/file_pb.js";
import { CookieBasedSessionStateSchema } from "../api/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.js";
import { HeaderBasedSessionStateSchema } from "../api/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.js";
import { AllowListedRoutesConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config_pb.js";
import { PreviousRoutesConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config_pb.js";
import { SafeCrossSchemeConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config_pb.js";
import { ClusterProvidedSchema } from "../api/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb.js";
import { LeastRequestSchema } from "../api/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js";
import { MaglevSchema } from "../api/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.js";
import { RandomSchema } from "../api/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.js";
import { RingHashSchema } from "../api/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js";
import { RoundRobinSchema } from "../api/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.js";
import { SubsetSchema } from "../api/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.js";
import { WrrLocalitySchema } from "../api/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.js";
import { CaresDnsResolverConfigSchema } from "../api/gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.js";
import { GetAddrInfoDnsResolverConfigSchema } from "../api/gen/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver_pb.js";
import { UriTemplateMatchConfigSchema } from "../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js";
import { UriTemplateRewriteConfigSchema } from "../api/gen/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.js";
import { UuidRequestIdConfigSchema } from "../api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js";
import { DownstreamConnectionsConfigSchema } from "../api/gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.js";
import { FixedHeapConfigSchema } from "../api/gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb.js";
import { InjectedResourceConfigSchema } from "../api/gen/envoy/extensions/resource_monitors/injected_resource/v3/injected_resource_pb.js";
import { OmitCanaryHostsPredicateSchema } from "../api/gen/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts_pb.js";
import { OmitHostMetadataConfigSchema } from "../api/gen/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config_pb.js";
import { PreviousHostsPredicateSchema } from "../api/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { PreviousPrioritiesConfigSchema } from "../api/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js";
import { EnvironmentResourceDetectorConfigSchema } from "../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.js";
import { StaticConfigResourceDetectorConfigSchema } from "../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector_pb.js";
import { AlwaysOnSamplerConfigSchema } from "../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler_pb.js";
import { ParentBasedSamplerConfigSchema } from "../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler_pb.js";
import { TraceIdRatioBasedSamplerConfigSchema } from "../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler_pb.js";
import { ProxyProtocolUpstreamTransportSchema } from "../api/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js";
import { RawBufferSchema } from "../api/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { SPIFFECertValidatorConfigSchema } from "../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js";
import { HttpProtocolOptionsSchema } from "../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
/** Every type that may stand in an `Any` of a bootstrap. */
export const EXTENSION_TYPES: Registry = createRegistry(
  AggregateClusterSchema,
  BrotliCompressorSchema,
  BrotliDecompressorSchema,
  BufferPerRouteSchema,
  BufferSchema,
  CompressorPerRouteSchema,
  CompressorSchema,
  DecompressorSchema,
  GrpcHttp1BridgeSchema,
  GrpcReverseBridgeRouteSchema,
  GrpcReverseBridgeSchema,
  GrpcStatsSchema,
  GrpcWebSchema,
  GzipCompressorSchema,
  GzipDecompressorSchema,
  ZstdCompressorSchema,
  ZstdDecompressorSchema,
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  HealthCheckSchema,
  SetFilterStateSchema,
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
  DynamicForwardClusterSchema,
  DynamicForwardFilterSchema,
  DynamicForwardRouteSchema,
  SniDynamicForwardSchema,
  ClusterProvidedSchema,
  PreviousPrioritiesConfigSchema,
  WrrLocalitySchema,
  UriTemplateRewriteConfigSchema,
  UriTemplateMatchConfigSchema,
  OmitHostMetadataConfigSchema,
  OmitCanaryHostsPredicateSchema,
  SafeCrossSchemeConfigSchema,
  PreviousRoutesConfigSchema,
  AllowListedRoutesConfigSchema,
  CaresDnsResolverConfigSchema,
  ConnectionLimitSchema,
  DirectResponseSchema,
  DownstreamConnectionsConfigSchema,
  DownstreamTlsContextSchema,
  EchoSchema,
  CorsPolicySchema,
  CorsSchema,
  FileAccessLogSchema,
  ExpressionFilterSchema,
  OpenTelemetryAccessLogConfigSchema,
  CelSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  GetAddrInfoDnsResolverConfigSchema,
  FilterConfigSchema,
  FixedHeapConfigSchema,
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
  HealthCheckEventFileSinkSchema,
  HTTPFaultSchema,
  HttpConnectionManagerSchema,
  HttpInspectorSchema,
  HttpProtocolOptionsSchema,
  InjectedResourceConfigSchema,
  LeastRequestSchema,
  MaglevSchema,
  ListenerRateLimitSchema,
  LocalRateLimitSchema,
  NetworkRateLimitSchema,
  MetadataFormatterSchema,
  NetworkRbacSchema,
  OnDemandRouteSchema,
  OnDemandSchema,
  OriginalDstSchema,
  OriginalSrcSchema,
  PreviousHostsPredicateSchema,
  RandomSchema,
  RBACPerRouteSchema,
  RBACSchema,
  ProxyProtocolSchema,
  ProxyProtocolUpstreamTransportSchema,
  RawBufferSchema,
  RingHashSchema,
  RoundRobinSchema,
  ReqWithoutQuerySchema,
  RouterSchema,
  ScaleTimersOverloadActionConfigSchema,
  SniClusterSchema,
  SPIFFECertValidatorConfigSchema,
  SPIFFECertValidatorConfigSchema,
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
  SubsetSchema,
  TcpProxySchema,
  TlsInspectorSchema,
  TapSchema,
  UpstreamCodecSchema,
  UpstreamTlsContextSchema,
  UuidRequestIdConfigSchema,
  ZipkinConfigSchema,
  OpenTelemetryConfigSchema,
  EnvironmentResourceDetectorConfigSchema,
  StaticConfigResourceDetectorConfigSchema,
  AlwaysOnSamplerConfigSchema,
  ParentBasedSamplerConfigSchema,
  TraceIdRatioBasedSamplerConfigSchema,
);
