import { latin1 } from "../net/latin1.ts";
import { type ClientHello, readClientHello } from "./client-hello.ts";
import { INSPECT, type ListenerFilterConfig } from "./listener-filter.ts";

const ZERO = {
  alpn_found: 0,
  alpn_not_found: 0,
  client_hello_too_large: 0,
  sni_found: 0,
  sni_not_found: 0,
  tls_found: 0,
  tls_not_found: 0,
};

/** Finds out whether a client speaks TLS, which name it asks for and what it offers by ALPN. */
export const TLS_INSPECTOR: ListenerFilterConfig = {
  create({ context }) {
    const counters = context.counters.get("tls_inspector", ZERO);
    return {
      needsBytes: true,
      inspect(connection, bytes) {
        const hello = readClientHello(bytes);
        if (hello === "more") return INSPECT.more;
        if (hello === "none") {
          counters.tls_not_found++;
          return 0;
        }
        counters.tls_found++;
        connection.transportProtocol = "tls";
        const { serverName, protocols } = namesOf(hello);
        if (serverName === "") counters.sni_not_found++;
        else counters.sni_found++;
        connection.serverName = serverName;
        if (protocols.length === 0) counters.alpn_not_found++;
        else counters.alpn_found++;
        connection.applicationProtocols = protocols;
        return 0;
      },
    };
  },
};

function namesOf({ serverName, protocols }: ClientHello): {
  serverName: string;
  protocols: readonly string[];
} {
  return {
    serverName: latin1(serverName, 0, serverName.length).toLowerCase(),
    protocols: protocols.map((protocol) => latin1(protocol, 0, protocol.length)),
  };
}
