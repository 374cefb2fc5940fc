import { matchLabels } from "../../config/label-selector.ts";
import { type Gateway, type GatewayServer, hostsFor } from "../gateway.ts";
import { compareHosts, intersectHosts } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import type { ObjectIssue } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Route, VirtualHost } from "../route.ts";
import { isCatchAll } from "../route-match.ts";
import { buildHttpRoutes } from "../routing/http-routes.ts";
import type { Scope } from "../scope.ts";
import type { ServiceTarget } from "../service-targets.ts";

/** A Service with this label does not lend its ports to Gateways (Istio's label). */
const NO_PORT_TRANSLATION = "experimental.istio.io/disable-gateway-port-translation";

/** One port that a gateway's pod listens on for its clients. */
export interface GatewayPort {
  /** The port of the pod. */
  readonly number: number;
  readonly routeName: string;
  /** The oldest Gateway's first. */
  readonly servers: readonly GatewayServer[];
}

/** The ports of a gateway pod from all Gateways that select it. */
export function gatewayPorts(
  mesh: Mesh,
  proxy: ProxyNode,
  targets: readonly ServiceTarget[],
): { readonly ports: readonly GatewayPort[]; readonly issues: readonly ObjectIssue[] } {
  const byNumber = new Map<number, GatewayServer[]>();
  const issues: ObjectIssue[] = [];
  for (const gateway of selectingGateways(mesh, proxy)) {
    for (const server of gateway.servers) {
      if (server.protocol === "unsupported") {
        issues.push({ object: gateway.key, issue: unsupported(server) });
        continue;
      }
      const number = podPort(server.port, targets);
      byNumber.set(number, [...(byNumber.get(number) ?? []), server]);
    }
  }
  const ports = [...byNumber]
    .sort(([a], [b]) => a - b)
    .map(([number, servers]) => ({ number, routeName: `http.${number}`, servers }));
  return { ports, issues };
}

/** What is said of a server whose protocol is not built. */
export function unsupported({ path, protocolName }: GatewayServer): ObjectIssue["issue"] {
  return {
    path: `${path}.port.protocol`,
    message: `protocol "${protocolName}" is not built yet: the server is left out; use HTTP`,
    severity: "warning",
  };
}

/** The Gateways whose selector a proxy's labels satisfy, the oldest first. */
export function selectingGateways(mesh: Mesh, proxy: ProxyNode): readonly Gateway[] {
  return mesh.gateways.filter(({ selector }) => matchLabels(selector, proxy.labels));
}

/** A server's port is one of the gateway's Service, and stands for that port's target; else it is the pod's own. */
function podPort(number: number, targets: readonly ServiceTarget[]): number {
  const target = targets.find(
    ({ service, port }) => port.number === number && !(NO_PORT_TRANSLATION in service.labels),
  );
  return target?.targetPort ?? number;
}

/**
 * The virtual hosts of one port: each host that a server and a VirtualService bound to its
 * Gateway have in common. Routes of several VirtualServices for one host add up, the oldest
 * first, with those that take everything last.
 */
export function buildGatewayVirtualHosts(
  mesh: Mesh,
  proxy: ProxyNode,
  scope: Scope,
  port: GatewayPort,
): readonly VirtualHost[] {
  const hosts = new Map<string, { name: string; parts: (readonly Route[])[] }>();
  for (const server of port.servers) {
    for (const virtualService of mesh.virtualServices) {
      if (!virtualService.gateways.includes(server.gateway)) continue;
      const { gateway } = server;
      const routes = buildHttpRoutes(virtualService, {
        mesh,
        proxy,
        gateway,
        listenPort: server.port,
        services: scope.services,
      });
      if (routes.length === 0) continue;
      const common = intersectHosts(
        hostsFor(server, virtualService.namespace),
        virtualService.hosts,
      );
      for (const host of common) {
        const entry = hosts.get(host) ?? { name: `${host}:${server.port}`, parts: [] };
        entry.parts.push(routes);
        hosts.set(host, entry);
      }
    }
  }
  if (hosts.size === 0) {
    // Listens, and knows nobody: 404 for all.
    return [
      { name: `blackhole:${port.servers[0]?.port ?? port.number}`, domains: ["*"], routes: [] },
    ];
  }
  return [...hosts]
    .sort(([a], [b]) => compareHosts(a, b))
    .map(([host, { name, parts }]) => ({ name, domains: [host], routes: mergeRoutes(parts) }));
}

function mergeRoutes(parts: readonly (readonly Route[])[]): readonly Route[] {
  const routes = parts.flat();
  return [
    ...routes.filter(({ match }) => !isCatchAll(match)),
    ...routes.filter(({ match }) => isCatchAll(match)),
  ];
}
