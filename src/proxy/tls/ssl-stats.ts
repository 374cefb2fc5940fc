import type { CounterGroups } from "../counters.ts";

/** Of the TLS connections of one listener or cluster; the names are Envoy's. */
const ZERO = {
  "ssl.connection_error": 0,
  "ssl.fail_verify_cert_hash": 0,
  "ssl.fail_verify_error": 0,
  "ssl.fail_verify_no_cert": 0,
  "ssl.fail_verify_san": 0,
  "ssl.handshake": 0,
  "ssl.no_certificate": 0,
  "ssl.session_reused": 0,
  "ssl.was_key_usage_invalid": 0,
};

/** Of the making of contexts; for clients and servers below another name. */
const FACTORY_ZERO = {
  downstream_context_secrets_not_ready: 0,
  ssl_context_update_by_sds: 0,
  upstream_context_secrets_not_ready: 0,
};

/** The counters of one side of TLS. */
export interface SslStats {
  /** `ssl.versions.…` and the like are added when they first occur. */
  readonly counters: typeof ZERO & Record<string, number>;
  readonly factory: typeof FACTORY_ZERO;
}

/** Those of one that has no address yet, and so no connections. */
export function unboundSslStats(): SslStats {
  return { counters: { ...ZERO }, factory: { ...FACTORY_ZERO } };
}

/** The counters below a prefix, `listener.…` or `cluster.…`. */
export function sslStats(
  groups: CounterGroups,
  prefix: string,
  side: "server" | "client",
): SslStats {
  return {
    counters: groups.get(prefix, ZERO),
    factory: groups.get(`${prefix}.${side}_ssl_socket_factory`, FACTORY_ZERO),
  };
}

/** Counts one more of something that was negotiated. */
export function countNegotiated({ counters }: SslStats, name: string): void {
  counters[name] = (counters[name] ?? 0) + 1;
}
