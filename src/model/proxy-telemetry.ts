/**
 * What a proxy tells of the requests that it serves, in plain values: spans and log entries, and to
 * whom. `xds/tracing.ts` and `xds/access-log.ts` write them as Envoy's.
 */
import type { Cluster } from "./cluster.ts";
import type { AccessLogSettings } from "./mesh-settings.ts";

/** Nobody is told anything. */
export const SILENT_TELEMETRY: ProxyTelemetry = {
  client: { tracing: undefined, isDecidedByRequestId: true, accessLogs: [] },
  server: { tracing: undefined, isDecidedByRequestId: true, accessLogs: [] },
  clusterNames: [],
  ownClusters: [],
};

/** What one proxy tells; the same value for proxies that tell the same. */
export interface ProxyTelemetry {
  /** Of what goes out, and of gateways. */
  readonly client: SideTelemetry;
  /** Of what comes in. */
  readonly server: SideTelemetry;
  /** The clusters that it is told to, by name. */
  readonly clusterNames: readonly string[];
  /** Those among them that are no service's. */
  readonly ownClusters: readonly Cluster[];
}

/** What is told of one side. */
export interface SideTelemetry {
  /** Absent: nothing is traced. */
  readonly tracing: HttpTracing | undefined;
  /** Whether a request's ID says, to proxies that it comes to, whether it is traced. */
  readonly isDecidedByRequestId: boolean;
  readonly accessLogs: readonly AccessLog[];
}

/** How the requests of a connection manager are traced. */
export interface HttpTracing {
  /** Of the requests that nobody decided about. */
  readonly samplingPercent: number;
  /** Sorted by name. */
  readonly customTags: readonly CustomTag[];
  /** Absent: the proxy's default. */
  readonly pathLengthMax: number | undefined;
  /** Whether each attempt has a span of its own. */
  readonly hasUpstreamSpans: boolean;
  /** Whether upstreams are told of the trace. */
  readonly isPropagated: boolean;
  /** Absent: what the proxy's start-up file says. */
  readonly tracer: Tracer | undefined;
}

/** What spans are told beside what the proxy tells by itself. */
export type CustomTag = { readonly name: string } & (
  | { readonly type: "literal" | "formatter"; readonly value: string }
  | { readonly type: "environment" | "header"; readonly from: string; readonly fallback: string }
  /** What a filter noted of the request. */
  | { readonly type: "request-metadata"; readonly filter: string; readonly key: string }
);

/** A header with which a collector is told something. */
export interface CollectorHeader {
  readonly name: string;
  readonly value: string;
}

/** Who is told of spans, and in what form. */
export type Tracer = ZipkinTracer | OpenTelemetryTracer;

/** Zipkin's JSON over HTTP. */
export interface ZipkinTracer {
  readonly type: "zipkin";
  readonly clusterName: string;
  readonly hostname: string;
  readonly path: string;
  readonly hasLongIds: boolean;
  readonly usesW3c: boolean;
  readonly timeoutMs: number;
  readonly headers: readonly CollectorHeader[];
  /** In the form in which proxies before Istio 1.29 are told; without a timeout and headers. */
  readonly isInOldForm: boolean;
}

/** OTLP over gRPC, or over HTTP when there is a path. */
export interface OpenTelemetryTracer {
  readonly type: "opentelemetry";
  readonly clusterName: string;
  readonly hostname: string;
  /** Absent: gRPC. */
  readonly path: string | undefined;
  /** Absent: none. */
  readonly timeoutMs: number | undefined;
  readonly headers: readonly CollectorHeader[];
  readonly serviceName: string;
  /** Whether `OTEL_RESOURCE_ATTRIBUTES` of the proxy's environment count. */
  readonly readsEnvironment: boolean;
}

/** A log of requests or connections. */
export interface AccessLog {
  /** A CEL expression: what is true is logged. Absent: everything is. */
  readonly filter: string | undefined;
  readonly sink: LogSink;
}

/** Where a log goes. */
export type LogSink =
  | ({ readonly type: "file" } & AccessLogSettings)
  | GrpcLogSink
  | OpenTelemetryLogSink;

/**
 * A service that is sent entries in Envoy's own form: of requests, of connections, or of what there
 * is (`grpc`).
 */
export interface GrpcLogSink {
  readonly type: "http-grpc" | "tcp-grpc" | "grpc";
  readonly clusterName: string;
  /** "" for the name of the cluster. */
  readonly hostname: string;
  /** "" for Istio's own, which differ by what is logged. */
  readonly logName: string;
  readonly filterStates: readonly string[];
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
}

/** A collector of OpenTelemetry's. */
export interface OpenTelemetryLogSink {
  readonly type: "opentelemetry";
  readonly clusterName: string;
  readonly hostname: string;
  readonly logName: string;
  readonly filterStates: readonly string[];
  /** A format string; absent: Istio's own line. */
  readonly body: string | undefined;
  /** Format strings by name. */
  readonly attributes: Readonly<Record<string, string>>;
}
