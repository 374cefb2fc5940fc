import {
  type Tracing as RouteTracingMessage,
  TracingSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { FractionalPercent } from "../api/gen/envoy/type/v3/percent_pb.js";
import type { Issue } from "../base/issue.ts";
import { type CustomTag, decodeCustomTags } from "./custom-tag.ts";
import { type Fraction, fractionOf } from "./fraction.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileFormat, type TextFormat } from "./substitution.ts";

/** Which requests are traced. */
export interface Sampling {
  /** Of those that come with `x-client-trace-id`. */
  readonly client: Fraction;
  readonly random: Fraction;
  /** Of all that would be, by whatever reason. */
  readonly overall: Fraction;
}

/** What a route says of its spans, instead of the connection manager. */
export interface RouteTracing {
  readonly sampling: Sampling;
  readonly customTags: readonly CustomTag[];
  /** Names of spans; `undefined` where the connection manager's hold. */
  readonly operation: TextFormat | undefined;
  readonly upstreamOperation: TextFormat | undefined;
}

/** What the name of a route's spans is. */
export interface Decorator {
  /** "" for none. */
  readonly operation: string;
  /** Whether the other side is told. */
  readonly isPropagated: boolean;
}

const FIELDS = [
  "client_sampling",
  "random_sampling",
  "overall_sampling",
  "custom_tags",
  "operation",
  "upstream_operation",
];

const ALL: Fraction = { numerator: 100, denominator: 100 };

export function decodeRouteTracing(
  message: RouteTracingMessage,
  path: string,
  issues: Issue[],
): RouteTracing {
  issues.push(...refuseFields(TracingSchema, message, FIELDS, path));
  const fraction = (given: FractionalPercent | undefined): Fraction =>
    given === undefined ? ALL : fractionOf(given);
  return {
    sampling: {
      client: fraction(message.clientSampling),
      random: fraction(message.randomSampling),
      overall: fraction(message.overallSampling),
    },
    customTags: decodeCustomTags(message.customTags, path, issues),
    operation: decodeOperation(message.operation, joinPath(path, "operation"), issues),
    upstreamOperation: decodeOperation(
      message.upstreamOperation,
      joinPath(path, "upstream_operation"),
      issues,
    ),
  };
}

/** The format of spans' names; `undefined` for none. */
export function decodeOperation(
  format: string,
  path: string,
  issues: Issue[],
): TextFormat | undefined {
  if (format === "") return undefined;
  const compiled = compileFormat(format, "");
  if (compiled.ok) return compiled.value;
  for (const { message } of compiled.issues) issues.push({ path, message });
  return undefined;
}
