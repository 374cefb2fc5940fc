import {
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  ZipkinConfig_TraceContextOption as TraceContextOption,
  type ZipkinConfig,
  ZipkinConfigSchema,
} from "../../api/gen/envoy/config/trace/v3/zipkin_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { ProxyContext } from "../context.ts";
import { ClusterSender, type Collector } from "../tracing/cluster-sender.ts";
import { RandomIds } from "../tracing/random-ids.ts";
import { type ReportCounter, SpanReporter } from "../tracing/span-reporter.ts";
import { TraceClock } from "../tracing/trace-clock.ts";
import type { OpenTracer, TracerConfig } from "../tracing/tracer-set.ts";
import { encodeZipkinJson, encodeZipkinProto } from "../tracing/zipkin-encode.ts";
import { type ZipkinOptions, type ZipkinRecord, ZipkinTracer } from "../tracing/zipkin-tracer.ts";
import { type Extension, extension } from "./extension.ts";
import { decodeHttpService } from "./http-service.ts";

/** A tracer without its digest. */
export type DecodedTracer = Omit<TracerConfig, "digest">;

const FIELDS = [
  "collector_cluster",
  "collector_endpoint",
  "trace_id_128bit",
  "shared_span_context",
  "collector_endpoint_version",
  "collector_hostname",
  "trace_context_option",
  "collector_service",
];

/** `envoy.tracers.zipkin`. */
export const ZIPKIN: Extension<DecodedTracer> = extension(
  ZipkinConfigSchema,
  (message, path, issues) => {
    issues.push(...refuseFields(ZipkinConfigSchema, message, FIELDS, path));
    const version = message.collectorEndpointVersion;
    if (version !== EndpointVersion.HTTP_JSON && version !== EndpointVersion.HTTP_PROTO) {
      const what = `${EndpointVersion[version] ?? version} is not supported: use HTTP_JSON or HTTP_PROTO`;
      issues.push({ path: joinPath(path, "collector_endpoint_version"), message: what });
    }
    const isProto = version === EndpointVersion.HTTP_PROTO;
    const collector: Collector = {
      ...decodeTarget(message, path, issues),
      contentType: isProto ? "application/x-protobuf" : "application/json",
      isGrpc: false,
      isTaken: (status) => status === 202,
      timeoutMs: ({ runtime }) => runtime.integer("tracing.zipkin.request_timeout") ?? TIMEOUT_MS,
    };
    const options: ZipkinOptions = {
      hasLongIds: message.traceId128bit,
      sharesContext: message.sharedSpanContext ?? true,
      usesW3c: message.traceContextOption === TraceContextOption.USE_B3_WITH_W3C_PROPAGATION,
    };
    const encode = isProto ? encodeZipkinProto : encodeZipkinJson;
    return {
      neededCluster: collector.clusterName,
      open: (context) => openZipkin(context, collector, options, encode),
    };
  },
);

/** Envoy's default. */
const TIMEOUT_MS = 5000;

type Target = Pick<Collector, "clusterName" | "authority" | "path" | "headers">;

function decodeTarget(message: ZipkinConfig, path: string, issues: Issue[]): Target {
  const { collectorService: service } = message;
  if (service === undefined) {
    const { collectorCluster: clusterName, collectorEndpoint, collectorHostname } = message;
    if (clusterName === "") {
      const what = "Either collector_cluster or collector_service must be specified";
      issues.push({ path, message: what });
    } else if (collectorEndpoint === "") {
      const what = "collector_endpoint must be specified when using collector_cluster";
      issues.push({ path, message: what });
    }
    const authority = wireText(collectorHostname || clusterName);
    return { clusterName, authority, path: wireText(collectorEndpoint), headers: [] };
  }
  const target = decodeHttpService(service, joinPath(path, "collector_service"), issues);
  const uri = service.httpUri?.uri ?? "";
  // Without a scheme all of it is the path.
  if (!uri.includes("://")) {
    return { ...target, authority: wireText(target.clusterName), path: wireText(uri) };
  }
  return target;
}

const ZERO = {
  spans_sent: 0,
  timer_flushed: 0,
  reports_skipped_no_cluster: 0,
  reports_sent: 0,
  reports_dropped: 0,
  reports_failed: 0,
};

function openZipkin(
  context: ProxyContext,
  collector: Collector,
  options: ZipkinOptions,
  encode: typeof encodeZipkinProto,
): OpenTracer {
  const { clock, runtime, prng, counters, node, localAddress } = context;
  const endpoint = { serviceName: node.cluster, address: localAddress };
  return new SpanReporter<ZipkinRecord>(clock, runtime, {
    runtimePrefix: "tracing.zipkin",
    spansMax: undefined,
    encode: (records) => encode(records, endpoint),
    sender: new ClusterSender(context, collector),
    counter: countReports(counters.get("tracing.zipkin", ZERO)),
    createTracer: (reporter) =>
      new ZipkinTracer({
        options,
        ids: new RandomIds(prng),
        clock: new TraceClock(clock),
        reporter,
      }),
  });
}

const OUTCOMES = {
  taken: "reports_sent",
  refused: "reports_dropped",
  failed: "reports_failed",
  no_cluster: "reports_skipped_no_cluster",
} as const;

function countReports(counters: typeof ZERO): ReportCounter {
  return {
    countFlush: () => {
      counters.timer_flushed++;
    },
    countSent: (spans) => {
      counters.spans_sent += spans;
    },
    // A span that finds no room is not counted by Envoy; one report's worth always finds it.
    countDropped: () => undefined,
    countOutcome: (outcome) => {
      counters[OUTCOMES[outcome]]++;
    },
  };
}
