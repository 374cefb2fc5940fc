import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOptionSchema,
  type HeaderValueSchema,
} from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { TypedExtensionConfigSchema } from "../api/gen/envoy/config/core/v3/extension_pb.js";
import type { Tracing_HttpSchema } from "../api/gen/envoy/config/trace/v3/http_tracer_pb.js";
import { OpenTelemetryConfigSchema } from "../api/gen/envoy/config/trace/v3/opentelemetry_pb.js";
import {
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  ZipkinConfig_TraceContextOption as TraceContextOption,
  ZipkinConfigSchema,
} from "../api/gen/envoy/config/trace/v3/zipkin_pb.js";
import type { HttpConnectionManager_TracingSchema } from "../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { EnvironmentResourceDetectorConfigSchema } from "../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.js";
import type { CustomTagSchema } from "../api/gen/envoy/type/tracing/v3/custom_tag_pb.js";
import { packAny } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import type {
  CollectorHeader,
  CustomTag,
  HttpTracing,
  OpenTelemetryTracer,
  Tracer,
  ZipkinTracer,
} from "../model/proxy-telemetry.ts";
import { duration } from "./wire.ts";

type TracingMessage = MessageInitShape<typeof HttpConnectionManager_TracingSchema>;

/** How a connection manager traces, in the fields that istiod writes. */
export const tracingMessage = memoise((tracing: HttpTracing): TracingMessage => {
  const { tracer, pathLengthMax } = tracing;
  return {
    clientSampling: { value: 100 },
    randomSampling: { value: tracing.samplingPercent },
    overallSampling: { value: 100 },
    customTags: tracing.customTags.map(customTag),
    ...(pathLengthMax !== undefined && { maxPathTagLength: pathLengthMax }),
    ...(tracing.hasUpstreamSpans && { spawnUpstreamSpan: true }),
    ...(!tracing.isPropagated && { noContextPropagation: true }),
    ...(tracer !== undefined && { provider: provider(tracer) }),
  };
});

function customTag(tag: CustomTag): MessageInitShape<typeof CustomTagSchema> {
  const { name } = tag;
  switch (tag.type) {
    case "literal":
      return { tag: name, type: { case: "literal", value: { value: tag.value } } };
    case "formatter":
      return { tag: name, type: { case: "value", value: tag.value } };
    case "environment":
    case "header": {
      const value = { name: tag.from, defaultValue: tag.fallback };
      return tag.type === "header"
        ? { tag: name, type: { case: "requestHeader", value } }
        : { tag: name, type: { case: "environment", value } };
    }
    case "request-metadata": {
      const metadataKey = {
        key: tag.filter,
        path: [{ segment: { case: "key" as const, value: tag.key } }],
      };
      const kind = { kind: { case: "request" as const, value: {} } };
      return { tag: name, type: { case: "metadata", value: { kind, metadataKey } } };
    }
  }
}

function provider(tracer: Tracer): MessageInitShape<typeof Tracing_HttpSchema> {
  return tracer.type === "zipkin"
    ? { name: "envoy.tracers.zipkin", configType: typed(zipkinConfig(tracer)) }
    : { name: "envoy.tracers.opentelemetry", configType: typed(openTelemetryConfig(tracer)) };
}

function typed(value: ReturnType<typeof packAny>) {
  return { case: "typedConfig" as const, value };
}

function zipkinConfig(tracer: ZipkinTracer): ReturnType<typeof packAny> {
  const { clusterName: cluster, hostname, path, headers, timeoutMs } = tracer;
  const message = create(ZipkinConfigSchema, {
    collectorEndpointVersion: EndpointVersion.HTTP_JSON,
    traceId128bit: tracer.hasLongIds,
    sharedSpanContext: false,
    ...(tracer.usesW3c && { traceContextOption: TraceContextOption.USE_B3_WITH_W3C_PROPAGATION }),
    ...(tracer.isInOldForm
      ? { collectorCluster: cluster, collectorEndpoint: path, collectorHostname: hostname }
      : {
          collectorService: httpService(`http://${hostname}${path}`, cluster, timeoutMs, headers),
        }),
  });
  return packAny(ZipkinConfigSchema, message);
}

function openTelemetryConfig(tracer: OpenTelemetryTracer): ReturnType<typeof packAny> {
  const { clusterName, hostname, path, timeoutMs, headers, serviceName } = tracer;
  const message = create(OpenTelemetryConfigSchema, {
    serviceName,
    ...(path === undefined
      ? {
          grpcService: {
            targetSpecifier: { case: "envoyGrpc", value: { clusterName, authority: hostname } },
            ...(timeoutMs !== undefined && { timeout: duration(timeoutMs) }),
            initialMetadata: headers.map(headerValue),
          },
        }
      : { httpService: httpService(`${hostname}${path}`, clusterName, timeoutMs ?? 0, headers) }),
    ...(tracer.readsEnvironment && { resourceDetectors: [ENVIRONMENT_DETECTOR] }),
  });
  return packAny(OpenTelemetryConfigSchema, message);
}

const ENVIRONMENT_DETECTOR: MessageInitShape<typeof TypedExtensionConfigSchema> = {
  name: "envoy.tracers.opentelemetry.resource_detectors.environment",
  typedConfig: packAny(
    EnvironmentResourceDetectorConfigSchema,
    create(EnvironmentResourceDetectorConfigSchema),
  ),
};

function httpService(
  uri: string,
  cluster: string,
  timeoutMs: number,
  headers: readonly CollectorHeader[],
) {
  return {
    httpUri: {
      uri,
      httpUpstreamType: { case: "cluster" as const, value: cluster },
      timeout: duration(timeoutMs),
    },
    requestHeadersToAdd: headers.map(
      (header): MessageInitShape<typeof HeaderValueOptionSchema> => ({
        header: headerValue(header),
        appendAction: AppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
      }),
    ),
  };
}

function headerValue({ name, value }: CollectorHeader): MessageInitShape<typeof HeaderValueSchema> {
  return { key: name, value };
}
