import type { CounterGroups } from "../counters.ts";

/** Of one listener, over all its versions; the names are Envoy's. */
const ZERO = {
  downstream_cx_active: 0,
  downstream_cx_destroy: 0,
  downstream_cx_overflow: 0,
  downstream_cx_overload_reject: 0,
  downstream_cx_total: 0,
  downstream_cx_transport_socket_connect_timeout: 0,
  downstream_global_cx_overflow: 0,
  downstream_listener_filter_remote_close: 0,
  downstream_pre_cx_active: 0,
  downstream_pre_cx_timeout: 0,
  no_filter_chain_match: 0,
};

export type ListenerCounters = typeof ZERO;

/** Of one that has no address yet, and so no connections. */
export function unboundCounters(): ListenerCounters {
  return { ...ZERO };
}

/** The counters of a listener, under the prefix it asks for or else its first address. */
export function listenerCounters(
  groups: CounterGroups,
  statPrefix: string,
  address: string,
): ListenerCounters {
  return groups.get(listenerPrefix(statPrefix, address), ZERO);
}

/** Before the names of all counters of a listener. */
export function listenerPrefix(statPrefix: string, address: string): string {
  const name = statPrefix === "" ? address : statPrefix;
  return `listener.${name.replaceAll(":", "_")}`;
}
