import {
  HttpConnectionManager_CodecType as CodecType,
  type HttpConnectionManager,
  HttpConnectionManager_UpgradeConfigSchema,
  HttpConnectionManagerSchema,
  RdsSchema,
  type RequestIDExtension,
  RequestIDExtensionSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerTransformation,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { UuidRequestIdConfigSchema } from "../../api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { RouteConfig } from "../../match/route-config.ts";
import { wireText } from "../../match/wire-text.ts";
import type { HttpConfig, ServerHeader } from "../http/http-config.ts";
import type { LogMoments } from "../http/stream-log.ts";
import type { RequestIdOptions } from "../tracing/trace-decision.ts";
import { decodeAccessLogs } from "./access-log.ts";
import { decodeClientCert } from "./client-cert.ts";
import { isAds } from "./config-source.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeHttpFilters } from "./http-filters.ts";
import { decodeHttpOptions, decodeTimeouts, OPTION_FIELDS } from "./http-options.ts";
import { decodeHttp2Options } from "./http2-options.ts";
import { decodeLocalReplies } from "./local-replies.ts";
import { decodeRouteTable } from "./route-table.ts";
import { decodeTracing } from "./tracing.ts";

const FIELDS = [
  ...OPTION_FIELDS,
  "codec_type",
  "stat_prefix",
  "rds",
  "route_config",
  "http_filters",
  "server_name",
  "server_header_transformation",
  "stream_idle_timeout",
  "request_headers_timeout",
  // Of HTTP/1.1 each connection is closed after its response, sooner than this.
  "drain_timeout",
  "delayed_close_timeout",
  "access_log",
  "access_log_flush_interval",
  "access_log_options",
  "flush_access_log_on_new_request",
  "local_reply_config",
  "generate_request_id",
  "preserve_external_request_id",
  "always_set_request_id_in_response",
  "forward_client_cert_details",
  "set_current_client_cert_details",
  "upgrade_configs",
  "request_id_extension",
  "tracing",
  "http2_protocol_options",
];

/** Decodes an HTTP connection manager; `undefined` when it is wrong. */
export function decodeHttpConnectionManager(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): HttpConfig | undefined {
  const before = issues.length;
  issues.push(...refuseFields(HttpConnectionManagerSchema, message, FIELDS, path));
  if (message.statPrefix === "") {
    issues.push({ path: joinPath(path, "stat_prefix"), message: "is missing" });
  }
  const requestIds = decodeRequestId(message.requestIdExtension, path, issues);
  const config: HttpConfig = {
    statPrefix: message.statPrefix,
    ...decodeRoutes(message, path, issues),
    ...decodeServerHeader(message),
    generatesRequestId: message.generateRequestId ?? true,
    keepsRequestId: message.preserveExternalRequestId,
    returnsRequestId: message.alwaysSetRequestIdInResponse,
    ...decodeHttpOptions(message, path, issues),
    ...decodeCodec(message, path, issues),
    writeClientCert: decodeClientCert(message, path, issues),
    upgrades: decodeUpgrades(message, path, issues),
    ...decodeTimeouts(message),
    ...decodeHttpFilters(message.httpFilters, path, issues),
    tracing:
      message.tracing &&
      decodeTracing(message.tracing, requestIds, joinPath(path, "tracing"), issues),
    accessLogs: decodeAccessLogs(message.accessLog, path, issues),
    logMoments: decodeLogMoments(message, path, issues),
    localReplies:
      message.localReplyConfig &&
      decodeLocalReplies(message.localReplyConfig, joinPath(path, "local_reply_config"), issues),
  };
  return issues.length === before ? config : undefined;
}

/** When entries are written besides; the fields outside of `access_log_options` are the old ones. */
function decodeLogMoments(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): LogMoments | undefined {
  const { accessLogOptions: options } = message;
  const isOld = message.accessLogFlushInterval !== undefined || message.flushAccessLogOnNewRequest;
  if (options === undefined) {
    if (!isOld) return undefined;
    const everyMs = durationMs(message.accessLogFlushInterval) ?? 0;
    return { onRequest: message.flushAccessLogOnNewRequest, onTunnel: false, everyMs };
  }
  if (isOld) {
    const what =
      "Only one of access_log_options or specific access_log_flush_interval or " +
      "flush_access_log_on_new_request can be specified.";
    issues.push({ path: joinPath(path, "access_log_options"), message: what });
  }
  return {
    onRequest: options.flushAccessLogOnNewRequest,
    onTunnel: options.flushLogOnTunnelSuccessfullyEstablished,
    everyMs: durationMs(options.accessLogFlushInterval) ?? 0,
  };
}

const DRAIN_TIMEOUT_MS = 5000;

const CODECS: ReadonlyMap<CodecType, HttpConfig["codec"]> = new Map([
  [CodecType.AUTO, "AUTO"],
  [CodecType.HTTP1, "HTTP1"],
  [CodecType.HTTP2, "HTTP2"],
]);

function decodeCodec(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): Pick<HttpConfig, "codec" | "http2" | "drainTimeoutMs"> {
  const codec = CODECS.get(message.codecType);
  if (codec === undefined) {
    const what = `${CodecType[message.codecType] ?? message.codecType} is not supported yet`;
    issues.push({ path: joinPath(path, "codec_type"), message: what });
  }
  const http2 = decodeHttp2Options(
    message.http2ProtocolOptions,
    joinPath(path, "http2_protocol_options"),
    issues,
    message.streamErrorOnInvalidHttpMessage,
  );
  const drainTimeoutMs = durationMs(message.drainTimeout) ?? DRAIN_TIMEOUT_MS;
  return { codec: codec ?? "AUTO", http2, drainTimeoutMs };
}

/** UUIDs, which is what Envoy has without it. Its options concern traces. */
const UUID: Extension<RequestIdOptions> = extension(
  UuidRequestIdConfigSchema,
  (message, path, issues) => {
    const fields = ["pack_trace_reason", "use_request_id_for_trace_sampling"];
    issues.push(...refuseFields(UuidRequestIdConfigSchema, message, fields, path));
    return {
      packsReason: message.packTraceReason ?? true,
      samplesById: message.useRequestIdForTraceSampling ?? true,
    };
  },
);

const REQUEST_IDS: RequestIdOptions = { packsReason: true, samplesById: true };

function decodeRequestId(
  message: RequestIDExtension | undefined,
  parent: string,
  issues: Issue[],
): RequestIdOptions {
  if (message === undefined) return REQUEST_IDS;
  const path = joinPath(parent, "request_id_extension");
  issues.push(...refuseFields(RequestIDExtensionSchema, message, ["typed_config"], path));
  const any = message.typedConfig;
  return decodeExtension([UUID], { name: "", any, path }, issues) ?? REQUEST_IDS;
}

function decodeRoutes(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): { rdsName: string; inlineRoutes: RouteConfig | undefined } {
  const { routeSpecifier: specifier } = message;
  if (specifier.case === "rds") {
    const rdsPath = joinPath(path, "rds");
    const fields = ["config_source", "route_config_name"];
    issues.push(...refuseFields(RdsSchema, specifier.value, fields, rdsPath));
    isAds(specifier.value.configSource, joinPath(rdsPath, "config_source"), issues);
    const rdsName = specifier.value.routeConfigName;
    if (rdsName === "") {
      issues.push({ path: joinPath(rdsPath, "route_config_name"), message: "is missing" });
    }
    return { rdsName, inlineRoutes: undefined };
  }
  if (specifier.case === "routeConfig") {
    const decoded = decodeRouteTable(specifier.value);
    if (decoded.ok && decoded.value.onDemand !== undefined) {
      const what = "only works in a table that comes by `rds`: ask for this one so";
      issues.push({ path: joinPath(path, "route_config.vhds"), message: what });
    }
    if (decoded.ok) return { rdsName: "", inlineRoutes: decoded.value };
    for (const issue of decoded.issues) {
      issues.push({ ...issue, path: joinPath(joinPath(path, "route_config"), issue.path) });
    }
  } else if (specifier.case === undefined) {
    issues.push({ path, message: "has no route_specifier" });
  }
  return { rdsName: "", inlineRoutes: undefined };
}

const SERVER_HEADERS: Readonly<Record<ServerTransformation, ServerHeader>> = {
  [ServerTransformation.OVERWRITE]: "overwrite",
  [ServerTransformation.APPEND_IF_ABSENT]: "append_if_absent",
  [ServerTransformation.PASS_THROUGH]: "pass_through",
};

function decodeServerHeader(
  message: HttpConnectionManager,
): Pick<HttpConfig, "serverName" | "serverHeader"> {
  return {
    serverName: wireText(message.serverName) || "envoy",
    serverHeader: SERVER_HEADERS[message.serverHeaderTransformation] ?? "overwrite",
  };
}

function decodeUpgrades(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): ReadonlySet<string> {
  const upgrades = new Set<string>();
  const seen = new Set<string>();
  for (const [at, upgrade] of message.upgradeConfigs.entries()) {
    const upgradePath = joinPath(path, `upgrade_configs[${at}]`);
    const fields = ["upgrade_type", "enabled"];
    const schema = HttpConnectionManager_UpgradeConfigSchema;
    issues.push(...refuseFields(schema, upgrade, fields, upgradePath));
    const type = upgrade.upgradeType.toLowerCase();
    if (type === "connect-udp") {
      issues.push({ path: upgradePath, message: "CONNECT-UDP is not supported yet" });
    }
    if (seen.has(type)) issues.push({ path: upgradePath, message: `"${type}" stands there twice` });
    seen.add(type);
    if (upgrade.enabled !== false) upgrades.add(type);
  }
  return upgrades;
}
