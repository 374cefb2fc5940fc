import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import {
  type HealthCheck,
  HealthCheck_TlsOptionsSchema,
  HealthCheckSchema,
} from "../../api/gen/envoy/config/core/v3/health_check_pb.js";
import { HealthCheckEventFileSinkSchema } from "../../api/gen/envoy/extensions/health_check/event_sinks/file/v3/file_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { Metadata } from "../cluster/cluster-config.ts";
import { TRANSPORT_MATCH_NAMESPACE } from "../cluster/cluster-transports.ts";
import type { HealthCheckConfig, IntervalConfig } from "../health/health-config.ts";
import { checkWritable } from "./access-log.ts";
import { decodeExtension, extension } from "./extension.ts";
import { decodeGrpcCheck, decodeHttpCheck, decodeTcpCheck } from "./health-probe.ts";

/** Envoy's default. */
const NO_TRAFFIC_MS = 60_000;

const FIELDS = [
  "timeout",
  "interval",
  "initial_jitter",
  "interval_jitter",
  "interval_jitter_percent",
  "unhealthy_threshold",
  "healthy_threshold",
  // No version of Envoy has ever heeded it.
  "alt_port",
  "reuse_connection",
  "http_health_check",
  "tcp_health_check",
  "grpc_health_check",
  "no_traffic_interval",
  "no_traffic_healthy_interval",
  "unhealthy_interval",
  "unhealthy_edge_interval",
  "healthy_edge_interval",
  "event_log_path",
  "event_logger",
  "always_log_health_check_failures",
  "always_log_health_check_success",
  "tls_options",
  "transport_socket_match_criteria",
];

/** Decodes the health checks of a cluster; `undefined` where it has none. */
export function decodeHealthChecks(
  messages: readonly HealthCheck[],
  issues: Issue[],
): HealthCheckConfig | undefined {
  const [message] = messages;
  if (message === undefined) return undefined;
  if (messages.length > 1) {
    const what = "a second health check of a cluster is not supported yet";
    issues.push({ path: "health_checks[1]", message: what });
  }
  const path = "health_checks[0]";
  issues.push(...refuseFields(HealthCheckSchema, message, FIELDS, path));
  const check = decodeCheck(message, path, issues);
  if (check === undefined) return undefined;
  return {
    check,
    timeoutMs: wholeMs(message.timeout) ?? 0,
    // Those that are missing break rules of the .proto file, which are checked after.
    unhealthyThreshold: message.unhealthyThreshold ?? 0,
    healthyThreshold: message.healthyThreshold ?? 0,
    intervals: decodeIntervals(message),
    reusesConnection: message.reuseConnection ?? true,
    eventLogPaths: decodeEventLogs(message, path, issues),
    logsFailures: message.alwaysLogHealthCheckFailures,
    logsSuccesses: message.alwaysLogHealthCheckSuccess,
    alpn: decodeAlpn(message, path, issues),
    transportMetadata: decodeTransportMetadata(message),
  };
}

function decodeCheck(
  { healthChecker }: HealthCheck,
  path: string,
  issues: Issue[],
): HealthCheckConfig["check"] | undefined {
  switch (healthChecker.case) {
    case "httpHealthCheck":
      return decodeHttpCheck(healthChecker.value, joinPath(path, "http_health_check"), issues);
    case "tcpHealthCheck":
      return decodeTcpCheck(healthChecker.value, joinPath(path, "tcp_health_check"), issues);
    case "grpcHealthCheck":
      return decodeGrpcCheck(healthChecker.value, joinPath(path, "grpc_health_check"), issues);
    // Refused as a field, or by the rule that there must be one.
    case "customHealthCheck":
    case undefined:
      return undefined;
  }
}

function decodeIntervals(message: HealthCheck): IntervalConfig {
  const intervalMs = wholeMs(message.interval) ?? 0;
  const noTrafficMs = wholeMs(message.noTrafficInterval) ?? NO_TRAFFIC_MS;
  const unhealthyMs = wholeMs(message.unhealthyInterval) ?? intervalMs;
  return {
    intervalMs,
    initialJitterMs: wholeMs(message.initialJitter) ?? 0,
    jitterMs: wholeMs(message.intervalJitter) ?? 0,
    jitterPercent: message.intervalJitterPercent,
    noTrafficMs,
    noTrafficHealthyMs: wholeMs(message.noTrafficHealthyInterval) ?? noTrafficMs,
    unhealthyMs,
    unhealthyEdgeMs: wholeMs(message.unhealthyEdgeInterval) ?? unhealthyMs,
    healthyEdgeMs: wholeMs(message.healthyEdgeInterval) ?? intervalMs,
  };
}

/** Envoy's checks know no part of a millisecond. */
function wholeMs(duration: Parameters<typeof durationMs>[0]): number | undefined {
  const ms = durationMs(duration);
  return ms === undefined ? undefined : Math.floor(ms);
}

/** The files that events go to. */
const SINKS = [
  extension(HealthCheckEventFileSinkSchema, (message, path, issues) => {
    issues.push(...refuseFields(HealthCheckEventFileSinkSchema, message, ["event_log_path"], path));
    const { eventLogPath } = message;
    // An empty one breaks a rule of the .proto file, which is checked after.
    if (eventLogPath !== "") checkWritable(eventLogPath, joinPath(path, "event_log_path"), issues);
    return eventLogPath;
  }),
];

function decodeEventLogs(
  { eventLogPath, eventLogger }: HealthCheck,
  path: string,
  issues: Issue[],
): readonly string[] {
  const paths = eventLogPath === "" ? [] : [eventLogPath];
  for (const file of paths) checkWritable(file, joinPath(path, "event_log_path"), issues);
  const ofSinks = eventLogger.flatMap(({ name, typedConfig: any }: TypedExtensionConfig, at) => {
    const sinkPath = joinPath(path, `event_logger[${at}]`);
    const file = decodeExtension(SINKS, { name, any, path: sinkPath }, issues);
    return file === undefined ? [] : [file];
  });
  return [...ofSinks, ...paths];
}

function decodeAlpn({ tlsOptions }: HealthCheck, path: string, issues: Issue[]): readonly string[] {
  if (tlsOptions === undefined) return [];
  const at = joinPath(path, "tls_options");
  issues.push(...refuseFields(HealthCheck_TlsOptionsSchema, tlsOptions, ["alpn_protocols"], at));
  for (const [index, name] of tlsOptions.alpnProtocols.entries()) {
    const { length } = Buffer.from(name);
    if (length > 0 && length <= 255) continue;
    const what = `"${name}" has ${length} bytes, and a protocol's name has 1 to 255`;
    issues.push({ path: `${at}.alpn_protocols[${index}]`, message: what });
  }
  return tlsOptions.alpnProtocols;
}

function decodeTransportMetadata({
  transportSocketMatchCriteria: criteria,
}: HealthCheck): Metadata | undefined {
  return criteria && { [TRANSPORT_MATCH_NAMESPACE]: criteria };
}
