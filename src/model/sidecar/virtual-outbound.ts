import type { FilterChain, FilterChainMatch, HttpChain, Listener, TcpChain } from "../listener.ts";
import { NO_INSPECTION } from "../listener.ts";
import type { ProxyNode } from "../proxy.ts";
import { PLAIN_HTTP } from "./outbound-entry.ts";
import { wildcardAddresses } from "./service-address.ts";
import { CLOSED_TCP, type UnknownPolicy, unknownHosts, unknownTcp } from "./unknown-hosts.ts";

/** Names of the listener and its chains (Istio's). */
const NAME = "virtualOutbound";
const BLACK_HOLE_CHAIN = `${NAME}-blackhole`;
const CATCH_ALL_CHAIN = `${NAME}-catchall-tcp`;
const CATCH_ALL_HTTP_CHAIN = `${NAME}-catchall-http`;

/** Servers speak first there: whoever waits for the client's first bytes waits for ever. */
const SERVER_FIRST_PORTS = [25, 53, 3306, 27_017];

/**
 * Where all captured connections arrive. Each is handed to the listener of the address that it
 * meant; what stays is for nobody that the proxy knows.
 */
export function virtualOutbound(client: ProxyNode, scope: UnknownPolicy): Listener {
  const { outboundPort: port } = scope.settings;
  const [address, ...others] = wildcardAddresses(client);
  const catchAll = chain(CATCH_ALL_CHAIN, {}, unknownTcp(scope));
  const isDynamic = scope.outboundMode === "ALLOW_ANY_DYNAMIC_DNS";
  return {
    name: NAME,
    direction: "outbound",
    address: { address, port },
    additionalAddresses: others.map((other) => ({ address: other, port })),
    isBound: true,
    isCapturing: true,
    ...(client.interceptionMode === "TPROXY" && { isTransparent: true }),
    inspection: isDynamic
      ? { ...NO_INSPECTION, tls: true, http: { exceptPorts: SERVER_FIRST_PORTS } }
      : NO_INSPECTION,
    chains: [
      // Who asks for the port itself meant nobody else: passed on, it would come back for ever.
      chain(BLACK_HOLE_CHAIN, { destinationPort: port }, CLOSED_TCP),
      ...(isDynamic ? [chain(CATCH_ALL_HTTP_CHAIN, PLAIN_HTTP_MATCH, dynamicHttp(scope))] : []),
      ...(isDynamic ? [] : [catchAll]),
    ],
    // Beside a chain for plain text, one that asks for nothing would not get the rest of it.
    defaultChain: isDynamic ? catchAll : undefined,
    inspectionTimeoutMs: isDynamic ? scope.settings.protocolDetectionTimeoutMs : undefined,
    keepalive: undefined,
    origins: [],
  };
}

const PLAIN_HTTP_MATCH: FilterChainMatch = {
  applicationProtocols: PLAIN_HTTP,
  transportProtocol: "raw_buffer",
};

/** Only requests say a name that can be looked up. */
function dynamicHttp(scope: UnknownPolicy): HttpChain {
  return {
    type: "http",
    statPrefix: `outbound_${NAME}`,
    routes: { name: CATCH_ALL_HTTP_CHAIN, ignoresPort: true, virtualHosts: [unknownHosts(scope)] },
    role: "sidecar-outbound",
    reachesDynamicDns: true,
  };
}

function chain(name: string, match: FilterChainMatch, filter: HttpChain | TcpChain): FilterChain {
  return { name, match, tls: undefined, filter, origins: [] };
}
