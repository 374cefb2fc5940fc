/**
 * What Envoy 1.40 reads and writes and no protobuf tree of `@grpc/grpc-js-xds` carries. Names and numbers
 * are those of the descriptors inside Envoy's program; of what weft only writes, as much as it writes.
 */

/** By path: files that no tree carries. */
export const NEWER_FILES: Readonly<Record<string, string>> = {
  "zipkin.proto": [
    'syntax = "proto3";',
    "package zipkin.proto3;",
    `message Span {
      enum Kind {
        SPAN_KIND_UNSPECIFIED = 0;
        CLIENT = 1;
        SERVER = 2;
        PRODUCER = 3;
        CONSUMER = 4;
      }
      bytes trace_id = 1;
      bytes parent_id = 2;
      bytes id = 3;
      Kind kind = 4;
      string name = 5;
      fixed64 timestamp = 6;
      uint64 duration = 7;
      Endpoint local_endpoint = 8;
      repeated Annotation annotations = 10;
      map<string, string> tags = 11;
      bool shared = 13;
    }
    message Endpoint {
      string service_name = 1;
      bytes ipv4 = 2;
      bytes ipv6 = 3;
      int32 port = 4;
    }
    message Annotation {
      fixed64 timestamp = 1;
      string value = 2;
    }
    message ListOfSpans {
      repeated Span spans = 1;
    }`,
  ].join("\n"),
  "envoy/config/core/v3/cel.proto": [
    'syntax = "proto3";',
    "package envoy.config.core.v3;",
    `message CelExpressionConfig {
      bool enable_string_conversion = 1;
      bool enable_string_concat = 2;
      bool enable_string_functions = 3;
    }`,
  ].join("\n"),
  "opentelemetry/proto/common/v1/common.proto": [
    'syntax = "proto3";',
    "package opentelemetry.proto.common.v1;",
    `message AnyValue {
      oneof value {
        string string_value = 1;
        bool bool_value = 2;
        int64 int_value = 3;
        double double_value = 4;
        ArrayValue array_value = 5;
        KeyValueList kvlist_value = 6;
        bytes bytes_value = 7;
      }
    }
    message ArrayValue {
      repeated AnyValue values = 1;
    }
    message KeyValueList {
      repeated KeyValue values = 1;
    }
    message KeyValue {
      string key = 1;
      AnyValue value = 2;
    }
    message InstrumentationScope {
      string name = 1;
      string version = 2;
    }`,
  ].join("\n"),
  "opentelemetry/proto/resource/v1/resource.proto": [
    'syntax = "proto3";',
    "package opentelemetry.proto.resource.v1;",
    'import "opentelemetry/proto/common/v1/common.proto";',
    "message Resource { repeated common.v1.KeyValue attributes = 1; }",
  ].join("\n"),
  "opentelemetry/proto/logs/v1/logs.proto": [
    'syntax = "proto3";',
    "package opentelemetry.proto.logs.v1;",
    'import "opentelemetry/proto/common/v1/common.proto";',
    'import "opentelemetry/proto/resource/v1/resource.proto";',
    `message ResourceLogs {
      resource.v1.Resource resource = 1;
      repeated ScopeLogs scope_logs = 2;
      string schema_url = 3;
    }
    message ScopeLogs {
      common.v1.InstrumentationScope scope = 1;
      repeated LogRecord log_records = 2;
      string schema_url = 3;
    }
    message LogRecord {
      fixed64 time_unix_nano = 1;
      fixed64 observed_time_unix_nano = 11;
      string severity_text = 3;
      common.v1.AnyValue body = 5;
      repeated common.v1.KeyValue attributes = 6;
      uint32 dropped_attributes_count = 7;
      fixed32 flags = 8;
      bytes trace_id = 9;
      bytes span_id = 10;
      string event_name = 12;
    }`,
  ].join("\n"),
  "opentelemetry/proto/collector/logs/v1/logs_service.proto": [
    'syntax = "proto3";',
    "package opentelemetry.proto.collector.logs.v1;",
    'import "opentelemetry/proto/logs/v1/logs.proto";',
    `message ExportLogsServiceRequest {
      repeated opentelemetry.proto.logs.v1.ResourceLogs resource_logs = 1;
    }
    message ExportLogsServiceResponse {
      message PartialSuccess {
        int64 rejected_log_records = 1;
        string error_message = 2;
      }
      PartialSuccess partial_success = 1;
    }
    service LogsService {
      rpc Export(ExportLogsServiceRequest) returns (ExportLogsServiceResponse);
    }`,
  ].join("\n"),
  "opentelemetry/proto/trace/v1/trace.proto": [
    'syntax = "proto3";',
    "package opentelemetry.proto.trace.v1;",
    'import "opentelemetry/proto/common/v1/common.proto";',
    'import "opentelemetry/proto/resource/v1/resource.proto";',
    `message ResourceSpans {
      resource.v1.Resource resource = 1;
      repeated ScopeSpans scope_spans = 2;
      string schema_url = 3;
    }
    message ScopeSpans {
      common.v1.InstrumentationScope scope = 1;
      repeated Span spans = 2;
    }
    message Span {
      enum SpanKind {
        SPAN_KIND_UNSPECIFIED = 0;
        SPAN_KIND_INTERNAL = 1;
        SPAN_KIND_SERVER = 2;
        SPAN_KIND_CLIENT = 3;
        SPAN_KIND_PRODUCER = 4;
        SPAN_KIND_CONSUMER = 5;
      }
      message Event {
        fixed64 time_unix_nano = 1;
        string name = 2;
      }
      bytes trace_id = 1;
      bytes span_id = 2;
      string trace_state = 3;
      bytes parent_span_id = 4;
      string name = 5;
      SpanKind kind = 6;
      fixed64 start_time_unix_nano = 7;
      fixed64 end_time_unix_nano = 8;
      repeated common.v1.KeyValue attributes = 9;
      repeated Event events = 11;
      Status status = 15;
      fixed32 flags = 16;
    }
    message Status {
      enum StatusCode {
        STATUS_CODE_UNSET = 0;
        STATUS_CODE_OK = 1;
        STATUS_CODE_ERROR = 2;
      }
      string message = 2;
      StatusCode code = 3;
    }`,
  ].join("\n"),
  "opentelemetry/proto/collector/trace/v1/trace_service.proto": [
    'syntax = "proto3";',
    "package opentelemetry.proto.collector.trace.v1;",
    'import "opentelemetry/proto/trace/v1/trace.proto";',
    `message ExportTraceServiceRequest {
      repeated opentelemetry.proto.trace.v1.ResourceSpans resource_spans = 1;
    }
    message ExportTraceServiceResponse {
      message PartialSuccess {
        int64 rejected_spans = 1;
        string error_message = 2;
      }
      PartialSuccess partial_success = 1;
    }
    service TraceService {
      rpc Export(ExportTraceServiceRequest) returns (ExportTraceServiceResponse);
    }`,
  ].join("\n"),
  "envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler.proto": [
    'syntax = "proto3";',
    "package envoy.extensions.tracers.opentelemetry.samplers.v3;",
    'import "envoy/type/v3/percent.proto";',
    "message TraceIdRatioBasedSamplerConfig {",
    "  type.v3.FractionalPercent sampling_percentage = 1;",
    "}",
  ].join("\n"),
  "envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler.proto": [
    'syntax = "proto3";',
    "package envoy.extensions.tracers.opentelemetry.samplers.v3;",
    'import "envoy/config/core/v3/extension.proto";',
    "message ParentBasedSamplerConfig {",
    "  config.core.v3.TypedExtensionConfig wrapped_sampler = 1;",
    "}",
  ].join("\n"),
  "envoy/type/matcher/v3/address.proto": [
    'syntax = "proto3";',
    "package envoy.type.matcher.v3;",
    'import "xds/core/v3/cidr.proto";',
    "message AddressMatcher {",
    "  repeated xds.core.v3.CidrRange ranges = 1;",
    "  bool invert_match = 2;",
    "}",
  ].join("\n"),
};
