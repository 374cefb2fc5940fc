/** From which pressure on something is done, and how strongly. */
export type TriggerConfig =
  | { readonly kind: "threshold"; readonly value: number }
  /** Grows from nothing at `from` to all at `to`. */
  | { readonly kind: "scaled"; readonly from: number; readonly to: number };

/** A trigger and the name of the monitor that it looks at. */
export interface ResourceTrigger {
  readonly resource: string;
  readonly trigger: TriggerConfig;
}

/** What is measured. */
export type MonitorConfig = { readonly name: string } & (
  | { readonly kind: "heap"; readonly bytesMax: number }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "connections"; readonly connectionsMax: number }
);

/** What Envoy can do when it has too much to do; `reset_high_memory_stream` is not built. */
export const ACTION = {
  stopRequests: "envoy.overload_actions.stop_accepting_requests",
  disableKeepAlive: "envoy.overload_actions.disable_http_keepalive",
  stopConnections: "envoy.overload_actions.stop_accepting_connections",
  rejectConnections: "envoy.overload_actions.reject_incoming_connections",
  shrinkHeap: "envoy.overload_actions.shrink_heap",
  reduceTimeouts: "envoy.overload_actions.reduce_timeouts",
} as const;
export type ActionName = (typeof ACTION)[keyof typeof ACTION];

/** Places on the way of a connection or a request where it may be turned away. */
export const SHED_POINT = {
  accept: "envoy.load_shed_points.tcp_listener_accept",
  dispatch: "envoy.load_shed_points.http1_server_abort_dispatch",
  head: "envoy.load_shed_points.http_connection_manager_decode_headers",
  router: "envoy.load_shed_points.http_downstream_filter_check",
} as const;
export type ShedPointName = (typeof SHED_POINT)[keyof typeof SHED_POINT];

/** The monitor of all connections from clients; it is asked for each, not from time to time. */
export const CONNECTIONS_MONITOR = "envoy.resource_monitors.global_downstream_max_connections";

/** Something that is done, and when. */
export interface LevelConfig<Name extends string> {
  readonly name: Name;
  readonly triggers: readonly ResourceTrigger[];
}

/** Time-outs that can be made shorter. */
export type TimeoutKind = "connectionIdle" | "streamIdle" | "transportConnect";

/** What a time-out is never shorter than: a time, or a share of its whole length. */
export type TimeoutMinimum = { readonly ms: number } | { readonly share: number };

/** An overload manager, decoded and checked. */
export interface OverloadConfig {
  /** How often resources are looked at. */
  readonly refreshMs: number;
  readonly monitors: readonly MonitorConfig[];
  readonly actions: readonly LevelConfig<ActionName>[];
  readonly shedPoints: readonly LevelConfig<ShedPointName>[];
  readonly timeoutMinima: ReadonlyMap<TimeoutKind, TimeoutMinimum>;
}
