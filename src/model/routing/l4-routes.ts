/**
 * What the `tls` and `tcp` rules of VirtualServices make of connections, for sidecars and for
 * gateways alike: https://istio.io/latest/docs/reference/config/networking/virtual-service/
 */
import { matchLabels } from "../../config/label-selector.ts";
import type { TcpChain } from "../listener.ts";
import type { Origin } from "../origin.ts";
import { type L4Match, MESH_GATEWAY, type VirtualService } from "../virtual-service.ts";
import type { RouteContext } from "./route-context.ts";
import { buildRuleChain } from "./tcp-chain.ts";

/** What becomes of some connections. */
export interface L4Route {
  /** Names that clients ask for; none for TCP rules. */
  readonly sniHosts: readonly string[];
  /** Addresses and CIDR ranges, as written; none: every address of the listener. */
  readonly destinationSubnets: readonly string[];
  readonly chain: TcpChain;
  /** The entry of `match`, or the rule that has none. */
  readonly origin: Origin;
}

/**
 * The routes of the `tls` rules that apply to a proxy on a port, in order. Of entries that ask for
 * the same only the first is there: nothing would ever reach the others.
 */
export function buildTlsRoutes(
  virtualService: VirtualService,
  context: RouteContext,
): readonly L4Route[] {
  const { key } = virtualService;
  const taken = new Set<string>();
  const routes: L4Route[] = [];
  for (const { matches, destinations } of virtualService.tlsRules) {
    for (const match of matches) {
      if (!isFor(match, context)) continue;
      const { sniHosts } = match;
      const destinationSubnets = subnetsOf(match, context);
      const asked = JSON.stringify([sniHosts, destinationSubnets]);
      if (taken.has(asked)) continue;
      taken.add(asked);
      const chain = buildRuleChain(virtualService, destinations, context);
      const origin = { key, path: match.path };
      routes.push({ sniHosts, destinationSubnets, chain, origin });
    }
  }
  return routes;
}

/**
 * The routes of the `tcp` rules that apply to a proxy on a port, in order; a rule that asks for no
 * address takes all connections, and ends the list.
 */
export function buildTcpRoutes(
  virtualService: VirtualService,
  context: RouteContext,
): readonly L4Route[] {
  const { key } = virtualService;
  const routes: L4Route[] = [];
  for (const { matches, destinations } of virtualService.tcpRules) {
    const applying = matches.filter((match) => isFor(match, context));
    const [first] = applying;
    if (first === undefined) continue;
    const all = applying.find((match) => subnetsOf(match, context).length === 0);
    const chain = buildRuleChain(virtualService, destinations, context);
    routes.push({
      sniHosts: [],
      destinationSubnets:
        all === undefined ? applying.flatMap((match) => subnetsOf(match, context)) : [],
      chain,
      origin: { key, path: (all ?? first).path },
    });
    if (all !== undefined) return routes;
  }
  return routes;
}

/** A gateway does not know its clients: there only the port and the gateway count. */
function isFor(match: L4Match, { gateway, listenPort, proxy }: RouteContext): boolean {
  if (match.gateways !== undefined && !match.gateways.includes(gateway)) return false;
  if (match.port !== undefined && match.port !== listenPort) return false;
  if (gateway !== MESH_GATEWAY) return true;
  return (
    matchLabels(match.sourceLabels, proxy.labels) &&
    (match.sourceNamespace === undefined || match.sourceNamespace === proxy.namespace)
  );
}

/** Clients of a gateway all connect to its own address, and those of a socket file to none. */
function subnetsOf(
  { destinationSubnets }: L4Match,
  { gateway, listenPort }: RouteContext,
): readonly string[] {
  return gateway === MESH_GATEWAY && listenPort > 0 ? destinationSubnets : [];
}
