import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import type { AccessLogSchema } from "../api/gen/envoy/config/accesslog/v3/accesslog_pb.js";
import type { TypedExtensionConfigSchema } from "../api/gen/envoy/config/core/v3/extension_pb.js";
import type { SubstitutionFormatStringSchema } from "../api/gen/envoy/config/core/v3/substitution_format_string_pb.js";
import { FileAccessLogSchema } from "../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js";
import { MetadataSchema } from "../api/gen/envoy/extensions/formatter/metadata/v3/metadata_pb.js";
import { ReqWithoutQuerySchema } from "../api/gen/envoy/extensions/formatter/req_without_query/v3/req_without_query_pb.js";
import { packAny } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import type { AccessLogSettings, MeshSettings } from "../model/mesh-settings.ts";

type AccessLog = MessageInitShape<typeof AccessLogSchema>;
type Format = MessageInitShape<typeof SubstitutionFormatStringSchema>;

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

/** The log of each request or TCP connection, where the mesh keeps one. */
export function accessLogs({ accessLog }: MeshSettings): AccessLog[] {
  return accessLog === undefined ? [] : [fileLog(accessLog)];
}

/**
 * The log of connections that no filter chain takes, which no filter can tell of. (`NR` says that
 * too of requests without a route, but those are not logged by listeners.)
 */
export function listenerLogs({ accessLog, isListenerLogged }: MeshSettings): AccessLog[] {
  return accessLog === undefined || !isListenerLogged ? [] : [unmatchedLog(accessLog)];
}

const fileLog = memoise(
  (settings: AccessLogSettings): AccessLog => ({
    name: FILE_LOG,
    configType: { case: "typedConfig", value: fileConfig(settings) },
  }),
);

const unmatchedLog = memoise(
  (settings: AccessLogSettings): AccessLog => ({
    name: FILE_LOG,
    configType: { case: "typedConfig", value: fileConfig(settings) },
    filter: { filterSpecifier: { case: "responseFlagFilter", value: { flags: ["NR"] } } },
  }),
);

const FILE_LOG = "envoy.access_loggers.file";

function fileConfig(settings: AccessLogSettings): ReturnType<typeof packAny> {
  const message = create(FileAccessLogSchema, {
    path: settings.path,
    accessLogFormat: { case: "logFormat", value: formatOf(settings) },
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
