import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import {
  type OpenTelemetryConfig,
  OpenTelemetryConfigSchema,
} from "../../api/gen/envoy/config/trace/v3/opentelemetry_pb.js";
import { AlwaysOnSamplerConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler_pb.js";
import { ParentBasedSamplerConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler_pb.js";
import { TraceIdRatioBasedSamplerConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler_pb.js";
import type { Issue } from "../../base/issue.ts";
import { VERSION } from "../../base/version.ts";
import { fractionOf } from "../../match/fraction.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { ProxyContext } from "../context.ts";
import { ClusterSender, type Collector } from "../tracing/cluster-sender.ts";
import { encodeOtlp, type OtelSource } from "../tracing/otel-encode.ts";
import { type OtelRecord, OtelTracer } from "../tracing/otel-tracer.ts";
import { RandomIds } from "../tracing/random-ids.ts";
import { alwaysOn, parentBased, type Sampler, traceIdRatio } from "../tracing/samplers.ts";
import { SpanReporter } from "../tracing/span-reporter.ts";
import { TraceClock } from "../tracing/trace-clock.ts";
import type { OpenTracer } from "../tracing/tracer-set.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeOtlpGrpc, decodeOtlpHttp, detectResource } from "./otlp-collector.ts";
import type { DecodedTracer } from "./zipkin-tracer.ts";

const FIELDS = [
  "grpc_service",
  "http_service",
  "service_name",
  "resource_detectors",
  "sampler",
  "max_cache_size",
  "set_telemetry_sdk_resource_attributes",
  "set_service_name_resource_attribute",
  "set_instrumentation_scope",
];

/** Envoy's default. */
const CACHE_MAX = 1024;

/** `envoy.tracers.opentelemetry`. */
export const OPENTELEMETRY: Extension<DecodedTracer> = extension(
  OpenTelemetryConfigSchema,
  (message, path, issues) => {
    issues.push(...refuseFields(OpenTelemetryConfigSchema, message, FIELDS, path));
    const collector = decodeCollector(message, path, issues);
    const sampler =
      message.sampler && decodeSampler(message.sampler, joinPath(path, "sampler"), issues);
    const source: OtelSource = {
      resource: decodeResource(message, path, issues),
      scopeVersion: message.setInstrumentationScope === false ? undefined : VERSION,
    };
    const spansMax = message.maxCacheSize ?? CACHE_MAX;
    return {
      neededCluster: "",
      open: (context) => openTracer(context, collector, { sampler, source, spansMax }),
    };
  },
);

/** `undefined`: spans are made and told of, and go nowhere. */
function decodeCollector(
  { grpcService, httpService }: OpenTelemetryConfig,
  path: string,
  issues: Issue[],
): Collector | undefined {
  if (grpcService !== undefined && httpService !== undefined) {
    const what =
      "OpenTelemetry Tracer cannot have both gRPC and HTTP exporters configured. " +
      "OpenTelemetry tracer will be disabled.";
    issues.push({ path, message: what });
  }
  if (httpService !== undefined) {
    return decodeOtlpHttp(httpService, joinPath(path, "http_service"), issues);
  }
  return grpcService && decodeOtlpGrpc(grpcService, EXPORT, joinPath(path, "grpc_service"), issues);
}

const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const SAMPLERS: readonly Extension<Sampler>[] = [
  extension(AlwaysOnSamplerConfigSchema, () => alwaysOn),
  extension(TraceIdRatioBasedSamplerConfigSchema, ({ samplingPercentage }) =>
    traceIdRatio(
      samplingPercentage === undefined
        ? { numerator: 0, denominator: 100 }
        : fractionOf(samplingPercentage),
    ),
  ),
  extension(ParentBasedSamplerConfigSchema, ({ wrappedSampler }, path, issues) => {
    const wrappedPath = joinPath(path, "wrapped_sampler");
    if (wrappedSampler === undefined) {
      issues.push({ path: wrappedPath, message: "is missing" });
      return undefined;
    }
    const wrapped = decodeSampler(wrappedSampler, wrappedPath, issues);
    return wrapped && parentBased(wrapped);
  }),
];

function decodeSampler(
  { name, typedConfig: any }: TypedExtensionConfig,
  path: string,
  issues: Issue[],
): Sampler | undefined {
  return decodeExtension(SAMPLERS, { name, any, path }, issues);
}

function decodeResource(
  message: OpenTelemetryConfig,
  path: string,
  issues: Issue[],
): ReadonlyMap<string, string> {
  const resource = new Map<string, string>();
  if (message.setServiceNameResourceAttribute !== false) {
    resource.set("service.name", wireText(message.serviceName || "unknown_service:envoy"));
  }
  if (message.setTelemetrySdkResourceAttributes !== false) {
    resource.set("telemetry.sdk.language", "nodejs");
    resource.set("telemetry.sdk.name", "weft");
    resource.set("telemetry.sdk.version", VERSION);
  }
  for (const [key, value] of detectResource(message.resourceDetectors, path, issues)) {
    resource.set(key, value);
  }
  return resource;
}

const ZERO = { spans_dropped: 0, spans_sent: 0, timer_flushed: 0 };

function openTracer(
  context: ProxyContext,
  collector: Collector | undefined,
  options: {
    readonly sampler: Sampler | undefined;
    readonly source: OtelSource;
    readonly spansMax: number;
  },
): OpenTracer {
  const { clock, runtime, prng } = context;
  const { sampler, source, spansMax } = options;
  const counters = context.counters.get("tracing.opentelemetry", ZERO);
  return new SpanReporter<OtelRecord>(clock, runtime, {
    runtimePrefix: "tracing.opentelemetry",
    spansMax,
    encode: (records) => encodeOtlp(records, source),
    sender: collector === undefined ? NOWHERE : new ClusterSender(context, collector),
    counter: {
      countFlush: () => {
        counters.timer_flushed++;
      },
      countSent: (spans) => {
        counters.spans_sent += spans;
      },
      countDropped: () => {
        counters.spans_dropped++;
      },
      // Envoy has no names for what becomes of reports.
      countOutcome: () => undefined,
    },
    createTracer: (reporter) =>
      new OtelTracer({ sampler, ids: new RandomIds(prng), clock: new TraceClock(clock), reporter }),
  });
}

const NOWHERE = { send: () => undefined, close: () => undefined };
