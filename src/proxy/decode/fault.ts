import {
  type FaultDelay,
  FaultDelaySchema,
  type FaultRateLimit,
  FaultRateLimitSchema,
} from "../../api/gen/envoy/extensions/filters/common/fault/v3/fault_pb.js";
import {
  type FaultAbort as FaultAbortMessage,
  FaultAbortSchema,
  type HTTPFault,
  HTTPFaultSchema,
} from "../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import {
  FractionalPercent_DenominatorType as Denominator,
  type FractionalPercent,
} from "../../api/gen/envoy/type/v3/percent_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { compileHeaderMatch } from "../../match/header-match.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import {
  type FaultAbort,
  type FaultAmount,
  FaultFilter,
  type FaultSettings,
  type FaultShare,
  FaultStats,
} from "../http-filter/fault.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.fault` in a connection manager. */
export const FAULT = extension(HTTPFaultSchema, (message, path, issues) => {
  const settings = decodeSettings(message, path, issues);
  return {
    open: (scope: FilterScope) => {
      const stats = new FaultStats(scope);
      return (stream: FilterStream) => new FaultFilter(stream, scope.name, settings, stats);
    },
  };
});

/** The same message in a route takes the place of the filter's own. */
export const FAULT_OF_ROUTE = extension(HTTPFaultSchema, decodeSettings);

const FIELDS = [
  "delay",
  "abort",
  "upstream_cluster",
  "headers",
  "downstream_nodes",
  "max_active_faults",
  "response_rate_limit",
  "delay_percent_runtime",
  "abort_percent_runtime",
  "delay_duration_runtime",
  "abort_http_status_runtime",
  "max_active_faults_runtime",
  "response_rate_limit_percent_runtime",
  "abort_grpc_status_runtime",
  "disable_downstream_cluster_stats",
  "filter_metadata",
];

function decodeSettings(message: HTTPFault, path: string, issues: Issue[]): FaultSettings {
  issues.push(...refuseFields(HTTPFaultSchema, message, FIELDS, path));
  const { delay, abort, responseRateLimit } = message;
  const percentKey = message.responseRateLimitPercentRuntime;
  return {
    filter: "fault",
    delay:
      delay &&
      decodeDelay(delay, {
        runtimeKey: message.delayPercentRuntime || "fault.http.delay.fixed_delay_percent",
        path: joinPath(path, "delay"),
        issues,
      }),
    abort:
      abort &&
      decodeAbort(abort, {
        runtimeKey: message.abortPercentRuntime || "fault.http.abort.abort_percent",
        path: joinPath(path, "abort"),
        issues,
      }),
    rateLimit:
      responseRateLimit &&
      decodeRateLimit(responseRateLimit, {
        runtimeKey: percentKey || "fault.http.rate_limit.response_percent",
        path: joinPath(path, "response_rate_limit"),
        issues,
      }),
    upstreamCluster: message.upstreamCluster,
    headers: message.headers.map((header, at) =>
      compileHeaderMatch(header, joinPath(path, `headers[${at}]`), issues),
    ),
    downstreamNodes: new Set(message.downstreamNodes.map(wireText)),
    maxActive: message.maxActiveFaults ?? Number.POSITIVE_INFINITY,
    runtimeKeys: {
      delayMs: message.delayDurationRuntime || "fault.http.delay.fixed_duration_ms",
      httpStatus: message.abortHttpStatusRuntime || "fault.http.abort.http_status",
      grpcStatus: message.abortGrpcStatusRuntime || "fault.http.abort.grpc_status",
      maxActive: message.maxActiveFaultsRuntime || "fault.http.max_active_faults",
    },
    countsByClient: !message.disableDownstreamClusterStats,
    metadata: message.filterMetadata ?? {},
  };
}

interface FaultContext {
  readonly runtimeKey: string;
  readonly path: string;
  readonly issues: Issue[];
}

function decodeDelay(message: FaultDelay, context: FaultContext): FaultAmount {
  const fields = ["fixed_delay", "header_delay", "percentage"];
  context.issues.push(...refuseFields(FaultDelaySchema, message, fields, context.path));
  const header = "x-envoy-fault-delay-request";
  const { faultDelaySecifier: specifier } = message;
  const isByHeader = specifier.case === "headerDelay";
  return {
    amount:
      specifier.case === "fixedDelay" ? Math.floor(durationMs(specifier.value) ?? 0) : undefined,
    header,
    share: decodeShare(message.percentage, isByHeader ? `${header}-percentage` : "", context),
  };
}

function decodeRateLimit(message: FaultRateLimit, context: FaultContext): FaultAmount {
  const fields = ["fixed_limit", "header_limit", "percentage"];
  context.issues.push(...refuseFields(FaultRateLimitSchema, message, fields, context.path));
  const header = "x-envoy-fault-throughput-response";
  const { limitType } = message;
  const isByHeader = limitType.case === "headerLimit";
  return {
    amount: limitType.case === "fixedLimit" ? Number(limitType.value.limitKbps) : undefined,
    header,
    share: decodeShare(message.percentage, isByHeader ? `${header}-percentage` : "", context),
  };
}

function decodeAbort(message: FaultAbortMessage, context: FaultContext): FaultAbort {
  const fields = ["http_status", "grpc_status", "header_abort", "percentage"];
  context.issues.push(...refuseFields(FaultAbortSchema, message, fields, context.path));
  const { errorType } = message;
  const isByHeader = errorType.case === "headerAbort";
  const header = isByHeader ? "x-envoy-fault-abort-request-percentage" : "";
  return {
    httpStatus: errorType.case === "httpStatus" ? errorType.value : undefined,
    grpcStatus: errorType.case === "grpcStatus" ? errorType.value : undefined,
    isByHeader,
    share: decodeShare(message.percentage, header, context),
  };
}

const DENOMINATORS: Readonly<Record<Denominator, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
};

/** Without a percentage no request is concerned. */
function decodeShare(
  percentage: FractionalPercent | undefined,
  header: string,
  { runtimeKey }: FaultContext,
): FaultShare {
  return {
    numerator: percentage?.numerator ?? 0,
    denominator: DENOMINATORS[percentage?.denominator ?? Denominator.HUNDRED] ?? 100,
    header,
    runtimeKey,
  };
}
