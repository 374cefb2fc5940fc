import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import type {
  AccessLogFilterSchema,
  AccessLogSchema,
} from "../api/gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { ApiVersion } from "../api/gen/envoy/config/core/v3/config_source_pb.js";
import type { TypedExtensionConfigSchema } from "../api/gen/envoy/config/core/v3/extension_pb.js";
import type { SubstitutionFormatStringSchema } from "../api/gen/envoy/config/core/v3/substitution_format_string_pb.js";
import { FileAccessLogSchema } from "../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js";
import { ExpressionFilterSchema } from "../api/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import {
  type CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js";
import { OpenTelemetryAccessLogConfigSchema } from "../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js";
import { MetadataSchema } from "../api/gen/envoy/extensions/formatter/metadata/v3/metadata_pb.js";
import { ReqWithoutQuerySchema } from "../api/gen/envoy/extensions/formatter/req_without_query/v3/req_without_query_pb.js";
import { packAny } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import type { AccessLogSettings } from "../model/mesh-settings.ts";
import type {
  GrpcLogSink,
  LogSink,
  AccessLog as ModelLog,
  OpenTelemetryLogSink,
  SideTelemetry,
} from "../model/proxy-telemetry.ts";

type AccessLog = MessageInitShape<typeof AccessLogSchema>;
type Filter = MessageInitShape<typeof AccessLogFilterSchema>;
type Format = Exclude<
  MessageInitShape<typeof SubstitutionFormatStringSchema>,
  { $typeName: string }
>;

/** The parts of Istio's log line, in its order: the name of the field in JSON, and the operator. */
const PARTS = {
  method: "%REQ(:METHOD)%",
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  protocol: "%PROTOCOL%",
  response_code: "%RESPONSE_CODE%",
  response_flags: "%RESPONSE_FLAGS%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  duration: "%DURATION%",
  upstream_service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%",
  user_agent: "%REQ(USER-AGENT)%",
  request_id: "%REQ(X-REQUEST-ID)%",
  authority: "%REQ(:AUTHORITY)%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  route_name: "%ROUTE_NAME%",
} as const;

const START_TIME = "%START_TIME%";

/** What may hold spaces. */
const QUOTED: ReadonlySet<string> = new Set([
  "upstream_transport_failure_reason",
  "x_forwarded_for",
  "user_agent",
  "request_id",
  "authority",
  "upstream_host",
]);

function defaultText(): string {
  const { method, path, protocol, ...rest } = PARTS;
  const parts = Object.entries(rest).map(([name, part]) => (QUOTED.has(name) ? `"${part}"` : part));
  return `[${START_TIME}] "${method} ${path} ${protocol}" ${parts.join(" ")}\n`;
}

const DEFAULT_TEXT = defaultText();
const DEFAULT_FIELDS: JsonObject = { start_time: START_TIME, ...PARTS };

/** What is logged: requests, connections of a TCP proxy, or those that no filter chain takes. */
export type Logged = "requests" | "connections" | "unmatched";

/** The logs of a connection manager or a TCP proxy, or those of connections that neither saw. */
export function accessLogs({ accessLogs: logs }: SideTelemetry, what: Logged): AccessLog[] {
  return logs.map((log) => accessLog(log, what));
}

/** Of `unmatched`: `NR` says so of requests without a route too, but those are not logged by listeners. */
const accessLog = memoise((log: ModelLog, what: Logged): AccessLog => {
  const filters = [
    ...(what === "unmatched" ? [NO_CHAIN] : []),
    ...(log.filter === undefined ? [] : [celFilter(log.filter)]),
  ];
  const [first] = filters;
  return {
    ...sinkOf(log.sink, what),
    ...(filters.length === 1 && { filter: first }),
    ...(filters.length > 1 && {
      filter: { filterSpecifier: { case: "andFilter", value: { filters } } },
    }),
  };
});

const NO_CHAIN: Filter = {
  filterSpecifier: { case: "responseFlagFilter", value: { flags: ["NR"] } },
};

function celFilter(expression: string): Filter {
  const message = create(ExpressionFilterSchema, { expression });
  const configType = {
    case: "typedConfig",
    value: packAny(ExpressionFilterSchema, message),
  } as const;
  const value = { name: "envoy.access_loggers.extension_filters.cel", configType };
  return { filterSpecifier: { case: "extensionFilter", value } };
}

type Sink = Pick<Exclude<AccessLog, { $typeName: string }>, "name" | "configType">;

function sinkOf(sink: LogSink, what: Logged): Sink {
  switch (sink.type) {
    case "file":
      return typed("envoy.access_loggers.file", fileConfig(sink));
    case "opentelemetry":
      return typed("envoy.access_loggers.open_telemetry", openTelemetryConfig(sink));
    case "http-grpc":
      return typed(HTTP_GRPC, httpGrpcConfig(sink));
    case "tcp-grpc":
      return typed(TCP_GRPC, tcpGrpcConfig(sink, sink.logName));
    case "grpc":
      return what === "requests"
        ? typed(HTTP_GRPC, httpGrpcConfig({ ...sink, logName: "http_envoy_accesslog" }))
        : typed(TCP_GRPC, tcpGrpcConfig(sink, LOG_NAMES[what]));
  }
}

const HTTP_GRPC = "envoy.access_loggers.http_grpc";
const TCP_GRPC = "envoy.tcp_grpc_access_log";
const LOG_NAMES = { connections: "tcp_envoy_accesslog", unmatched: "listener_envoy_accesslog" };

function typed(name: string, value: ReturnType<typeof packAny>): Sink {
  return { name, configType: { case: "typedConfig", value } };
}

function httpGrpcConfig(sink: GrpcLogSink): ReturnType<typeof packAny> {
  const message = create(HttpGrpcAccessLogConfigSchema, {
    commonConfig: commonConfig(sink, sink.logName),
    additionalRequestHeadersToLog: [...sink.requestHeaders],
    additionalResponseHeadersToLog: [...sink.responseHeaders],
    additionalResponseTrailersToLog: [...sink.responseTrailers],
  });
  return packAny(HttpGrpcAccessLogConfigSchema, message);
}

function tcpGrpcConfig(sink: GrpcLogSink, logName: string): ReturnType<typeof packAny> {
  const message = create(TcpGrpcAccessLogConfigSchema, {
    commonConfig: commonConfig(sink, logName),
  });
  return packAny(TcpGrpcAccessLogConfigSchema, message);
}

function commonConfig(
  { clusterName, hostname, filterStates }: GrpcLogSink | OpenTelemetryLogSink,
  logName: string,
): MessageInitShape<typeof CommonGrpcAccessLogConfigSchema> {
  return {
    logName,
    grpcService: {
      targetSpecifier: { case: "envoyGrpc", value: { clusterName, authority: hostname } },
    },
    transportApiVersion: ApiVersion.V3,
    filterStateObjectsToLog: [...filterStates],
  };
}

function openTelemetryConfig(sink: OpenTelemetryLogSink): ReturnType<typeof packAny> {
  const { body = DEFAULT_TEXT, attributes } = sink;
  const values = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = (value: string) => ({ value: { case: "stringValue" as const, value } });
  const message = create(OpenTelemetryAccessLogConfigSchema, {
    commonConfig: commonConfig(sink, sink.logName),
    disableBuiltinLabels: true,
    body: text(body),
    ...(values.length > 0 && {
      attributes: { values: values.map(([key, value]) => ({ key, value: text(value) })) },
    }),
    formatters: formattersOf(body + values.map(([, value]) => value).join("")),
  });
  return packAny(OpenTelemetryAccessLogConfigSchema, message);
}

function fileConfig(settings: AccessLogSettings): ReturnType<typeof packAny> {
  const value = { ...formatOf(settings), ...(settings.omitsEmpty && { omitEmptyValues: true }) };
  const message = create(FileAccessLogSchema, {
    path: settings.path,
    accessLogFormat: { case: "logFormat", value },
  });
  return packAny(FileAccessLogSchema, message);
}

function formatOf({ format }: AccessLogSettings): Format {
  if (format.encoding === "JSON") {
    const value = (format.fields ?? DEFAULT_FIELDS) as JsonObject;
    return {
      format: { case: "jsonFormat", value: sorted(value) },
      formatters: formattersOf(JSON.stringify(value)),
    };
  }
  const text = format.text === undefined ? DEFAULT_TEXT : withLineEnd(format.text);
  const source = { specifier: { case: "inlineString", value: text } } as const;
  return {
    format: { case: "textFormatSource", value: source },
    formatters: formattersOf(text),
  };
}

function withLineEnd(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** In order, since bytes must not depend on who wrote the fields down. */
function sorted(fields: JsonObject): JsonObject {
  const names = Object.keys(fields).sort();
  return Object.fromEntries(names.map((name) => [name, fields[name] ?? null]));
}

/** The operators that Envoy has as extensions. */
function formattersOf(text: string): MessageInitShape<typeof TypedExtensionConfigSchema>[] {
  return [
    ...(text.includes("%REQ_WITHOUT_QUERY(")
      ? [
          {
            name: "envoy.formatter.req_without_query",
            typedConfig: packAny(ReqWithoutQuerySchema, create(ReqWithoutQuerySchema)),
          },
        ]
      : []),
    ...(text.includes("%METADATA(")
      ? [
          {
            name: "envoy.formatter.metadata",
            typedConfig: packAny(MetadataSchema, create(MetadataSchema)),
          },
        ]
      : []),
  ];
}
