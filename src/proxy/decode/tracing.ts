import { createHash } from "node:crypto";
import { Tracing_HttpSchema } from "../../api/gen/envoy/config/trace/v3/http_tracer_pb.js";
import {
  type HttpConnectionManager_Tracing as TracingMessage,
  HttpConnectionManager_TracingSchema as TracingSchema,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Percent } from "../../api/gen/envoy/type/v3/percent_pb.js";
import type { Issue } from "../../base/issue.ts";
import { decodeCustomTags } from "../../match/custom-tag.ts";
import type { Fraction } from "../../match/fraction.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { decodeOperation } from "../../match/route-tracing.ts";
import type { TracingConfig } from "../tracing/http-tracing.ts";
import type { RequestIdOptions } from "../tracing/trace-decision.ts";
import type { TracerConfig } from "../tracing/tracer-set.ts";
import { decodeExtension, type Extension } from "./extension.ts";
import { OPENTELEMETRY } from "./opentelemetry-tracer.ts";
import { type DecodedTracer, ZIPKIN } from "./zipkin-tracer.ts";

const FIELDS = [
  "client_sampling",
  "random_sampling",
  "overall_sampling",
  "verbose",
  "max_path_tag_length",
  "custom_tags",
  "provider",
  "spawn_upstream_span",
  "operation",
  "upstream_operation",
  "no_context_propagation",
];

/** Every tracer that is built. */
const TRACERS: readonly Extension<DecodedTracer>[] = [ZIPKIN, OPENTELEMETRY];

/** Envoy's default. */
const PATH_LENGTH_MAX = 256;

/** Decodes how a connection manager traces. */
export function decodeTracing(
  message: TracingMessage,
  requestIds: RequestIdOptions,
  path: string,
  issues: Issue[],
): TracingConfig {
  issues.push(...refuseFields(TracingSchema, message, FIELDS, path));
  const operation = (name: "operation" | "upstream_operation", format: string) =>
    decodeOperation(format, joinPath(path, name), issues);
  return {
    sampling: {
      client: { numerator: Math.trunc(message.clientSampling?.value ?? 100), denominator: 100 },
      random: ofTenThousand(message.randomSampling),
      overall: ofTenThousand(message.overallSampling),
    },
    requestIds,
    isVerbose: message.verbose,
    pathLengthMax: message.maxPathTagLength ?? PATH_LENGTH_MAX,
    customTags: decodeCustomTags(message.customTags, path, issues),
    operation: operation("operation", message.operation),
    upstreamOperation: operation("upstream_operation", message.upstreamOperation),
    spawnsUpstreamSpan: message.spawnUpstreamSpan ?? false,
    propagates: !message.noContextPropagation,
    tracer: message.provider && decodeTracer(message.provider, joinPath(path, "provider"), issues),
  };
}

function ofTenThousand(percent: Percent | undefined): Fraction {
  return { numerator: Math.round((percent?.value ?? 100) * 100), denominator: 10_000 };
}

function decodeTracer(
  message: NonNullable<TracingMessage["provider"]>,
  path: string,
  issues: Issue[],
): TracerConfig | undefined {
  issues.push(...refuseFields(Tracing_HttpSchema, message, ["name", "typed_config"], path));
  const { name, configType } = message;
  const any = configType.value;
  const decoded = decodeExtension(TRACERS, { name, any, path }, issues);
  if (decoded === undefined || any === undefined) return undefined;
  const digest = createHash("sha256").update(any.typeUrl).update("\0").update(any.value);
  return { ...decoded, digest: digest.digest("base64") };
}
