import { RoutingPriority } from "../api/gen/envoy/config/core/v3/base_pb.js";
import {
  ProxyProtocolConfig_Version,
  ProxyProtocolConfigSchema,
} from "../api/gen/envoy/config/core/v3/proxy_protocol_pb.js";
import {
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  RouteAction_MaxStreamDurationSchema,
  RouteAction_UpgradeConfig_ConnectConfigSchema,
  RouteAction_UpgradeConfigSchema,
  type RouteAction as RouteActionMessage,
  RouteActionSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { UriTemplateRewriteConfigSchema } from "../api/gen/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.js";
import { decodeRateLimits } from "./decode-rate-limit.ts";
import { durationMs } from "./duration-ms.ts";
import { decodeHashPolicies } from "./hash-policy.ts";
import { decodeInternalRedirect } from "./internal-redirect.ts";
import { decodeMirror, type MirrorPolicy } from "./mirror-policy.ts";
import { beforeQuery } from "./path-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileRegexRewrite } from "./regex-rewrite.ts";
import { decodeRetryPolicy } from "./retry-policy.ts";
import type { ClusterAction, HostRewrite, StreamLimits, UpgradePolicy } from "./route.ts";
import { decodeClusters } from "./route-cluster.ts";
import type { RouteContext } from "./route-context.ts";
import { unpackOf } from "./unpack.ts";
import { compileTemplateRewrite } from "./uri-template.ts";
import { wireText } from "./wire-text.ts";

/** Envoy's timeout of a route that names none. */
const TIMEOUT_MS_DEFAULT = 15_000;

const NOT_FOUND_STATUS: Readonly<Record<NotFoundCode, number>> = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503,
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
};

const HANDLED = [
  "cluster",
  "cluster_header",
  "weighted_clusters",
  "cluster_not_found_response_code",
  "metadata_match",
  "prefix_rewrite",
  "regex_rewrite",
  "path_rewrite_policy",
  "host_rewrite_literal",
  "auto_host_rewrite",
  "host_rewrite_header",
  "host_rewrite_path_regex",
  "append_x_forwarded_host",
  "timeout",
  "idle_timeout",
  "retry_policy",
  "request_mirror_policies",
  "hash_policy",
  "priority",
  "cors",
  "max_grpc_timeout",
  "grpc_timeout_offset",
  "upgrade_configs",
  "internal_redirect_policy",
  "max_stream_duration",
  "rate_limits",
  "include_vh_rate_limits",
];

/** Decodes the action that sends a request on. */
export function decodeClusterAction(
  message: RouteActionMessage,
  context: RouteContext,
): ClusterAction {
  const { path, issues } = context;
  issues.push(...refuseFields(RouteActionSchema, message, HANDLED, path));
  return {
    kind: "cluster",
    ...decodeClusters(message, decodeHostRewrite(message, context), context),
    notFoundStatus: NOT_FOUND_STATUS[message.clusterNotFoundResponseCode] ?? 503,
    // The newer limit takes the place of the older, as in Envoy.
    timeoutMs:
      message.maxStreamDuration === undefined
        ? (durationMs(message.timeout) ?? TIMEOUT_MS_DEFAULT)
        : 0,
    // With the newer limits the header counts for them, and not here.
    grpcTimeout:
      message.maxGrpcTimeout === undefined || message.maxStreamDuration !== undefined
        ? undefined
        : {
            maxMs: durationMs(message.maxGrpcTimeout) ?? 0,
            offsetMs: durationMs(message.grpcTimeoutOffset) ?? 0,
          },
    idleTimeoutMs: durationMs(message.idleTimeout),
    streamLimits: decodeStreamLimits(message, context),
    retryPolicy:
      message.retryPolicy === undefined
        ? context.retryPolicy
        : decodeRetryPolicy(message.retryPolicy, joinPath(path, "retry_policy"), issues),
    rewritePath: decodePathRewrite(message, context),
    appendsForwardedHost: message.appendXForwardedHost,
    mirrors: decodeMirrors(message.requestMirrorPolicies, context, context.mirrors),
    hashPolicies: decodeHashPolicies(message.hashPolicy, path, issues),
    upgrades: decodeUpgrades(message, context),
    internalRedirect:
      message.internalRedirectPolicy &&
      decodeInternalRedirect(
        message.internalRedirectPolicy,
        joinPath(path, "internal_redirect_policy"),
        issues,
      ),
    isHighPriority: message.priority === RoutingPriority.HIGH,
    rateLimits: decodeRateLimits(message.rateLimits, joinPath(path, "rate_limits"), issues),
    includesHostRateLimits: message.includeVhRateLimits ?? false,
  };
}

/** The mirror policies of a level: its own, or all those of the level around it. */
export function decodeMirrors(
  messages: RouteActionMessage["requestMirrorPolicies"],
  { path, issues }: Pick<RouteContext, "path" | "issues">,
  inherited: readonly MirrorPolicy[],
): readonly MirrorPolicy[] {
  if (messages.length === 0) return inherited;
  return messages.map((message, at) =>
    decodeMirror(message, joinPath(path, `request_mirror_policies[${at}]`), issues),
  );
}

function decodeHostRewrite(
  { hostRewriteSpecifier: specifier }: RouteActionMessage,
  { path, issues }: RouteContext,
): HostRewrite | undefined {
  switch (specifier.case) {
    case "hostRewriteLiteral":
      return specifier.value === ""
        ? undefined
        : { kind: "literal", host: wireText(specifier.value) };
    case "autoHostRewrite":
      return specifier.value.value ? { kind: "auto" } : undefined;
    case "hostRewriteHeader":
      return specifier.value === ""
        ? undefined
        : { kind: "header", name: wireText(specifier.value).toLowerCase() };
    case "hostRewritePathRegex": {
      const at = joinPath(path, "host_rewrite_path_regex");
      const replace = compileRegexRewrite(specifier.value, at, issues);
      return { kind: "path", rewrite: (from) => replace(beforeQuery(from)) };
    }
    case undefined:
      return undefined;
  }
}

function decodePathRewrite(
  message: RouteActionMessage,
  { pathMatch, path, issues }: RouteContext,
): ClusterAction["rewritePath"] {
  const { regexRewrite, pathRewritePolicy: policy } = message;
  const prefix = wireText(message.prefixRewrite);
  const given = [prefix === "" ? undefined : prefix, regexRewrite, policy];
  if (given.filter((rewrite) => rewrite !== undefined).length > 1) {
    const what = "Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy";
    issues.push({ path, message: what });
  }
  const withQuery = (rewrite: (bare: string) => string) => (from: string) => {
    const bare = beforeQuery(from);
    return rewrite(bare) + from.substring(bare.length);
  };
  if (regexRewrite !== undefined) {
    return withQuery(compileRegexRewrite(regexRewrite, joinPath(path, "regex_rewrite"), issues));
  }
  if (policy !== undefined) {
    const at = joinPath(path, "path_rewrite_policy");
    const named = { name: policy.name, any: policy.typedConfig, path: at };
    const config = unpackOf(UriTemplateRewriteConfigSchema, named, issues);
    if (config === undefined) return undefined;
    if (pathMatch.template === undefined) {
      const what =
        "unable to use envoy.path.rewrite.uri_template.uri_template_rewriter extension without envoy.path.match.uri_template.uri_template_matcher extension";
      issues.push({ path: at, message: what });
      return undefined;
    }
    const rewrite = compileTemplateRewrite(config.pathTemplateRewrite, pathMatch.template);
    if (rewrite.ok) return withQuery(rewrite.value);
    for (const { message: what } of rewrite.issues) issues.push({ path: at, message: what });
    return undefined;
  }
  if (prefix === "") return undefined;
  if (pathMatch.template !== undefined) {
    issues.push({ path, message: "Cannot use prefix_rewrite with matcher extension" });
  }
  return (from) => pathMatch.replaceMatched(from, prefix);
}

function decodeStreamLimits(
  { maxStreamDuration: limits }: RouteActionMessage,
  { path, issues }: RouteContext,
): StreamLimits {
  if (limits !== undefined) {
    const handled = [
      "max_stream_duration",
      "grpc_timeout_header_max",
      "grpc_timeout_header_offset",
    ];
    const at = joinPath(path, "max_stream_duration");
    issues.push(...refuseFields(RouteAction_MaxStreamDurationSchema, limits, handled, at));
  }
  return {
    maxMs: durationMs(limits?.maxStreamDuration),
    grpcTimeoutMsMax: durationMs(limits?.grpcTimeoutHeaderMax),
    grpcTimeoutOffsetMs: durationMs(limits?.grpcTimeoutHeaderOffset) ?? 0,
  };
}

function decodeUpgrades(
  message: RouteActionMessage,
  { path, issues }: RouteContext,
): ReadonlyMap<string, UpgradePolicy> {
  const upgrades = new Map<string, UpgradePolicy>();
  for (const [index, config] of message.upgradeConfigs.entries()) {
    const at = joinPath(path, `upgrade_configs[${index}]`);
    const handled = ["upgrade_type", "enabled", "connect_config"];
    issues.push(...refuseFields(RouteAction_UpgradeConfigSchema, config, handled, at));
    const type = wireText(config.upgradeType).toLowerCase();
    if (upgrades.has(type))
      issues.push({ path: at, message: `Duplicate upgrade ${config.upgradeType}` });
    const { connectConfig } = config;
    if (connectConfig !== undefined && type !== "connect") {
      const what = "Non-CONNECT upgrade type has ConnectConfig";
      issues.push({ path: at, message: `${what} ${config.upgradeType}` });
    }
    upgrades.set(type, {
      isEnabled: config.enabled ?? true,
      connect:
        connectConfig && decodeConnect(connectConfig, joinPath(at, "connect_config"), issues),
    });
  }
  return upgrades;
}

function decodeConnect(
  message: NonNullable<RouteActionMessage["upgradeConfigs"][number]["connectConfig"]>,
  path: string,
  issues: RouteContext["issues"],
): UpgradePolicy["connect"] {
  const handled = ["proxy_protocol_config", "allow_post"];
  const schema = RouteAction_UpgradeConfig_ConnectConfigSchema;
  issues.push(...refuseFields(schema, message, handled, path));
  const { allowPost: allowsPost, proxyProtocolConfig: proxyProtocol } = message;
  if (proxyProtocol === undefined) return { allowsPost, proxyProtocol: undefined };
  const at = joinPath(path, "proxy_protocol_config");
  issues.push(...refuseFields(ProxyProtocolConfigSchema, proxyProtocol, ["version"], at));
  const isV1 = proxyProtocol.version === ProxyProtocolConfig_Version.V1;
  return { allowsPost, proxyProtocol: isV1 ? "V1" : "V2" };
}
