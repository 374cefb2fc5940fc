import type { CounterGroups } from "../counters.ts";
import { type TracingCounters, tracingCounters } from "../tracing/http-tracing.ts";
import type { Histogram } from "./histogram.ts";

const ZERO = {
  downstream_cx_active: 0,
  downstream_cx_destroy: 0,
  downstream_cx_destroy_active_rq: 0,
  downstream_cx_destroy_local: 0,
  downstream_cx_destroy_local_active_rq: 0,
  downstream_cx_destroy_remote: 0,
  downstream_cx_destroy_remote_active_rq: 0,
  downstream_cx_drain_close: 0,
  downstream_cx_http1_active: 0,
  downstream_cx_http1_total: 0,
  downstream_cx_http2_active: 0,
  downstream_cx_http2_total: 0,
  downstream_cx_idle_timeout: 0,
  downstream_cx_max_duration_reached: 0,
  downstream_cx_max_requests_reached: 0,
  downstream_cx_overload_disable_keepalive: 0,
  downstream_cx_protocol_error: 0,
  downstream_cx_rx_bytes_total: 0,
  downstream_cx_total: 0,
  downstream_cx_tx_bytes_total: 0,
  downstream_rq_1xx: 0,
  downstream_rq_2xx: 0,
  downstream_rq_3xx: 0,
  downstream_rq_4xx: 0,
  downstream_rq_5xx: 0,
  downstream_rq_active: 0,
  downstream_rq_completed: 0,
  downstream_rq_header_timeout: 0,
  downstream_rq_http1_total: 0,
  downstream_rq_http2_total: 0,
  downstream_rq_idle_timeout: 0,
  downstream_rq_max_duration_reached: 0,
  downstream_rq_non_relative_path: 0,
  downstream_rq_overload_close: 0,
  downstream_rq_response_before_rq_complete: 0,
  downstream_rq_rx_reset: 0,
  downstream_rq_timeout: 0,
  downstream_rq_too_large: 0,
  downstream_rq_too_many_premature_resets: 0,
  downstream_rq_total: 0,
  downstream_rq_tx_reset: 0,
  no_cluster: 0,
  no_route: 0,
  rq_direct_response: 0,
  rq_overload_local_reply: 0,
  rq_redirect: 0,
  rq_total: 0,
  rs_too_large: 0,
};

/** What connection managers of one stat prefix count together, by Envoy's names. */
export type HttpCounters = typeof ZERO;

/** Counters and histograms of a connection manager. */
export interface HttpStats {
  readonly counters: HttpCounters;
  /** In milliseconds, from the first byte of a request to the last of its response. */
  readonly requestTime: Histogram;
  readonly connectionLength: Histogram;
  /** Of decisions about traces; Envoy shows them for every connection manager, traced or not. */
  readonly tracing: TracingCounters;
}

/** Those of one stat prefix, `http.…`; they go on counting over updates. */
export function httpStats(groups: CounterGroups, prefix: string): HttpStats {
  return {
    counters: groups.get(prefix, ZERO),
    requestTime: groups.histogram(`${prefix}.downstream_rq_time`),
    connectionLength: groups.histogram(`${prefix}.downstream_cx_length_ms`),
    tracing: tracingCounters(groups, prefix),
  };
}

const CLASSES = [
  "downstream_rq_1xx",
  "downstream_rq_2xx",
  "downstream_rq_3xx",
  "downstream_rq_4xx",
  "downstream_rq_5xx",
] as const;

/** A response has been sent. */
export function countResponse(counters: HttpCounters, status: number): void {
  counters.downstream_rq_completed++;
  const name = CLASSES[Math.floor(status / 100) - 1];
  if (name !== undefined) counters[name]++;
}

/** A connection has gone. */
export function countDestroyed(
  counters: HttpCounters,
  isLocal: boolean,
  hadRequest: boolean,
): void {
  counters.downstream_cx_active--;
  counters.downstream_cx_destroy++;
  if (isLocal) counters.downstream_cx_destroy_local++;
  else counters.downstream_cx_destroy_remote++;
  if (!hadRequest) return;
  counters.downstream_cx_destroy_active_rq++;
  if (isLocal) counters.downstream_cx_destroy_local_active_rq++;
  else counters.downstream_cx_destroy_remote_active_rq++;
}
