import type { Cluster } from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  type HttpProtocolOptions as CommonOptions,
  HttpProtocolOptionsSchema as CommonOptionsSchema,
  type Http1ProtocolOptions,
  Http1ProtocolOptionsSchema,
  type Http2ProtocolOptions,
  type UpstreamHttpProtocolOptions,
  UpstreamHttpProtocolOptionsSchema,
} from "../../api/gen/envoy/config/core/v3/protocol_pb.js";
import {
  type HttpProtocolOptions,
  HttpProtocolOptions_AutoHttpConfigSchema,
  HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptions_UseDownstreamHttpConfigSchema,
  HttpProtocolOptionsSchema,
} from "../../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { HttpVersion, NameRules } from "../cluster/cluster-config.ts";
import type { HttpFilterConfig } from "../http/http-filter.ts";
import type { NameFormat } from "../http1/header-case.ts";
import type { HeadOptions } from "../http1/parse-head.ts";
import { HTTP2_DEFAULTS, type Http2Options } from "../http2/http2-options.ts";
import { decodeExtension, extension } from "./extension.ts";
import { decodeHeaderCase } from "./header-case.ts";
import { decodeHttp2Options } from "./http2-options.ts";
import { decodeUpstreamFilters } from "./upstream-filters.ts";

/** How a cluster's hosts are spoken to. */
export interface UpstreamOptions {
  /** The version of HTTP, and what decides about it where it is not fixed. */
  readonly version: HttpVersion;
  /** Whether the cluster is said to be spoken to in HTTP; else it may be for TCP. */
  readonly speaksHttp: boolean;
  readonly http2: Http2Options;
  readonly names: NameRules | undefined;
  readonly idleTimeoutMs: number;
  readonly maxDurationMs: number;
  readonly maxStreamDurationMs: number;
  readonly maxRequests: number;
  readonly responseHeads: HeadOptions;
  readonly passesTrailers: boolean;
  readonly sendsFullUrl: boolean;
  readonly nameFormat: NameFormat | undefined;
  readonly filters: readonly HttpFilterConfig[];
}

/** Envoy's defaults. */
const IDLE_TIMEOUT_MS = 3_600_000;
const HEADERS_MAX = 100;
const HEAD_BYTES_MAX = 61_440;

const DEFAULTS: UpstreamOptions = {
  version: "HTTP/1.1",
  speaksHttp: false,
  http2: HTTP2_DEFAULTS,
  names: undefined,
  idleTimeoutMs: IDLE_TIMEOUT_MS,
  maxDurationMs: 0,
  maxStreamDurationMs: 0,
  maxRequests: 0,
  responseHeads: {
    headBytesMax: HEAD_BYTES_MAX,
    headerCountMax: HEADERS_MAX,
    underscores: "allow",
    allowsChunkedLength: false,
  },
  passesTrailers: false,
  sendsFullUrl: false,
  nameFormat: undefined,
  filters: [],
};

const HTTP1_FIELDS = [
  // These only say something about requests that come in.
  "allow_absolute_url",
  "accept_http_10",
  "default_host_for_http_10",
  "allow_chunked_length",
  "enable_trailers",
  "header_key_format",
  "send_fully_qualified_url",
];

const HTTP_OPTIONS = extension(HttpProtocolOptionsSchema, decodeHttpOptions);

/** Decodes a cluster's protocol options, in their new place or, for HTTP/2, in the old. */
export function decodeUpstreamOptions(message: Cluster, issues: Issue[]): UpstreamOptions {
  let options = DEFAULTS;
  for (const [name, any] of Object.entries(message.typedExtensionProtocolOptions)) {
    const path = `typed_extension_protocol_options["${name}"]`;
    if (name !== HttpProtocolOptionsSchema.typeName) {
      const what = `Didn't find a registered network or http filter or protocol options implementation for name: '${name}'`;
      issues.push({ path, message: what });
    }
    options = decodeExtension([HTTP_OPTIONS], { name, any, path }, issues) ?? options;
  }
  const { http2ProtocolOptions: old } = message;
  // What stands in the new place counts alone, as in Envoy.
  if (old === undefined || options.speaksHttp) return options;
  const http2 = decodeHttp2Options(old, "http2_protocol_options", issues);
  return { ...options, version: "HTTP/2", speaksHttp: true, http2 };
}

function decodeHttpOptions(
  message: HttpProtocolOptions,
  path: string,
  issues: Issue[],
): UpstreamOptions {
  const fields = [
    "common_http_protocol_options",
    "explicit_http_config",
    "use_downstream_protocol_config",
    "auto_config",
    "upstream_http_protocol_options",
    "http_filters",
  ];
  issues.push(...refuseFields(HttpProtocolOptionsSchema, message, fields, path));
  const common = decodeCommon(
    message.commonHttpProtocolOptions,
    joinPath(path, "common_http_protocol_options"),
    issues,
  );
  const { version, http1, http2, nameFormat } = decodeProtocol(message, path, issues);
  return {
    ...common,
    version,
    speaksHttp: true,
    http2,
    names: decodeNames(
      message.upstreamHttpProtocolOptions,
      joinPath(path, "upstream_http_protocol_options"),
      issues,
    ),
    responseHeads: {
      ...common.responseHeads,
      allowsChunkedLength: http1?.allowChunkedLength ?? false,
    },
    passesTrailers: http1?.enableTrailers ?? false,
    sendsFullUrl: http1?.sendFullyQualifiedUrl ?? false,
    nameFormat,
    filters: decodeUpstreamFilters(message.httpFilters, path, issues),
  };
}

/** What is spoken, and how. */
interface Protocol {
  readonly version: HttpVersion;
  readonly http1?: Http1ProtocolOptions | undefined;
  readonly http2: Http2Options;
  readonly nameFormat?: NameFormat | undefined;
}

/** The options of both versions where they stand side by side, as in Envoy's messages. */
interface BothVersions {
  readonly httpProtocolOptions?: Http1ProtocolOptions | undefined;
  readonly http2ProtocolOptions?: Http2ProtocolOptions | undefined;
}

const BOTH_VERSIONS = ["http_protocol_options", "http2_protocol_options"];

function decodeProtocol(message: HttpProtocolOptions, path: string, issues: Issue[]): Protocol {
  const { upstreamProtocolOptions: options } = message;
  if (options.case === "useDownstreamProtocolConfig") {
    const at = joinPath(path, "use_downstream_protocol_config");
    // No client speaks HTTP/3 here, so its options are never used.
    const handled = [...BOTH_VERSIONS, "http3_protocol_options"];
    const schema = HttpProtocolOptions_UseDownstreamHttpConfigSchema;
    issues.push(...refuseFields(schema, options.value, handled, at));
    return decodeVersions("as the client", options.value, at, issues);
  }
  if (options.case === "autoConfig") {
    const at = joinPath(path, "auto_config");
    const schema = HttpProtocolOptions_AutoHttpConfigSchema;
    issues.push(...refuseFields(schema, options.value, BOTH_VERSIONS, at));
    return decodeVersions("by ALPN", options.value, at, issues);
  }
  if (options.case !== "explicitHttpConfig") return { version: "HTTP/1.1", http2: HTTP2_DEFAULTS };
  const at = joinPath(path, "explicit_http_config");
  const schema = HttpProtocolOptions_ExplicitHttpConfigSchema;
  issues.push(...refuseFields(schema, options.value, BOTH_VERSIONS, at));
  const { protocolConfig } = options.value;
  if (protocolConfig.case === "http2ProtocolOptions") {
    return decodeVersions("HTTP/2", { http2ProtocolOptions: protocolConfig.value }, at, issues);
  }
  const http1 = protocolConfig.case === "httpProtocolOptions" ? protocolConfig.value : undefined;
  return decodeVersions("HTTP/1.1", { httpProtocolOptions: http1 }, at, issues);
}

function decodeVersions(
  version: HttpVersion,
  { httpProtocolOptions: http1, http2ProtocolOptions: http2 }: BothVersions,
  path: string,
  issues: Issue[],
): Protocol {
  return {
    version,
    http1,
    http2: decodeHttp2Options(http2, joinPath(path, "http2_protocol_options"), issues),
    nameFormat: decodeHttp1(http1, path, issues),
  };
}

function decodeNames(
  message: UpstreamHttpProtocolOptions | undefined,
  path: string,
  issues: Issue[],
): NameRules | undefined {
  if (message === undefined) return undefined;
  const fields = ["auto_sni", "auto_san_validation", "override_auto_sni_header"];
  issues.push(...refuseFields(UpstreamHttpProtocolOptionsSchema, message, fields, path));
  const { autoSni, autoSanValidation, overrideAutoSniHeader } = message;
  if (!autoSni && !autoSanValidation) return undefined;
  return {
    setsServerName: autoSni,
    checksCertificate: autoSanValidation,
    header: wireText(overrideAutoSniHeader).toLowerCase(),
  };
}

/** How it writes the names of headers. */
function decodeHttp1(
  options: Http1ProtocolOptions | undefined,
  path: string,
  issues: Issue[],
): NameFormat | undefined {
  if (options === undefined) return undefined;
  const at = joinPath(path, "http_protocol_options");
  issues.push(...refuseFields(Http1ProtocolOptionsSchema, options, HTTP1_FIELDS, at));
  return decodeHeaderCase(options, at, issues);
}

function decodeCommon(
  common: CommonOptions | undefined,
  path: string,
  issues: Issue[],
): UpstreamOptions {
  if (common === undefined) return DEFAULTS;
  const fields = [
    "idle_timeout",
    "max_connection_duration",
    "max_headers_count",
    "max_stream_duration",
    "max_requests_per_connection",
    // Says what happens to requests; Envoy passes it over where it talks to upstreams.
    "headers_with_underscores_action",
  ];
  issues.push(...refuseFields(CommonOptionsSchema, common, fields, path));
  return {
    ...DEFAULTS,
    idleTimeoutMs: durationMs(common.idleTimeout) ?? IDLE_TIMEOUT_MS,
    maxDurationMs: durationMs(common.maxConnectionDuration) ?? 0,
    maxStreamDurationMs: durationMs(common.maxStreamDuration) ?? 0,
    maxRequests: common.maxRequestsPerConnection ?? 0,
    responseHeads: {
      ...DEFAULTS.responseHeads,
      headerCountMax: common.maxHeadersCount ?? HEADERS_MAX,
    },
  };
}
