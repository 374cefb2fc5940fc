import { isIPv4, isIPv6 } from "../../base/ip.ts";
import { memoise } from "../../base/memo.ts";
import { isWithin } from "../host.ts";
import type { HttpChain, TcpChain } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { Origin } from "../origin.ts";
import type { Protocol } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import { buildTcpRoutes, buildTlsRoutes, type L4Route } from "../routing/l4-routes.ts";
import type { RouteContext } from "../routing/route-context.ts";
import { buildServiceChain } from "../routing/tcp-chain.ts";
import type { EgressListener, Scope } from "../scope.ts";
import type { Service } from "../service.ts";
import { MESH_GATEWAY, type VirtualService } from "../virtual-service.ts";
import { shortNames } from "./domain.ts";
import type { ChainDraft } from "./outbound-entry.ts";

/** For whom and where chains are made. */
export interface ChainContext {
  readonly mesh: Mesh;
  readonly scope: Scope;
  readonly client: ProxyNode;
  readonly listener: EgressListener;
}

/** One service on one port of a listener. */
export interface ServiceOnPort {
  readonly service: Service;
  /** 0 for a socket file. */
  readonly port: number;
  readonly protocol: Protocol;
  /** The block of the service's addresses, where the listener is for many of them. */
  readonly cidr: string | undefined;
  /** Whether the listener is for all addresses, so that the name alone tells services apart. */
  readonly isShared: boolean;
}

/** The chain of HTTP; its routes come by name. Without a `port` it is for services on any. */
export function httpChain(
  { scope }: Pick<ChainContext, "scope">,
  { routes, port }: { readonly routes: string; readonly port: number | undefined },
  service: Service,
  role: HttpChain["role"] = "sidecar-outbound",
): ChainDraft {
  return {
    sniHosts: [],
    subnets: [],
    isForPlainHttp: false,
    filter: {
      type: "http",
      statPrefix: "",
      routes,
      role,
      ...(reachesDynamicDns(scope) && { reachesDynamicDns: true }),
      ...(takesGrpcWeb(scope, port) && { takesGrpcWeb: true }),
    },
    origins: [originOf(service)],
  };
}

/** Whether some route may lead to a name that is looked up when it is asked for. */
export function reachesDynamicDns({ outboundMode, services }: Scope): boolean {
  return outboundMode === "ALLOW_ANY_DYNAMIC_DNS" || isAnyDynamic(services);
}

const isAnyDynamic = memoise((services: ReadonlyMap<string, Service>): boolean => {
  for (const { resolution } of services.values()) {
    if (resolution === "dynamic-dns") return true;
  }
  return false;
});

/** Whether a service on that port, or without one on any, says that it speaks gRPC-Web. */
export function takesGrpcWeb({ services }: Scope, port: number | undefined): boolean {
  const ports = grpcWebPorts(services);
  return port === undefined ? ports.size > 0 : ports.has(port);
}

const grpcWebPorts = memoise((services: ReadonlyMap<string, Service>): ReadonlySet<number> => {
  const found = new Set<number>();
  for (const { ports } of services.values()) {
    for (const { protocol, number } of ports) if (protocol === "grpc-web") found.add(number);
  }
  return found;
});

/** The chains of a port that speaks no HTTP, or not only. */
export function tcpChains(context: ChainContext, on: ServiceOnPort): readonly ChainDraft[] {
  const routing = routingOf(context.listener, on);
  const routeContext: RouteContext = {
    mesh: context.mesh,
    proxy: context.client,
    gateway: MESH_GATEWAY,
    listenPort: on.port,
    services: context.scope.services,
  };
  return on.protocol === "tls"
    ? tlsChains(routing, routeContext, on)
    : plainChains(routing, routeContext, on);
}

/** Those VirtualServices that have something to say about the service's connections. */
function routingOf(
  { virtualServices }: EgressListener,
  { service, protocol }: ServiceOnPort,
): readonly VirtualService[] {
  return virtualServices.filter(
    ({ tlsRules, tcpRules, hosts }) =>
      (protocol === "tls" ? tlsRules : tcpRules).length > 0 &&
      hosts.some((host) => isWithin(service.hostname, host) || isWithin(host, service.hostname)),
  );
}

function tlsChains(
  routing: readonly VirtualService[],
  context: RouteContext,
  on: ServiceOnPort,
): readonly ChainDraft[] {
  const routes = routing.flatMap((virtualService) => buildTlsRoutes(virtualService, context));
  if (routes.length > 0) {
    return routes.map((route) => routeDraft(route, route.sniHosts, on));
  }
  const { service, cidr, isShared, port } = on;
  return [
    {
      sniHosts: cidr !== undefined || isShared ? serverNames(service, context.proxy) : [],
      subnets: cidr === undefined ? [] : [cidr],
      isForPlainHttp: false,
      filter: dynamicByName(service, port, buildServiceChain(service, context)),
      origins: [originOf(service)],
    },
  ];
}

/** What clients may say to mean the service. */
function serverNames({ hostname, aliases }: Service, { dnsDomain }: ProxyNode): readonly string[] {
  return [
    hostname,
    ...aliases.flatMap((alias) => [alias.hostname, ...shortNames(alias.hostname, dnsDomain)]),
  ];
}

/** A service of many names is looked up by the name that the connection asks for. */
function dynamicByName({ resolution }: Service, port: number, chain: TcpChain): TcpChain {
  return resolution === "dynamic-dns" ? { ...chain, sniDynamicPort: port } : chain;
}

function plainChains(
  routing: readonly VirtualService[],
  context: RouteContext,
  on: ServiceOnPort,
): readonly ChainDraft[] {
  const { service, cidr } = on;
  const drafts: ChainDraft[] = [];
  for (const virtualService of routing) {
    for (const route of buildTcpRoutes(virtualService, context)) {
      drafts.push(routeDraft(route, [], on));
      // It takes all connections: neither older rules nor the service itself get any.
      if (route.destinationSubnets.length === 0) return drafts;
    }
  }
  return [
    ...drafts,
    {
      sniHosts: [],
      subnets: cidr === undefined ? [] : [cidr],
      isForPlainHttp: false,
      filter: buildServiceChain(service, context),
      origins: [originOf(service)],
    },
  ];
}

/** The rule's own addresses go before the service's. */
function routeDraft(
  { destinationSubnets, chain, origin }: L4Route,
  sniHosts: readonly string[],
  { cidr }: ServiceOnPort,
): ChainDraft {
  const own = cidr === undefined ? [] : [cidr];
  return {
    sniHosts,
    subnets: destinationSubnets.length > 0 ? destinationSubnets : own,
    isForPlainHttp: false,
    filter: chain,
    origins: [origin],
  };
}

/** The object that a service comes from. */
export function originOf({ key, path }: Service): Origin {
  return { key, path };
}

/** Whether a text is an address that a listener can have. */
export function isAddress(text: string): boolean {
  return isIPv4(text) || isIPv6(text);
}
