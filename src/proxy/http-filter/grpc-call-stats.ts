import type { ProxyContext } from "../context.ts";
import type { Counters } from "../counters.ts";
import type { FilterStream } from "../http/http-filter.ts";

/** Service and method of a call, as they stand in its path. */
export interface CallName {
  readonly service: string;
  readonly method: string;
}

/** What `/service/method` names; `undefined` for a path of any other form. */
export function parseCallName(path: string): CallName | undefined {
  const query = path.indexOf("?");
  const parts = (query === -1 ? path : path.substring(0, query)).split("/").filter(Boolean);
  const [service, method, more] = parts;
  if (service === undefined || method === undefined || more !== undefined) return undefined;
  return { service, method };
}

/** The cluster of a request, as statistics call it; `undefined` where its route has none. */
export function statNameOf({ choice, context }: FilterStream): string | undefined {
  return choice && context.findCluster(choice.name)?.config.statName;
}

/** Clients choose the names of calls: past the bound new ones count without theirs. */
const CALLS_MAX = 10_000;
/** Upstreams choose the statuses of calls: past the bound new ones have no number of their own. */
const STATUSES_MAX = 64;
const STATUS_LENGTH_MAX = 16;

/** The numbers of calls to one cluster, of one method or of all together. */
export class CallCounters {
  readonly #context: ProxyContext;
  readonly #prefix: string;
  readonly #counters: Counters;

  constructor(context: ProxyContext, prefix: string) {
    this.#context = context;
    this.#prefix = prefix;
    this.#counters = context.counters.get(prefix, {});
  }

  /** A call has ended with the status of this header, if it is there. */
  countStatus(status: string | undefined): void {
    if (status === undefined) return;
    const isBounded =
      status.length <= STATUS_LENGTH_MAX && Object.keys(this.#counters).length < STATUSES_MAX;
    if (isBounded || status in this.#counters) this.#add(status, 1);
    this.countEnd(status === "0");
  }

  countEnd(isSuccess: boolean): void {
    this.#add(isSuccess ? "success" : "failure", 1);
    this.#add("total", 1);
  }

  countRequests(count: number): void {
    this.#add("request_message_count", count);
  }

  countResponses(count: number): void {
    this.#add("response_message_count", count);
  }

  /** How long the upstream took, in milliseconds. */
  addTime(ms: number): void {
    this.#context.counters.histogram(`${this.#prefix}.upstream_rq_time`).add(ms);
  }

  /** As in Envoy, a number is there when it is first counted. */
  #add(name: string, count: number): void {
    this.#counters[name] = (this.#counters[name] ?? 0) + count;
  }
}

/** The numbers of calls through one filter. */
export class CallStats {
  readonly #context: ProxyContext;
  readonly #protocol: string;
  readonly #known = new Map<string, CallCounters>();

  constructor(context: ProxyContext, protocol: "grpc" | "grpc-web") {
    this.#context = context;
    this.#protocol = protocol;
  }

  /** Those of one method, or of all that have no numbers of their own. */
  of(cluster: string, name: CallName | undefined): CallCounters {
    const all = `cluster.${cluster}.${this.#protocol}`;
    const prefix = name === undefined ? all : `${all}.${name.service}.${name.method}`;
    const known = this.#known.get(prefix);
    if (known !== undefined) return known;
    if (name !== undefined && this.#known.size >= CALLS_MAX) return this.of(cluster, undefined);
    const counters = new CallCounters(this.#context, prefix);
    this.#known.set(prefix, counters);
    return counters;
  }
}
