import {
  Http1ProtocolOptionsSchema,
  HttpProtocolOptionsSchema,
  SchemeHeaderTransformationSchema,
  HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores,
} from "../../api/gen/envoy/config/core/v3/protocol_pb.js";
import {
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashesAction,
  type HttpConnectionManager,
  HttpConnectionManager_InternalAddressConfigSchema as InternalAddressSchema,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { type CidrRange, compileCidrTest } from "../../base/cidr.ts";
import type { Issue } from "../../base/issue.ts";
import { decodeCidr } from "../../match/cidr-match.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { ClientAddressOptions } from "../http/client-address.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { UnderscoreAction } from "../http/parse-fields.ts";
import { compileTarget, type EscapedSlashes } from "../http/request-target.ts";
import { decodeHeaderCase } from "./header-case.ts";

/** Fields of a connection manager that are decoded here. */
export const OPTION_FIELDS: readonly string[] = [
  "common_http_protocol_options",
  "http_protocol_options",
  "max_request_headers_kb",
  "request_timeout",
  "use_remote_address",
  "xff_num_trusted_hops",
  "skip_xff_append",
  "append_x_forwarded_port",
  "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
  "internal_address_config",
  "via",
  "proxy_100_continue",
  "scheme_header_transformation",
  "normalize_path",
  "merge_slashes",
  "path_with_escaped_slashes_action",
  "strip_trailing_host_dot",
  "strip_matching_host_port",
  "strip_any_host_port",
  // Of HTTP/2; errors of HTTP/1.1 messages end the connection in either case.
  "stream_error_on_invalid_http_message",
];

/** Envoy's defaults. */
const HEADERS_KB = 60;
const HEADER_COUNT = 100;

type Options = Pick<
  HttpConfig,
  | "client"
  | "prepareTarget"
  | "scheme"
  | "via"
  | "limits"
  | "passesTrailers"
  | "nameFormat"
  | "proxies100Continue"
>;

/** Decodes how requests are read and their headers put right. */
export function decodeHttpOptions(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): Options {
  return {
    client: decodeClient(message, path, issues),
    prepareTarget: decodeTarget(message, path, issues),
    scheme: decodeScheme(message, path, issues),
    via: wireText(message.via),
    limits: decodeLimits(message, path, issues),
    nameFormat: decodeHeaderCase(
      message.httpProtocolOptions,
      joinPath(path, "http_protocol_options"),
      issues,
    ),
    passesTrailers: message.httpProtocolOptions?.enableTrailers ?? false,
    proxies100Continue: message.proxy100Continue,
  };
}

function decodeClient(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): ClientAddressOptions {
  return {
    usesRemoteAddress: message.useRemoteAddress ?? false,
    trustedHops: message.xffNumTrustedHops,
    skipsXffAppend: message.skipXffAppend,
    appendsForwardedPort: message.appendXForwardedPort,
    writesIpv4AsIpv6: message.representIpv4RemoteAddressAsIpv4MappedIpv6,
    isInternal: decodeInternal(message, joinPath(path, "internal_address_config"), issues),
  };
}

function decodeInternal(
  { internalAddressConfig: config }: HttpConnectionManager,
  path: string,
  issues: Issue[],
): ClientAddressOptions["isInternal"] {
  if (config === undefined) return undefined;
  issues.push(...refuseFields(InternalAddressSchema, config, ["cidr_ranges"], path));
  const ranges: CidrRange[] = [];
  for (const [at, range] of config.cidrRanges.entries()) {
    const decoded = decodeCidr(range, joinPath(path, `cidr_ranges[${at}]`), issues);
    if (decoded !== undefined) ranges.push(decoded);
  }
  return ranges.length === 0 ? undefined : compileCidrTest(ranges);
}

const ESCAPED_SLASHES: Readonly<Record<EscapedSlashesAction, EscapedSlashes>> = {
  // A runtime key, which nobody has set, chooses among the others.
  [EscapedSlashesAction.IMPLEMENTATION_SPECIFIC_DEFAULT]: "keep",
  [EscapedSlashesAction.KEEP_UNCHANGED]: "keep",
  [EscapedSlashesAction.REJECT_REQUEST]: "reject",
  [EscapedSlashesAction.UNESCAPE_AND_REDIRECT]: "redirect",
  [EscapedSlashesAction.UNESCAPE_AND_FORWARD]: "forward",
};

function decodeTarget(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): HttpConfig["prepareTarget"] {
  if (message.stripMatchingHostPort && message.stripPortMode.case === "stripAnyHostPort") {
    const what = "cannot be set together with strip_any_host_port";
    issues.push({ path: joinPath(path, "strip_matching_host_port"), message: what });
  }
  const stripsAny =
    message.stripPortMode.case === "stripAnyHostPort" && message.stripPortMode.value;
  return compileTarget({
    normalizesPath: message.normalizePath ?? false,
    mergesSlashes: message.mergeSlashes,
    escapedSlashes: ESCAPED_SLASHES[message.pathWithEscapedSlashesAction] ?? "keep",
    stripsTrailingHostDot: message.stripTrailingHostDot,
    stripsHostPort: stripsAny ? "any" : message.stripMatchingHostPort ? "matching" : "none",
  });
}

function decodeScheme(
  { schemeHeaderTransformation: given }: HttpConnectionManager,
  parent: string,
  issues: Issue[],
): HttpConfig["scheme"] {
  if (given === undefined) return "";
  const path = joinPath(parent, "scheme_header_transformation");
  const fields = ["scheme_to_overwrite"];
  issues.push(...refuseFields(SchemeHeaderTransformationSchema, given, fields, path));
  if (given.transformation.case !== "schemeToOverwrite") return "";
  const scheme = given.transformation.value;
  if (scheme === "http" || scheme === "https") return scheme;
  const what = `"${scheme}" is neither "http" nor "https"`;
  issues.push({ path: joinPath(path, "scheme_to_overwrite"), message: what });
  return "";
}

const UNDERSCORES: Readonly<Record<Underscores, UnderscoreAction>> = {
  [Underscores.ALLOW]: "allow",
  [Underscores.REJECT_REQUEST]: "reject",
  [Underscores.DROP_HEADER]: "drop",
};

function decodeLimits(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): HttpConfig["limits"] {
  const common = message.commonHttpProtocolOptions;
  if (common !== undefined) {
    const at = joinPath(path, "common_http_protocol_options");
    const fields = [
      "idle_timeout",
      "max_connection_duration",
      "max_headers_count",
      "max_requests_per_connection",
      "max_stream_duration",
      "headers_with_underscores_action",
    ];
    issues.push(...refuseFields(HttpProtocolOptionsSchema, common, fields, at));
  }
  const http1 = message.httpProtocolOptions;
  if (http1 !== undefined) {
    const at = joinPath(path, "http_protocol_options");
    const fields = [
      "allow_absolute_url",
      "accept_http_10",
      "default_host_for_http_10",
      "allow_chunked_length",
      "enable_trailers",
      "header_key_format",
      // Says what happens to requests that go out.
      "send_fully_qualified_url",
      "use_balsa_parser",
      // Errors of HTTP/1.1 messages end the connection in either case.
      "override_stream_error_on_invalid_http_message",
    ];
    issues.push(...refuseFields(Http1ProtocolOptionsSchema, http1, fields, at));
  }
  const kilobytes = message.maxRequestHeadersKb ?? HEADERS_KB;
  return {
    headBytesMax: kilobytes * 1024,
    headerCountMax: common?.maxHeadersCount ?? HEADER_COUNT,
    underscores: UNDERSCORES[common?.headersWithUnderscoresAction ?? Underscores.ALLOW] ?? "allow",
    acceptsHttp10: http1?.acceptHttp10 ?? false,
    defaultHost10: wireText(http1?.defaultHostForHttp10 ?? ""),
    takesAbsoluteUrl: http1?.allowAbsoluteUrl ?? true,
    allowsChunkedLength: http1?.allowChunkedLength ?? false,
  };
}

const IDLE_TIMEOUT_MS = 3_600_000;
const STREAM_IDLE_TIMEOUT_MS = 300_000;
const DELAYED_CLOSE_MS = 1000;

type Timeouts = Pick<
  HttpConfig,
  | "idleTimeoutMs"
  | "streamIdleTimeoutMs"
  | "streamDurationMsMax"
  | "requestTimeoutMs"
  | "requestsMax"
  | "connectionDurationMsMax"
  | "headTimeoutMs"
  | "delayedCloseMs"
>;

/** Decodes how long a connection manager waits, and how much it takes of one connection. */
export function decodeTimeouts(message: HttpConnectionManager): Timeouts {
  const common = message.commonHttpProtocolOptions;
  return {
    idleTimeoutMs: durationMs(common?.idleTimeout) ?? IDLE_TIMEOUT_MS,
    streamDurationMsMax: durationMs(common?.maxStreamDuration) ?? 0,
    requestTimeoutMs: durationMs(message.requestTimeout) ?? 0,
    requestsMax: common?.maxRequestsPerConnection ?? 0,
    connectionDurationMsMax: durationMs(common?.maxConnectionDuration) ?? 0,
    streamIdleTimeoutMs: durationMs(message.streamIdleTimeout) ?? STREAM_IDLE_TIMEOUT_MS,
    headTimeoutMs: durationMs(message.requestHeadersTimeout) ?? 0,
    delayedCloseMs: durationMs(message.delayedCloseTimeout) ?? DELAYED_CLOSE_MS,
  };
}
