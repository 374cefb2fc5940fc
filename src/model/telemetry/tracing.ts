import { parseDurationMs } from "../../base/duration.ts";
import type { ExtensionProvider } from "../../config/extension-provider.ts";
import type { TelemetryTracing } from "../../config/telemetry.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { HttpTracing, Tracer } from "../proxy-telemetry.ts";
import { isForMode, providerNames, type Telemetry, type TelemetryMode } from "../telemetry.ts";
import { zipkinCollector } from "./collectors.ts";
import { customTags } from "./custom-tags.ts";
import { collectorHeaders, findProvider, type ProviderTargets } from "./providers.ts";
import type { TelemetryFacts } from "./proxy-facts.ts";

/** What the telemetry of a proxy is made of. */
export interface TelemetryInputs {
  readonly settings: MeshSettings;
  /** From the widest to the narrowest. */
  readonly telemetries: readonly Telemetry[];
  readonly targets: ProviderTargets;
  readonly facts: TelemetryFacts;
}

/** What the entries that concern one side say together: the later counts, field by field. */
interface TracingSpec {
  readonly provider: ExtensionProvider | undefined;
  readonly isDisabled: boolean;
  readonly sampling: number | undefined;
  readonly tags: TelemetryTracing["customTags"];
  readonly isDecidedByRequestId: boolean;
  readonly hasIstioTags: boolean;
  readonly isPropagated: boolean;
}

/** How one side of a proxy is traced; no `tracing`: not at all. */
export interface ResolvedTracing {
  readonly tracing: HttpTracing | undefined;
  readonly isDecidedByRequestId: boolean;
}

/** Where nobody says how many of a hundred: Istio's default. */
const SAMPLING_PERCENT_DEFAULT = 1;

/** Where nobody says how long a collector may take: istiod's for Zipkin, OTLP's own default. */
const ZIPKIN_TIMEOUT_MS = 5000;
const OTLP_TIMEOUT_MS = 10_000;

const SPANS_PATH = "/api/v2/spans";

/**
 * How one side of a proxy is traced, as istiod has it: by Telemetries and default providers, or,
 * where there are none, by `enableTracing` and the proxy's own ProxyConfig. A provider that cannot be
 * found, or is no tracer, traces nothing: `telemetryIssues` says so.
 */
export function resolveTracing(inputs: TelemetryInputs, mode: TelemetryMode): ResolvedTracing {
  const spec = mergeTracing(inputs, mode);
  if (spec === undefined) {
    return { tracing: legacyTracing(inputs), isDecidedByRequestId: true };
  }
  const { provider, isDecidedByRequestId } = spec;
  if (provider === undefined || spec.isDisabled) return NOT_TRACED;
  const tracer = tracerOf(provider, inputs);
  if (tracer === undefined) return NOT_TRACED;
  const { facts } = inputs;
  const { tracing: own } = facts;
  // Tags of a Telemetry stand for all of the proxy's own.
  const tags = Object.keys(spec.tags ?? {}).length === 0 ? own?.customTags : spec.tags;
  const tracing: HttpTracing = {
    samplingPercent: spec.sampling ?? own?.sampling ?? SAMPLING_PERCENT_DEFAULT,
    customTags: customTags(facts, spec.hasIstioTags, tags),
    pathLengthMax: tagLengthOf(provider) ?? own?.pathLengthMax,
    hasUpstreamSpans: facts.isGateway,
    isPropagated: spec.isPropagated || isBefore(facts, 30),
    tracer,
  };
  return { tracing, isDecidedByRequestId };
}

const NOT_TRACED: ResolvedTracing = { tracing: undefined, isDecidedByRequestId: true };

/** Absent: neither a Telemetry nor a default provider says anything of tracing. */
function mergeTracing(
  { settings, telemetries }: TelemetryInputs,
  mode: TelemetryMode,
): TracingSpec | undefined {
  const entries = telemetries.flatMap(({ tracing }) => tracing);
  const [defaultName] = settings.defaultProviders.tracing;
  if (entries.length === 0 && defaultName === undefined) return undefined;
  let spec: TracingSpec = {
    provider: defaultName === undefined ? undefined : findProvider(settings, defaultName),
    isDisabled: false,
    sampling: undefined,
    tags: undefined,
    isDecidedByRequestId: true,
    hasIstioTags: true,
    isPropagated: true,
  };
  for (const entry of entries) {
    if (!isForMode(entry.match, mode)) continue;
    const [name] = providerNames(entry);
    spec = {
      provider: name === undefined ? spec.provider : findProvider(settings, name),
      isDisabled: entry.disableSpanReporting ?? spec.isDisabled,
      sampling: entry.randomSamplingPercentage ?? spec.sampling,
      tags: entry.customTags ?? spec.tags,
      isDecidedByRequestId: entry.useRequestIdForTraceSampling ?? spec.isDecidedByRequestId,
      hasIstioTags: entry.enableIstioTags ?? spec.hasIstioTags,
      isPropagated: !(entry.disableContextPropagation ?? !spec.isPropagated),
    };
  }
  return spec;
}

/**
 * Tracing to where the proxy's start-up file says. Under Istio's agent that has what ProxyConfig says;
 * weft's agent writes nothing of it there, so that the tracer comes with the rest. Where ProxyConfig
 * says nothing there is no tracer, and nothing is written: istiod writes how often, to no avail.
 */
function legacyTracing({ settings, facts }: TelemetryInputs): HttpTracing | undefined {
  const { tracing: own, hasWeftAgent } = facts;
  if (!settings.isTracingEnabled || own === undefined) return undefined;
  const collector = hasWeftAgent ? zipkinCollector(facts, settings) : undefined;
  // Nobody is there to tell.
  if (hasWeftAgent && collector === undefined) return undefined;
  return {
    samplingPercent: own.sampling ?? SAMPLING_PERCENT_DEFAULT,
    customTags: customTags(facts, own.hasIstioTags, own.customTags),
    pathLengthMax: own.pathLengthMax,
    hasUpstreamSpans: false,
    isPropagated: true,
    tracer: collector && {
      type: "zipkin",
      clusterName: collector.clusterName,
      hostname: collector.hostname,
      path: SPANS_PATH,
      hasLongIds: true,
      usesW3c: false,
      timeoutMs: ZIPKIN_TIMEOUT_MS,
      headers: [],
      isInOldForm: false,
    },
  };
}

/** Whether a proxy is older than Istio 1.`minor`; one that does not say is new. */
function isBefore({ istioMinor }: TelemetryFacts, minor: number): boolean {
  return istioMinor !== undefined && istioMinor < minor;
}

function tracerOf(
  { name, zipkin, opentelemetry }: ExtensionProvider,
  { targets, facts }: TelemetryInputs,
): Tracer | undefined {
  const target = targets[name];
  if (target === undefined || "problem" in target) return undefined;
  const { clusterName, hostname } = target;
  if (zipkin !== undefined) {
    return {
      type: "zipkin",
      clusterName,
      hostname,
      path: zipkin.path || SPANS_PATH,
      hasLongIds: zipkin.enable64bitTraceId !== true,
      usesW3c: zipkin.traceContextOption === "USE_B3_WITH_W3C_PROPAGATION",
      timeoutMs: msOf(zipkin.timeout) ?? ZIPKIN_TIMEOUT_MS,
      headers: collectorHeaders(zipkin.headers),
      isInOldForm: isBefore(facts, 29),
    };
  }
  if (opentelemetry === undefined) return undefined;
  const { http, grpc, serviceAttributeEnrichment, resourceDetectors } = opentelemetry;
  const isConventional = serviceAttributeEnrichment === "OTEL_SEMANTIC_CONVENTIONS";
  return {
    type: "opentelemetry",
    clusterName,
    hostname,
    path: http === undefined ? undefined : `/${(http.path ?? "").replace(/^\/+/, "")}`,
    timeoutMs: http === undefined ? msOf(grpc?.timeout) : (msOf(http.timeout) ?? OTLP_TIMEOUT_MS),
    headers: collectorHeaders(http === undefined ? grpc?.initialMetadata : http.headers),
    serviceName: isConventional ? facts.conventionalName : facts.serviceCluster,
    readsEnvironment: isConventional || resourceDetectors?.environment !== undefined,
  };
}

function tagLengthOf({ zipkin, opentelemetry }: ExtensionProvider): number | undefined {
  return zipkin?.maxTagLength || opentelemetry?.maxTagLength || undefined;
}

/** The schema has seen to it that it is a duration. */
function msOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}
