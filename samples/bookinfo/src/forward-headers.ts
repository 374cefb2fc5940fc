import type { IncomingHttpHeaders } from "node:http";

/**
 * Headers that an app has to hand on from the request it got to the requests it makes because of
 * it: only the app knows which belong together. Each tracer looks at its own.
 */
const TRACE_HEADERS = [
  // Ties together log lines and sampling decisions, whatever the tracer.
  "x-request-id",
  // W3C Trace Context.
  "traceparent",
  "tracestate",
  // Zipkin, in many headers and in one.
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "b3",
  // Lightstep.
  "x-ot-span-context",
  // Datadog.
  "x-datadog-trace-id",
  "x-datadog-parent-id",
  "x-datadog-sampling-priority",
  "x-datadog-sampled",
  // Google Cloud.
  "x-cloud-trace-context",
  // OpenCensus over gRPC.
  "grpc-trace-bin",
  // SkyWalking.
  "sw8",
] as const;

/** Who asks and with which program: routing rules further down may match on these. */
const CALLER_HEADERS = ["end-user", "user-agent", "cookie", "authorization", "jwt"] as const;

/** The headers of `headers` that go along to the services below. */
export function forwardHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (const name of [...TRACE_HEADERS, ...CALLER_HEADERS]) {
    const value = headers[name];
    if (value !== undefined) forwarded[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return forwarded;
}
