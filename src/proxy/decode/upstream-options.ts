import type { Cluster } from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  type HttpProtocolOptions as CommonOptions,
  HttpProtocolOptionsSchema as CommonOptionsSchema,
  Http1ProtocolOptionsSchema,
} from "../../api/gen/envoy/config/core/v3/protocol_pb.js";
import {
  type HttpProtocolOptions,
  HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptionsSchema,
} from "../../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { decodeExtension, extension } from "./extension.ts";

/** How a cluster's hosts are spoken to. */
export interface UpstreamOptions {
  readonly isHttp2: boolean;
  readonly idleTimeoutMs: number;
  readonly maxRequestsPerConnection: number;
}

/** Envoy's default. */
const IDLE_TIMEOUT_MS = 3_600_000;

const DEFAULTS: UpstreamOptions = {
  isHttp2: false,
  idleTimeoutMs: IDLE_TIMEOUT_MS,
  maxRequestsPerConnection: 0,
};

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
  return message.http2ProtocolOptions === undefined ? options : { ...options, isHttp2: true };
}

function decodeHttpOptions(
  message: HttpProtocolOptions,
  path: string,
  issues: Issue[],
): UpstreamOptions {
  const fields = ["common_http_protocol_options", "explicit_http_config"];
  issues.push(...refuseFields(HttpProtocolOptionsSchema, message, fields, path));
  const common = message.commonHttpProtocolOptions;
  return {
    isHttp2: decodeExplicit(message, joinPath(path, "explicit_http_config"), issues),
    ...decodeCommon(common, joinPath(path, "common_http_protocol_options"), issues),
  };
}

function decodeExplicit(message: HttpProtocolOptions, path: string, issues: Issue[]): boolean {
  const { upstreamProtocolOptions: options } = message;
  if (options.case !== "explicitHttpConfig") return false;
  // The details of HTTP/2 are the gRPC library's own business.
  const handled = ["http_protocol_options", "http2_protocol_options"];
  const schema = HttpProtocolOptions_ExplicitHttpConfigSchema;
  issues.push(...refuseFields(schema, options.value, handled, path));
  const { protocolConfig } = options.value;
  if (protocolConfig.case === "httpProtocolOptions") {
    const at = joinPath(path, "http_protocol_options");
    issues.push(...refuseFields(Http1ProtocolOptionsSchema, protocolConfig.value, [], at));
  }
  return protocolConfig.case === "http2ProtocolOptions";
}

function decodeCommon(
  common: CommonOptions | undefined,
  path: string,
  issues: Issue[],
): Pick<UpstreamOptions, "idleTimeoutMs" | "maxRequestsPerConnection"> {
  if (common === undefined) return DEFAULTS;
  const fields = ["idle_timeout", "max_requests_per_connection"];
  issues.push(...refuseFields(CommonOptionsSchema, common, fields, path));
  return {
    idleTimeoutMs: durationMs(common.idleTimeout) ?? IDLE_TIMEOUT_MS,
    maxRequestsPerConnection: common.maxRequestsPerConnection ?? 0,
  };
}
