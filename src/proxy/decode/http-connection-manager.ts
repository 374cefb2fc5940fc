import {
  Http1ProtocolOptionsSchema,
  HttpProtocolOptions_HeadersWithUnderscoresAction,
  HttpProtocolOptionsSchema,
} from "../../api/gen/envoy/config/core/v3/protocol_pb.js";
import {
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  type HttpConnectionManager,
  HttpConnectionManager_UpgradeConfigSchema,
  HttpConnectionManagerSchema,
  RdsSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerTransformation,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { RouteConfig } from "../../match/route-config.ts";
import { wireText } from "../../match/wire-text.ts";
import type { HttpConfig, ServerHeader } from "../http/http-config.ts";
import { decodeAccessLogs } from "./access-log.ts";
import { decodeClientCert } from "./client-cert.ts";
import { isAds } from "./config-source.ts";
import { decodeHttpFilters } from "./http-filters.ts";
import { decodeRouteTable } from "./route-table.ts";

/** Envoy's defaults. */
const HEADERS_KB = 60;
const HEADER_COUNT = 100;
const IDLE_TIMEOUT_MS = 3_600_000;
const STREAM_IDLE_TIMEOUT_MS = 300_000;
const DELAYED_CLOSE_MS = 1000;

const FIELDS = [
  "codec_type",
  "stat_prefix",
  "rds",
  "route_config",
  "http_filters",
  "common_http_protocol_options",
  "http_protocol_options",
  "server_name",
  "server_header_transformation",
  "max_request_headers_kb",
  "stream_idle_timeout",
  "request_headers_timeout",
  // A draining listener closes each connection after its response, sooner than this.
  "drain_timeout",
  "delayed_close_timeout",
  "access_log",
  "use_remote_address",
  "skip_xff_append",
  "generate_request_id",
  "preserve_external_request_id",
  "always_set_request_id_in_response",
  "forward_client_cert_details",
  "set_current_client_cert_details",
  "upgrade_configs",
  "normalize_path",
  "merge_slashes",
  "path_with_escaped_slashes_action",
  // Errors of HTTP/1.1 messages end the connection in either case.
  "stream_error_on_invalid_http_message",
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
  if (message.codecType !== CodecType.AUTO && message.codecType !== CodecType.HTTP1) {
    const what = `${CodecType[message.codecType] ?? message.codecType} is not supported yet`;
    issues.push({ path: joinPath(path, "codec_type"), message: what });
  }
  const timeouts = decodeTimeouts(message);
  const config: HttpConfig = {
    statPrefix: message.statPrefix,
    ...decodeRoutes(message, path, issues),
    ...decodeServerHeader(message),
    generatesRequestId: message.generateRequestId ?? true,
    keepsRequestId: message.preserveExternalRequestId,
    returnsRequestId: message.alwaysSetRequestIdInResponse,
    usesRemoteAddress: message.useRemoteAddress ?? false,
    skipsXffAppend: message.skipXffAppend,
    ...decodePathOptions(message, path, issues),
    writeClientCert: decodeClientCert(message, path, issues),
    upgrades: decodeUpgrades(message, path, issues),
    limits: decodeLimits(message, path, issues),
    ...timeouts,
    ...decodeHttpFilters(message.httpFilters, path, issues),
    accessLogs: decodeAccessLogs(message.accessLog, path, issues),
  };
  return issues.length === before ? config : undefined;
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

function decodePathOptions(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): Pick<HttpConfig, "normalizesPath" | "mergesSlashes"> {
  const action = message.pathWithEscapedSlashesAction;
  const kept = [EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT, EscapedSlashes.KEEP_UNCHANGED];
  if (!kept.includes(action)) {
    const what = `${EscapedSlashes[action] ?? action} is not supported yet`;
    issues.push({ path: joinPath(path, "path_with_escaped_slashes_action"), message: what });
  }
  if (message.mergeSlashes && message.normalizePath !== true) {
    const what = "without normalize_path is not supported yet";
    issues.push({ path: joinPath(path, "merge_slashes"), message: what });
  }
  return { normalizesPath: message.normalizePath ?? false, mergesSlashes: message.mergeSlashes };
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
    if (type === "connect" || type === "connect-udp") {
      issues.push({ path: upgradePath, message: "CONNECT is not supported yet" });
    }
    if (seen.has(type)) issues.push({ path: upgradePath, message: `"${type}" stands there twice` });
    seen.add(type);
    if (upgrade.enabled !== false) upgrades.add(type);
  }
  return upgrades;
}

function decodeLimits(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): HttpConfig["limits"] {
  const common = message.commonHttpProtocolOptions;
  if (common !== undefined) {
    const commonPath = joinPath(path, "common_http_protocol_options");
    const fields = ["idle_timeout", "max_headers_count", "headers_with_underscores_action"];
    issues.push(...refuseFields(HttpProtocolOptionsSchema, common, fields, commonPath));
    const allow = HttpProtocolOptions_HeadersWithUnderscoresAction.ALLOW;
    if (common.headersWithUnderscoresAction !== allow) {
      const what = "other than ALLOW is not supported yet";
      issues.push({ path: joinPath(commonPath, "headers_with_underscores_action"), message: what });
    }
  }
  const http1 = message.httpProtocolOptions;
  if (http1 !== undefined) {
    const http1Path = joinPath(path, "http_protocol_options");
    // An absolute target is always taken, as Envoy does by default.
    const fields = ["allow_absolute_url", "accept_http_10", "use_balsa_parser"];
    issues.push(...refuseFields(Http1ProtocolOptionsSchema, http1, fields, http1Path));
    if (http1.allowAbsoluteUrl === false) {
      const what = "false is not supported yet";
      issues.push({ path: joinPath(http1Path, "allow_absolute_url"), message: what });
    }
  }
  return {
    headBytesMax: (message.maxRequestHeadersKb ?? HEADERS_KB) * 1024,
    headerCountMax: common?.maxHeadersCount ?? HEADER_COUNT,
    acceptsHttp10: http1?.acceptHttp10 ?? false,
  };
}

type Timeouts = Pick<
  HttpConfig,
  "idleTimeoutMs" | "streamIdleTimeoutMs" | "headTimeoutMs" | "delayedCloseMs"
>;

function decodeTimeouts(message: HttpConnectionManager): Timeouts {
  const idle = message.commonHttpProtocolOptions?.idleTimeout;
  return {
    idleTimeoutMs: durationMs(idle) ?? IDLE_TIMEOUT_MS,
    streamIdleTimeoutMs: durationMs(message.streamIdleTimeout) ?? STREAM_IDLE_TIMEOUT_MS,
    headTimeoutMs: durationMs(message.requestHeadersTimeout) ?? 0,
    delayedCloseMs: durationMs(message.delayedCloseTimeout) ?? DELAYED_CLOSE_MS,
  };
}
