import type { CustomTag } from "../../match/custom-tag.ts";
import type { Sampling } from "../../match/route-tracing.ts";
import type { TextFormat } from "../../match/substitution.ts";
import type { ProxyContext } from "../context.ts";
import type { CounterGroups } from "../counters.ts";
import type { Tracer } from "./span.ts";
import type { RequestIdOptions } from "./trace-decision.ts";
import type { TracerConfig } from "./tracer-set.ts";

/** How a connection manager traces, decoded and checked. */
export interface TracingConfig {
  readonly sampling: Sampling;
  readonly requestIds: RequestIdOptions;
  /** Whether spans say when what was sent and received. */
  readonly isVerbose: boolean;
  /** So much of a path is told. */
  readonly pathLengthMax: number;
  readonly customTags: readonly CustomTag[];
  /** The names of spans; `undefined` for those that the tracer and decorators give. */
  readonly operation: TextFormat | undefined;
  readonly upstreamOperation: TextFormat | undefined;
  /** Whether each attempt has a span of its own. */
  readonly spawnsUpstreamSpan: boolean;
  /** Whether upstreams are told of the span. */
  readonly propagates: boolean;
  /** `undefined`: decisions are made and told, and no spans. */
  readonly tracer: TracerConfig | undefined;
}

const ZERO = {
  client_enabled: 0,
  health_check: 0,
  not_traceable: 0,
  random_sampling: 0,
  service_forced: 0,
};

/** How often it was decided what about a request. */
export type TracingCounters = typeof ZERO;

/** The tracing of a connection manager at run time. */
export interface HttpTracing {
  readonly config: TracingConfig;
  readonly tracer: Tracer | undefined;
  /** Whether its listener is for what goes out. */
  readonly isEgress: boolean;
  readonly counters: TracingCounters;
}

/** Opens it; `statPrefix` is `http.…`. */
export function openTracing(
  config: TracingConfig,
  context: ProxyContext,
  { statPrefix, isEgress }: { readonly statPrefix: string; readonly isEgress: boolean },
): HttpTracing {
  return {
    config,
    tracer: config.tracer && context.tracers.open(config.tracer, context),
    isEgress,
    counters: tracingCounters(context.counters, statPrefix),
  };
}

/** Those of one connection manager; `statPrefix` is `http.…`. */
export function tracingCounters(groups: CounterGroups, statPrefix: string): TracingCounters {
  return groups.get(`${statPrefix}.tracing`, ZERO);
}
