import { ConfigSchema as BridgeSchema } from "../../api/gen/envoy/extensions/filters/http/grpc_http1_bridge/v3/config_pb.js";
import {
  FilterConfigPerRouteSchema as ReverseBridgeRouteSchema,
  FilterConfigSchema as ReverseBridgeSchema,
} from "../../api/gen/envoy/extensions/filters/http/grpc_http1_reverse_bridge/v3/config_pb.js";
import {
  type FilterConfig as StatsMessage,
  FilterConfigSchema as StatsSchema,
} from "../../api/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.js";
import { GrpcWebSchema } from "../../api/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import { CallStats } from "../http-filter/grpc-call-stats.ts";
import { type BridgeConfig, GrpcHttp1BridgeFilter } from "../http-filter/grpc-http1-bridge.ts";
import {
  GrpcHttp1ReverseBridgeFilter,
  type ReverseBridgeConfig,
  type ReverseBridgeSettings,
} from "../http-filter/grpc-http1-reverse-bridge.ts";
import { type GrpcStatsConfig, GrpcStatsFilter } from "../http-filter/grpc-stats.ts";
import { GrpcWebFilter } from "../http-filter/grpc-web.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.grpc_web`, which has no settings. */
export const GRPC_WEB = extension(GrpcWebSchema, (message, path, issues) => {
  issues.push(...refuseFields(GrpcWebSchema, message, [], path));
  return {
    open: ({ context }: FilterScope) => {
      const stats = new CallStats(context, "grpc-web");
      return (stream: FilterStream) => new GrpcWebFilter(stream, stats);
    },
  };
});

const STATS_FIELDS = [
  "emit_filter_state",
  "individual_method_stats_allowlist",
  "stats_for_all_methods",
  "enable_upstream_stats",
  "replace_dots_in_grpc_service_name",
];

/** `envoy.filters.http.grpc_stats`. */
export const GRPC_STATS = extension(StatsSchema, (message, path, issues) => {
  issues.push(...refuseFields(StatsSchema, message, STATS_FIELDS, path));
  const config: GrpcStatsConfig = {
    notesState: message.emitFilterState,
    named: namedCalls(message),
    replacesDots: message.replaceDotsInGrpcServiceName,
    measuresUpstream: message.enableUpstreamStats,
  };
  return {
    needsTimes: config.measuresUpstream,
    open: ({ context }: FilterScope) => {
      const stats = new CallStats(context, "grpc");
      return (stream: FilterStream) => new GrpcStatsFilter(stream, config, stats);
    },
  };
});

/** `undefined` for all. */
function namedCalls({ perMethodStatSpecifier: which }: StatsMessage): GrpcStatsConfig["named"] {
  if (which.case === "statsForAllMethods") return which.value.value ? undefined : new Set();
  const services = which.case === "individualMethodStatsAllowlist" ? which.value.services : [];
  return new Set(
    services.flatMap(({ name, methodNames }) => methodNames.map((method) => `${name}/${method}`)),
  );
}

/** `envoy.filters.http.grpc_http1_bridge`. */
export const GRPC_HTTP1_BRIDGE = extension(BridgeSchema, (message, path, issues) => {
  const fields = ["upgrade_protobuf_to_grpc", "ignore_query_parameters"];
  issues.push(...refuseFields(BridgeSchema, message, fields, path));
  const config: BridgeConfig = {
    upgradesProtobuf: message.upgradeProtobufToGrpc,
    dropsQuery: message.ignoreQueryParameters,
  };
  return { open: () => (stream: FilterStream) => new GrpcHttp1BridgeFilter(stream, config) };
});

/** `envoy.filters.http.grpc_http1_reverse_bridge`. */
export const GRPC_HTTP1_REVERSE_BRIDGE = extension(ReverseBridgeSchema, (message, path, issues) => {
  const fields = ["content_type", "withhold_grpc_frames", "response_size_header"];
  issues.push(...refuseFields(ReverseBridgeSchema, message, fields, path));
  const config: ReverseBridgeConfig = {
    contentType: message.contentType,
    withholdsFrames: message.withholdGrpcFrames,
    sizeHeader: message.responseSizeHeader.toLowerCase(),
  };
  return {
    open:
      ({ name }: FilterScope) =>
      (stream: FilterStream) =>
        new GrpcHttp1ReverseBridgeFilter(stream, name, config),
  };
});

/** A route may switch the reverse bridge off. */
export const REVERSE_BRIDGE_OF_ROUTE = extension(
  ReverseBridgeRouteSchema,
  (message, path, issues): ReverseBridgeSettings => {
    issues.push(...refuseFields(ReverseBridgeRouteSchema, message, ["disabled"], path));
    return { filter: "grpc_http1_reverse_bridge", isDisabled: message.disabled };
  },
);
