import type { ProxyTlv } from "../../match/connection-info.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import { INSPECT, type ListenerFilterConfig } from "./listener-filter.ts";
import { type ProxyHeader, type ProxyVersion, readProxyHeader } from "./proxy-header.ts";

/** A PROXY protocol filter, decoded and checked. */
export interface ProxyProtocolConfig {
  readonly statPrefix: string;
  /** Whether a client that does not begin with it may go on. */
  readonly isOptional: boolean;
  readonly disallowed: ReadonlySet<ProxyVersion>;
  /** Which extensions are kept for hosts that get such a header as well. */
  readonly passes: (tlv: ProxyTlv) => boolean;
}

const ZERO = {
  not_found_allowed: 0,
  not_found_disallowed: 0,
  "versions.v1.disallowed": 0,
  "versions.v1.error": 0,
  "versions.v1.found": 0,
  "versions.v2.disallowed": 0,
  "versions.v2.error": 0,
  "versions.v2.found": 0,
};

/** Takes the addresses of client and server from what a proxy in front says of them. */
export function proxyProtocol(config: ProxyProtocolConfig): ListenerFilterConfig {
  const { isOptional, disallowed, statPrefix, passes } = config;
  // A version that is not allowed is no header where none is needed.
  const ignored: ReadonlySet<ProxyVersion> = isOptional ? disallowed : new Set();
  return {
    create({ context }) {
      const prefix = statPrefix === "" ? "proxy_proto" : `proxy_proto.${statPrefix}`;
      const counters = context.counters.get(prefix, ZERO);
      const total = context.counters.get("", { downstream_cx_proxy_proto_error: 0 });
      const refuse = (counter: keyof typeof ZERO): number => {
        counters[counter]++;
        total.downstream_cx_proxy_proto_error++;
        return INSPECT.close;
      };
      return {
        needsBytes: true,
        inspect(connection, bytes) {
          const read = readProxyHeader(bytes, { isOptional, ignored });
          if (read === "more") return INSPECT.more;
          if (read === "none") {
            if (!isOptional) return refuse("not_found_disallowed");
            counters.not_found_allowed++;
            return 0;
          }
          // Envoy counts a text that never ends as no header at all.
          if (read === "endless") return refuse("not_found_disallowed");
          if (read === "overlong") return refuse("versions.v1.error");
          if (disallowed.has(read.version)) {
            counters[`versions.${read.version}.found`]++;
            counters[`versions.${read.version}.disallowed`]++;
            return INSPECT.close;
          }
          if (read.header === undefined) return refuse(`versions.${read.version}.error`);
          counters[`versions.${read.version}.found`]++;
          if (read.header.tlvs !== undefined)
            connection.proxyTlvs = read.header.tlvs.filter(passes);
          return take(connection, read.header);
        },
      };
    },
  };
}

function take(
  connection: AcceptedConnection,
  { length, source, destination }: ProxyHeader,
): number {
  if (source !== undefined) connection.remote = source;
  if (destination !== undefined) connection.local = destination;
  return length;
}
