import type { Any } from "@bufbuild/protobuf/wkt";
import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import {
  type GrpcService,
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from "../../api/gen/envoy/config/core/v3/grpc_service_pb.js";
import {
  type OpenTelemetryConfig,
  OpenTelemetryConfigSchema,
} from "../../api/gen/envoy/config/trace/v3/opentelemetry_pb.js";
import { EnvironmentResourceDetectorConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.js";
import { StaticConfigResourceDetectorConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector_pb.js";
import { AlwaysOnSamplerConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler_pb.js";
import { ParentBasedSamplerConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler_pb.js";
import { TraceIdRatioBasedSamplerConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler_pb.js";
import type { Issue } from "../../base/issue.ts";
import { VERSION } from "../../base/version.ts";
import { durationMs } from "../../match/duration-ms.ts";
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
import { decodeHeader, decodeHttpService } from "./http-service.ts";
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
    const target = decodeHttpService(httpService, joinPath(path, "http_service"), issues);
    return {
      ...target,
      contentType: "application/x-protobuf",
      isGrpc: false,
      isTaken: (status) => status === 200,
      timeoutMs: () => target.timeoutMs,
    };
  }
  return grpcService && decodeGrpc(grpcService, joinPath(path, "grpc_service"), issues);
}

const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

function decodeGrpc(message: GrpcService, path: string, issues: Issue[]): Collector | undefined {
  const fields = ["envoy_grpc", "timeout", "initial_metadata"];
  issues.push(...refuseFields(GrpcServiceSchema, message, fields, path));
  const { targetSpecifier: target } = message;
  if (target.case !== "envoyGrpc") {
    if (target.case === undefined) issues.push({ path, message: "names no service" });
    return undefined;
  }
  const grpcPath = joinPath(path, "envoy_grpc");
  const known = ["cluster_name", "authority"];
  issues.push(...refuseFields(GrpcService_EnvoyGrpcSchema, target.value, known, grpcPath));
  const { clusterName, authority } = target.value;
  const timeoutMs = durationMs(message.timeout) ?? 0;
  return {
    clusterName,
    authority: wireText(authority || clusterName),
    path: EXPORT,
    contentType: "application/grpc",
    headers: message.initialMetadata.flatMap((header, at) =>
      decodeHeader(header, joinPath(path, `initial_metadata[${at}]`), issues),
    ),
    isGrpc: true,
    isTaken: (status) => status === 200,
    timeoutMs: () => timeoutMs,
  };
}

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

type Attributes = readonly (readonly [name: string, value: string])[];

const DETECTORS: readonly Extension<Attributes>[] = [
  extension(EnvironmentResourceDetectorConfigSchema, () => {
    const pairs = (process.env["OTEL_RESOURCE_ATTRIBUTES"] ?? "").split(",");
    return pairs.flatMap((pair) => {
      const [name = "", value = "", ...more] = pair.split("=").filter((part) => part !== "");
      return name === "" || value === "" || more.length > 0 ? [] : [[name, value] as const];
    });
  }),
  extension(StaticConfigResourceDetectorConfigSchema, ({ attributes }) =>
    Object.entries(attributes).filter(([name, value]) => name !== "" && value !== ""),
  ),
];

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
  for (const [at, { name, typedConfig }] of message.resourceDetectors.entries()) {
    const detectorPath = joinPath(path, `resource_detectors[${at}]`);
    const any: Any | undefined = typedConfig;
    const found = decodeExtension(DETECTORS, { name, any, path: detectorPath }, issues);
    for (const [key, value] of found ?? []) resource.set(wireText(key), wireText(value));
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
