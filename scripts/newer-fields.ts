/**
 * What Envoy 1.40 knows and the protobuf trees of `@grpc/grpc-js-xds` do not yet: declarations that
 * are written into the messages of theirs. Names, numbers and rules are those of
 * the descriptors inside Envoy's program.
 */

/** A place in a file, which must be there once, and what comes after it. */
interface Addition {
  readonly after: string;
  readonly text: string;
}

const NOT_EMPTY = "[(validate.rules).string = {min_len: 1}]";

/** By path: what is written into files of the trees. */
const ADDITIONS: Readonly<Record<string, readonly Addition[]>> = {
  "envoy/config/accesslog/v3/accesslog.proto": [{ after: "LE = 2;", text: "NE = 3;" }],
  "envoy/extensions/access_loggers/filters/cel/v3/cel.proto": [
    {
      after: 'import "udpa/annotations/status.proto";',
      text: 'import "envoy/config/core/v3/cel.proto";',
    },
    {
      after: "message ExpressionFilter {",
      text: "config.core.v3.CelExpressionConfig cel_config = 2;",
    },
  ],
  "envoy/extensions/formatter/cel/v3/cel.proto": [
    {
      after: 'import "udpa/annotations/status.proto";',
      text: 'import "envoy/config/core/v3/cel.proto";',
    },
    { after: "message Cel {", text: "config.core.v3.CelExpressionConfig cel_config = 1;" },
  ],
  "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto": [
    {
      after: 'import "envoy/config/core/v3/extension.proto";',
      text: `
        import "envoy/config/core/v3/grpc_service.proto";
        import "envoy/config/core/v3/http_service.proto";
        import "envoy/type/tracing/v3/custom_tag.proto";
        import "google/protobuf/duration.proto";
        import "google/protobuf/wrappers.proto";`,
    },
    {
      after: "message OpenTelemetryAccessLogConfig {",
      text: `
        config.core.v3.HttpService http_service = 8;
        config.core.v3.GrpcService grpc_service = 9;
        string log_name = 10;
        google.protobuf.Duration buffer_flush_interval = 11;
        google.protobuf.UInt32Value buffer_size_bytes = 12;
        repeated string filter_state_objects_to_log = 13;
        repeated type.tracing.v3.CustomTag custom_tags = 14;
        repeated config.core.v3.TypedExtensionConfig resource_detectors = 15;`,
    },
  ],
  "envoy/config/trace/v3/zipkin.proto": [
    {
      after: 'import "google/protobuf/wrappers.proto";',
      text: 'import "envoy/config/core/v3/http_service.proto";',
    },
    {
      after: "message ZipkinConfig {",
      text: `
        enum TraceContextOption {
          USE_B3 = 0;
          USE_B3_WITH_W3C_PROPAGATION = 1;
        }
        TraceContextOption trace_context_option = 8;
        core.v3.HttpService collector_service = 9;
        bool timestamp_trace_ids = 10;`,
    },
  ],
  "envoy/config/trace/v3/opentelemetry.proto": [
    {
      after: 'import "envoy/config/core/v3/http_service.proto";',
      text: 'import "google/protobuf/wrappers.proto";',
    },
    {
      after: "message OpenTelemetryConfig {",
      text: `
        core.v3.TypedExtensionConfig exporter = 10;
        google.protobuf.UInt32Value max_cache_size = 6;
        google.protobuf.BoolValue set_telemetry_sdk_resource_attributes = 7;
        google.protobuf.BoolValue set_service_name_resource_attribute = 8;
        google.protobuf.BoolValue set_instrumentation_scope = 9;`,
    },
  ],
  "envoy/config/core/v3/http_service.proto": [
    {
      after: 'import "envoy/config/core/v3/http_uri.proto";',
      text: 'import "envoy/config/core/v3/extension.proto";',
    },
    { after: "message HttpService {", text: "repeated TypedExtensionConfig formatters = 3;" },
  ],
  "envoy/type/tracing/v3/custom_tag.proto": [
    {
      after: "message CustomTag {",
      text: `
        enum ValueType {
          UNSPECIFIED = 0;
          STRING = 1;
          INT = 2;
          DOUBLE = 3;
          BOOL = 4;
        }
        ValueType value_type = 7 [(validate.rules).enum = {defined_only: true}];`,
    },
    { after: "oneof type {", text: "string value = 6;" },
  ],
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto": [
    {
      after: "google.protobuf.BoolValue spawn_upstream_span = 10;",
      text: "string operation = 11; string upstream_operation = 12; bool no_context_propagation = 13;",
    },
  ],
  "envoy/config/core/v3/proxy_protocol.proto": [
    {
      after: 'import "udpa/annotations/status.proto";',
      text: 'import "envoy/config/core/v3/substitution_format_string.proto";',
    },
    {
      after: "message ProxyProtocolConfig {",
      text: "repeated TlvEntry added_tlvs = 3;",
    },
    {
      after: "// [#protodoc-title: Proxy protocol]",
      text: `
        message TlvEntry {
          uint32 type = 1 [(validate.rules).uint32 = {lt: 256}];
          bytes value = 2;
          SubstitutionFormatString format_string = 3;
        }`,
    },
  ],
  "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto": [
    {
      after: 'import "envoy/config/core/v3/base.proto";',
      text: 'import "envoy/config/route/v3/route_components.proto";',
    },
    {
      after: "message LocalRateLimit {",
      text: `
        repeated config.route.v3.RateLimit rate_limits = 17;
        google.protobuf.UInt32Value max_dynamic_descriptors = 18
            [(validate.rules).uint32 = {gte: 1}];
        bool enable_retry_after_header = 19;`,
    },
  ],
  "envoy/config/common/mutation_rules/v3/mutation_rules.proto": [
    {
      after: 'import "envoy/type/matcher/v3/regex.proto";',
      text: 'import "envoy/type/matcher/v3/string.proto";',
    },
    {
      after: "message HeaderMutation {",
      text: `
        message RemoveOnMatch {
          type.matcher.v3.StringMatcher key_matcher = 1
              [(validate.rules).message = {required: true}];
        }`,
    },
    { after: "core.v3.HeaderValueOption append = 2;", text: "RemoveOnMatch remove_on_match = 3;" },
  ],
  "envoy/config/core/v3/base.proto": [
    {
      after: "message KeyValueAppend {",
      text: "KeyValuePair record = 3;",
    },
    {
      after: "// [#protodoc-title: Common types]",
      text: `
        message KeyValuePair {
          string key = 1
              [(validate.rules).string = {min_len: 1 max_bytes: 16384}];
          google.protobuf.Value value = 2;
        }`,
    },
  ],
  "envoy/extensions/filters/http/compressor/v3/compressor.proto": [
    {
      after: 'import "envoy/config/core/v3/extension.proto";',
      text: 'import "envoy/type/matcher/v3/string.proto";',
    },
    {
      after: "message CommonDirectionConfig {",
      text: "repeated type.matcher.v3.StringMatcher content_type_matcher = 4;",
    },
    {
      after: "message ResponseDirectionConfig {",
      text: `
        bool weaken_etag_on_compress = 6;
        repeated uint32 uncompressible_response_codes = 4 [
          (validate.rules).repeated = {unique: true items {uint32 {lt: 600 gte: 200}}}
        ];
        bool status_header_enabled = 5;`,
    },
    {
      after: "message CompressorOverrides {",
      text: "config.core.v3.TypedExtensionConfig compressor_library = 2;",
    },
  ],
  "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto": [
    {
      after: 'import "envoy/config/common/mutation_rules/v3/mutation_rules.proto";',
      text: [
        'import "envoy/config/core/v3/base.proto";',
        'import "envoy/config/core/v3/extension.proto";',
      ].join("\n"),
    },
    {
      after: "message Mutations {",
      text: `
        repeated config.core.v3.KeyValueMutation query_parameter_mutations = 3;
        repeated config.common.mutation_rules.v3.HeaderMutation response_trailers_mutations = 4;
        repeated config.common.mutation_rules.v3.HeaderMutation request_trailers_mutations = 5;
        repeated config.core.v3.TypedExtensionConfig formatters = 6;`,
    },
  ],
  "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.proto": [
    { after: "message Config {", text: "bool clear_route_cache = 2;" },
  ],
  "envoy/extensions/filters/http/stateful_session/v3/stateful_session.proto": [
    {
      after: "message StatefulSession {",
      text: `
        string stat_prefix = 3;
        uint32 status_on_strict_destination_not_found = 4;`,
    },
  ],
  "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.proto": [
    {
      after: "message Config {",
      text: `
        repeated filters.common.set_filter_state.v3.FilterStateValue on_downstream_tls_handshake = 2;
        repeated filters.common.set_filter_state.v3.FilterStateValue on_downstream_data = 3;`,
    },
  ],
  "envoy/type/http/v3/cookie.proto": [
    { after: "message Cookie {", text: "repeated CookieAttribute attributes = 4;" },
    {
      after: "// [#protodoc-title: HTTP cookie API]",
      text: `
        message CookieAttribute {
          string name = 1 [(validate.rules).string =
              {min_len: 1 max_bytes: 16384 well_known_regex: HTTP_HEADER_NAME strict: false}];
          string value = 2 [(validate.rules).string =
              {max_bytes: 16384 well_known_regex: HTTP_HEADER_VALUE strict: false}];
        }`,
    },
  ],
  "envoy/extensions/load_balancing_policies/common/v3/common.proto": [
    {
      after: "message ZoneAwareLbConfig {",
      text: `
        enum LocalityBasis {
          HEALTHY_HOSTS_NUM = 0;
          HEALTHY_HOSTS_WEIGHT = 1;
        }
        message ForceLocalZone {
          google.protobuf.UInt32Value min_size = 1;
        }
        bool force_locality_direct_routing = 4;
        ForceLocalZone force_local_zone = 5;
        LocalityBasis locality_basis = 6;`,
    },
  ],
  "envoy/extensions/common/ratelimit/v3/ratelimit.proto": [
    { after: "message LocalRateLimitDescriptor {", text: "bool shadow_mode = 3;" },
  ],
  "envoy/config/cluster/v3/cluster.proto": [
    {
      after: "message Cluster {",
      text: "google.protobuf.Duration dns_jitter = 58 [(validate.rules).duration = {gte {}}];",
    },
  ],
  "envoy/extensions/transport_sockets/tls/v3/tls.proto": [
    {
      after: "message UpstreamTlsContext {",
      text: "bool auto_host_sni = 6; bool auto_sni_san_validation = 7;",
    },
  ],
  "envoy/config/cluster/v3/outlier_detection.proto": [
    {
      after: "google.protobuf.BoolValue always_eject_one_host = 25;",
      text: "google.protobuf.BoolValue detect_degraded_hosts = 26;",
    },
  ],
  "envoy/config/route/v3/route_components.proto": [
    {
      after: 'import "envoy/type/metadata/v3/metadata.proto";',
      text: [
        'import "envoy/type/matcher/v3/address.proto";',
        'import "envoy/type/v3/ratelimit_unit.proto";',
      ].join("\n"),
    },
    {
      after: "message Tracing {",
      text: "string operation = 5; string upstream_operation = 6;",
    },
    {
      after: "message RateLimit {",
      text: `
        enum XRateLimitOption {
          UNSPECIFIED = 0;
          OFF = 1;
          DRAFT_VERSION_03 = 2;
        }
        message HitsAddend {
          google.protobuf.UInt64Value number = 1 [(validate.rules).uint64 = {lte: 1000000000}];
          string format = 2
              [(validate.rules).string = {prefix: "%" suffix: "%" ignore_empty: true}];
          bool is_negative_hits = 3;
        }
        HitsAddend hits_addend = 5;
        bool apply_on_stream_done = 6;
        XRateLimitOption x_ratelimit_option = 7;`,
    },
    {
      after: "oneof action_specifier {",
      text: `
        QueryParameters query_parameters = 12;
        RemoteAddressMatch remote_address_match = 13;`,
    },
    {
      after: "message Action {",
      text: `
        message QueryParameters {
          string query_parameter_name = 1 ${NOT_EMPTY};
          string descriptor_key = 2 ${NOT_EMPTY};
          bool skip_if_absent = 3;
        }
        message RemoteAddressMatch {
          string descriptor_value = 1 ${NOT_EMPTY};
          string descriptor_key = 2;
          string default_value = 3;
          type.matcher.v3.AddressMatcher address_matcher = 4
              [(validate.rules).message = {required: true}];
        }`,
    },
    { after: "message GenericKey {", text: "string default_value = 3;" },
    { after: "message HeaderValueMatch {", text: "string default_value = 5;" },
    { after: "message QueryParameterValueMatch {", text: "string default_value = 5;" },
    { after: "ROUTE_ENTRY = 1;", text: "CLUSTER_ENTRY = 2; CLUSTER_LOCALITY_ENTRY = 3;" },
    {
      after: "oneof override_specifier {",
      text: "RateLimitOverride rate_limit = 2;",
    },
    {
      after: "message Override {",
      text: `
        message RateLimitOverride {
          uint32 requests_per_unit = 1;
          type.v3.RateLimitUnit unit = 2 [(validate.rules).enum = {defined_only: true}];
        }`,
    },
  ],
};

/** Rules that Envoy 1.40 has otherwise: no bucket is too small, an empty value stands for any. */
const RELAXED: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  "envoy/config/core/v3/base.proto": [
    [
      "KeyValue entry = 1 [(validate.rules).message = {required: true}];",
      "KeyValue entry = 1 [(validate.rules).message = {skip: true}];",
    ],
    // Of a runtime feature flag.
    [
      "string runtime_key = 2 [(validate.rules).string = {min_len: 1}];\r\n}\r\n\r\nmessage KeyValue {",
      "string runtime_key = 2;\r\n}\r\n\r\nmessage KeyValue {",
    ],
  ],
  "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto": [
    ["common_config = 1 [(validate.rules).message = {required: true}];", "common_config = 1;"],
  ],
  "envoy/config/trace/v3/zipkin.proto": [
    [
      "string collector_cluster = 1 [(validate.rules).string = {min_len: 1}];",
      "string collector_cluster = 1;",
    ],
    [
      "string collector_endpoint = 2 [(validate.rules).string = {min_len: 1}];",
      "string collector_endpoint = 2;",
    ],
  ],
  "envoy/type/v3/token_bucket.proto": [
    ["uint32 max_tokens = 1 [(validate.rules).uint32 = {gt: 0}];", "uint32 max_tokens = 1;"],
  ],
  "envoy/extensions/common/ratelimit/v3/ratelimit.proto": [
    ["string value = 2 [(validate.rules).string = {min_len: 1}];", "string value = 2;"],
  ],
};

/** Brings the text of one file up to Envoy 1.40. */
export function addNewerFields(path: string, text: string): string {
  let newer = text;
  for (const [from, to] of RELAXED[path] ?? []) newer = replaceOnce(newer, from, to, path);
  for (const { after, text: added } of ADDITIONS[path] ?? []) {
    newer = replaceOnce(newer, after, `${after}\n${added}\n`, path);
  }
  return newer;
}

function replaceOnce(text: string, from: string, to: string, path: string): string {
  const [before = "", after, ...more] = text.split(from);
  if (after === undefined || more.length > 0) {
    throw new Error(`${path} has not exactly one "${from}": is its tree newer?`);
  }
  return before + to + after;
}
