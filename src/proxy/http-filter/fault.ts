import type { Timer } from "../../base/clock.ts";
import type { Criterion } from "../../match/header-match.ts";
import type { Counters } from "../counters.ts";
import {
  type DynamicMetadata,
  FILTER,
  type FilterScope,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { ResponseHead } from "../http/message-head.ts";
import { ResponseRateLimit } from "./response-rate-limit.ts";

/** How often a fault is injected. */
export interface FaultShare {
  readonly numerator: number;
  readonly denominator: number;
  /** A request header that may ask for less often; "" for none. */
  readonly header: string;
  readonly runtimeKey: string;
}

/** A fault that is a number: how often, and how much. */
export interface FaultAmount {
  readonly share: FaultShare;
  /** Milliseconds, or KiB per second; `undefined` leaves it to the header. */
  readonly amount: number | undefined;
  readonly header: string;
}

/** An answer that takes the place of the upstream's. */
export interface FaultAbort {
  readonly share: FaultShare;
  readonly httpStatus: number | undefined;
  readonly grpcStatus: number | undefined;
  /** Headers of the request say which. */
  readonly isByHeader: boolean;
}

/** What the filter, or a route, says about faults, decoded and checked. */
export interface FaultSettings {
  readonly filter: "fault";
  readonly delay: FaultAmount | undefined;
  readonly abort: FaultAbort | undefined;
  readonly rateLimit: FaultAmount | undefined;
  /** Only requests to this cluster are concerned; "" for all. */
  readonly upstreamCluster: string;
  /** All of them must match. */
  readonly headers: readonly Criterion[];
  /** Only requests of these nodes are concerned; empty for all. */
  readonly downstreamNodes: ReadonlySet<string>;
  readonly maxActive: number;
  readonly runtimeKeys: {
    readonly delayMs: string;
    readonly httpStatus: string;
    readonly grpcStatus: string;
    readonly maxActive: string;
  };
  /** Whether faults are counted by the cluster that the client says it is of, too. */
  readonly countsByClient: boolean;
  /** Noted with a request that was delayed or aborted. */
  readonly metadata: DynamicMetadata;
}

const ZERO = {
  aborts_injected: 0,
  active_faults: 0,
  delays_injected: 0,
  faults_overflow: 0,
  response_rl_injected: 0,
};

/** What the filters of one connection manager count. */
export class FaultStats {
  readonly #scope: FilterScope;
  readonly all: typeof ZERO;
  readonly #clients = new Map<string, Counters>();

  constructor(scope: FilterScope) {
    this.#scope = scope;
    this.all = scope.context.counters.get(`${scope.statPrefix}.fault`, ZERO);
  }

  count(name: "aborts_injected" | "delays_injected", client: string): void {
    this.all[name]++;
    if (client === "") return;
    const counters = this.#ofClient(client);
    if (counters !== undefined) counters[name] = (counters[name] ?? 0) + 1;
  }

  /** The client chooses the name: past the bound new ones are not counted apart. */
  #ofClient(client: string): Counters | undefined {
    const known = this.#clients.get(client);
    if (known !== undefined || this.#clients.size >= CLIENTS_MAX) return known;
    const { context, statPrefix } = this.#scope;
    const counters = context.counters.get(`${statPrefix}.fault.${client}`, {});
    this.#clients.set(client, counters);
    return counters;
  }

  /** False when as many are active as may be. */
  begin(maxActive: number): boolean {
    const isFree = this.all.active_faults < maxActive;
    if (isFree) this.all.active_faults++;
    else this.all.faults_overflow++;
    return isFree;
  }

  end(): void {
    this.all.active_faults--;
  }
}

const CLIENTS_MAX = 1000;

/** `x-envoy-fault-abort-request` must be a status that an answer may have. */
const ABORT_STATUS_MIN = 200;
const ABORT_STATUS_MAX = 599;

/** Delays, aborts and slows down some requests, to see how others bear it. */
export class FaultFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #own: FaultSettings;
  readonly #stats: FaultStats;
  #timer: Timer | undefined = undefined;
  #isActive = false;
  /** The client's cluster; "" when it says none, or none shall be counted. */
  #client = "";
  #kibPerS = 0;
  #limit: ResponseRateLimit | undefined = undefined;

  constructor(stream: FilterStream, name: string, own: FaultSettings, stats: FaultStats) {
    this.#stream = stream;
    this.#name = name;
    this.#own = own;
    this.#stats = stats;
  }

  onRequestHead(): FilterStatus {
    const given = this.#stream.routeConfig(this.#name);
    const settings = given !== undefined && isFaultSettings(given) ? given : this.#own;
    if (!this.#isConcerned(settings)) return FILTER.continue;
    this.#client = this.#stream.head.headers.get("x-envoy-downstream-service-cluster") ?? "";
    this.#setUpRateLimit(settings);
    const delayMs = this.#delayMs(settings);
    if (delayMs > 0 && this.#begin(settings)) {
      this.#delay(delayMs, settings);
      return FILTER.stop;
    }
    return this.#abort(settings) ? FILTER.stop : FILTER.continue;
  }

  onResponseHead(_head: ResponseHead, hasBody: boolean): void {
    if (this.#kibPerS === 0 || !hasBody) return;
    this.#stream.interceptResponse((next) => {
      this.#limit = new ResponseRateLimit(this.#stream, this.#kibPerS, next);
      return this.#limit;
    });
  }

  onStreamEnd(): void {
    this.#kibPerS = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#limit?.stop();
    this.#limit = undefined;
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#stats.end();
  }

  #isConcerned(settings: FaultSettings): boolean {
    const stream = this.#stream;
    if (settings.upstreamCluster !== "" && stream.choice?.name !== settings.upstreamCluster) {
      return false;
    }
    if (settings.downstreamNodes.size > 0) {
      const node = stream.head.headers.get("x-envoy-downstream-service-node");
      if (node === undefined || !settings.downstreamNodes.has(node)) return false;
    }
    for (const criterion of settings.headers) if (!criterion.matches(stream)) return false;
    return true;
  }

  /** Several faults in one request count as one. */
  #begin({ maxActive, runtimeKeys }: FaultSettings): boolean {
    if (this.#isActive) return true;
    const max = this.#stream.runtime.integer(runtimeKeys.maxActive) ?? maxActive;
    this.#isActive = this.#stats.begin(max);
    return this.#isActive;
  }

  #setUpRateLimit(settings: FaultSettings): void {
    const { rateLimit } = settings;
    if (rateLimit === undefined || !this.#strikes(rateLimit.share, "")) return;
    const kibPerS = this.#amountOf(rateLimit);
    if (kibPerS === undefined || kibPerS === 0 || !this.#begin(settings)) return;
    this.#stats.all.response_rl_injected++;
    this.#kibPerS = kibPerS;
  }

  /** 0 when this request is not delayed. */
  #delayMs({ delay, runtimeKeys }: FaultSettings): number {
    if (delay === undefined || !this.#strikes(delay.share, "delay.fixed_delay_percent")) return 0;
    const delayMs = this.#amountOf(delay);
    if (delayMs === undefined) return 0;
    const now = this.#stream.runtime.integer(runtimeKeys.delayMs) ?? delayMs;
    return this.#ofClient("delay.fixed_duration_ms") ?? now;
  }

  #delay(delayMs: number, settings: FaultSettings): void {
    const stream = this.#stream;
    this.#stats.count("delays_injected", settings.countsByClient ? this.#client : "");
    stream.addFlag("DI");
    stream.setDynamicMetadata(METADATA, settings.metadata);
    this.#timer = stream.context.clock.setTimer(Math.min(delayMs, TIMER_MS_MAX), () => {
      this.#timer = undefined;
      if (!this.#abort(settings)) stream.continueRequest();
    });
  }

  /** True when the request has been answered. */
  #abort(settings: FaultSettings): boolean {
    const { abort, runtimeKeys } = settings;
    if (abort === undefined || !this.#strikes(abort.share, "abort.abort_percent")) return false;
    const { headers } = this.#stream.head;
    const httpStatus = abort.isByHeader
      ? abortStatus(headers.first("x-envoy-fault-abort-request"))
      : abort.httpStatus;
    const grpcStatus = abort.isByHeader
      ? parseNumber(headers.first("x-envoy-fault-abort-grpc-request"))
      : abort.grpcStatus;
    if (httpStatus === undefined && grpcStatus === undefined) return false;
    if (!this.#begin(settings)) return false;
    const stream = this.#stream;
    this.#stats.count("aborts_injected", settings.countsByClient ? this.#client : "");
    stream.setDynamicMetadata(METADATA, settings.metadata);
    const reply = {
      body: "fault filter abort",
      flag: "FI",
      details: "fault_filter_abort",
    } as const;
    if (httpStatus !== undefined) {
      const status = this.#abortNumber(runtimeKeys.httpStatus, "abort.http_status") ?? httpStatus;
      stream.localReply({ ...reply, status });
    } else {
      const now = this.#abortNumber(runtimeKeys.grpcStatus, "abort.grpc_status");
      stream.localReply({ ...reply, status: 200, grpcStatus: now ?? grpcStatus ?? 0 });
    }
    return true;
  }

  /** Whether this request is one of the share; the client's cluster may have a share of its own. */
  #strikes(share: FaultShare, clientKey: string): boolean {
    const { runtime, head, context } = this.#stream;
    const key =
      this.#client === "" || clientKey === ""
        ? share.runtimeKey
        : `fault.http.${this.#client}.${clientKey}`;
    let { numerator } = share;
    if (share.header !== "") {
      const wanted = parseNumber(head.headers.first(share.header));
      if (wanted !== undefined && wanted <= UINT32_MAX) numerator = Math.min(numerator, wanted);
    }
    const chance = runtime.share(key) ?? numerator / share.denominator;
    return chance >= 1 || (chance > 0 && context.prng.next() < chance);
  }

  #amountOf({ amount, header }: FaultAmount): number | undefined {
    return amount ?? parseNumber(this.#stream.head.headers.first(header));
  }

  #ofClient(key: string): number | undefined {
    if (this.#client === "") return undefined;
    return this.#stream.runtime.integer(`fault.http.${this.#client}.${key}`);
  }

  /** As in Envoy, the key for all does not concern a client that says its cluster. */
  #abortNumber(key: string, clientKey: string): number | undefined {
    return this.#client === "" ? this.#stream.runtime.integer(key) : this.#ofClient(clientKey);
  }
}

/** Envoy notes it under this name, whatever the filter is called in its chain. */
const METADATA = "envoy.filters.http.fault";
const UINT32_MAX = 4_294_967_295;
/** The longest that a timer takes: 24 days. */
const TIMER_MS_MAX = 2_147_483_647;

function isFaultSettings(settings: object): settings is FaultSettings {
  return "filter" in settings && settings.filter === "fault";
}

function abortStatus(value: string | undefined): number | undefined {
  const status = parseNumber(value);
  if (status === undefined) return undefined;
  return status >= ABORT_STATUS_MIN && status <= ABORT_STATUS_MAX ? status : undefined;
}

/** A decimal number that is not negative; `undefined` for whatever else a client wrote. */
function parseNumber(value: string | undefined): number | undefined {
  if (value === undefined || !/^\s*\+?\d{1,20}\s*$/.test(value)) return undefined;
  const number = Number(value);
  return number > 2 ** 64 - 1 ? undefined : number;
}
