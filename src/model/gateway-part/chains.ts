import type { Cluster } from "../cluster.ts";
import { type GatewayServer, hostsFor } from "../gateway.ts";
import { intersectHosts } from "../host.ts";
import type { FilterChain, TcpChain } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { ObjectIssue } from "../origin.ts";
import { parseProtocol } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import type { RouteConfiguration } from "../route.ts";
import { buildTcpRoutes, buildTlsRoutes } from "../routing/l4-routes.ts";
import type { Scope } from "../scope.ts";
import { buildServerTls } from "../server-tls.ts";
import type { ServerTls } from "../tls.ts";
import { autoPassthrough } from "./auto-passthrough.ts";
import { boundTo, buildServerHosts, serverContext } from "./http-hosts.ts";
import { type GatewayPort, routeName } from "./merge-servers.ts";

/** Where and for whom chains are built. */
export interface ChainContext {
  readonly mesh: Mesh;
  readonly proxy: ProxyNode;
  readonly scope: Scope;
  readonly port: GatewayPort;
}

/** The chains of some servers, and what they need beside them. */
export interface Chains {
  readonly chains: readonly FilterChain[];
  readonly routes: readonly RouteConfiguration[];
  readonly clusters: readonly Cluster[];
  readonly issues: readonly ObjectIssue[];
}

const NOTHING: Chains = { chains: [], routes: [], clusters: [], issues: [] };

/** The chains of one port: one for all plain HTTP, else those of each server. */
export function portChains(context: ChainContext): readonly Chains[] {
  const { port } = context;
  if (port.kind === "http") return [plainHttp(context)];
  return port.servers.map((server) => serverChains(server, context));
}

function serverChains(server: GatewayServer, context: ChainContext): Chains {
  switch (server.kind) {
    case "https":
      return https(server, context);
    case "passthrough":
      return passthrough(server, context);
    case "auto-passthrough":
      return autoPassthrough(server, context.scope);
    case "tls":
    case "tcp":
    case "http":
      return tcp(server, context);
  }
}

function plainHttp({ mesh, proxy, scope, port }: ChainContext): Chains {
  const [first] = port.servers;
  if (first === undefined) return NOTHING;
  const name = routeName(first, port);
  return {
    ...NOTHING,
    chains: [
      {
        // The only chain has no name, as in Istio.
        name: "",
        match: {},
        tls: undefined,
        filter: httpFilter(name, port),
        origins: port.servers.map(({ key, path }) => ({ key, path })),
      },
    ],
    routes: [httpRoutes(name, buildServerHosts(mesh, proxy, scope, port.servers))],
  };
}

function httpFilter(name: string, { port, bind, servers }: GatewayPort): FilterChain["filter"] {
  const statPrefix = `outbound_${bind === "" ? "0.0.0.0" : bind}_${port}`;
  const takesGrpcWeb = servers.some(
    ({ protocolName }) => parseProtocol(protocolName) === "grpc-web",
  );
  return {
    type: "http",
    statPrefix,
    routes: name,
    role: "gateway",
    ...(takesGrpcWeb && { takesGrpcWeb }),
  };
}

function httpRoutes(
  name: string,
  virtualHosts: RouteConfiguration["virtualHosts"],
): RouteConfiguration {
  // Clients outside reach the gateway by ports that it does not know of.
  return { name, ignoresPort: true, virtualHosts };
}

const HTTP_ALPN = ["h2", "http/1.1"];

function https(server: GatewayServer, { mesh, proxy, scope, port }: ChainContext): Chains {
  const name = routeName(server, port);
  const tls = serverTls(server, mesh, HTTP_ALPN);
  return {
    ...NOTHING,
    chains: [{ ...serverChain(server), tls, filter: httpFilter(name, port) }],
    routes: [httpRoutes(name, buildServerHosts(mesh, proxy, scope, [server]))],
    issues: credentialIssues(server, proxy, tls),
  };
}

/** TLS that VirtualServices send on by SNI; what none of them names is closed. */
function passthrough(server: GatewayServer, context: ChainContext): Chains {
  const { mesh, proxy, scope } = context;
  const chains: FilterChain[] = [];
  for (const virtualService of boundTo(mesh, proxy, server)) {
    const served = hostsFor(server, virtualService.namespace);
    const routes = buildTlsRoutes(virtualService, serverContext(mesh, proxy, scope, server));
    for (const { sniHosts, chain, origin } of routes) {
      const names = intersectHosts(sniHosts, served);
      if (names.length === 0) continue;
      chains.push({
        name: `${server.path}.${origin.path}`,
        match: { transportProtocol: "tls", ...namesMatch(names) },
        tls: undefined,
        filter: chain,
        origins: [origin, { key: server.key, path: server.path }],
      });
    }
  }
  // Without a rule for TLS a rule for TCP may send all of it on.
  if (chains.length > 0) return { ...NOTHING, chains };
  return tcp(server, context);
}

/** Connections of any protocol, with TLS ended before where the server says so. */
function tcp(server: GatewayServer, { mesh, proxy, scope }: ChainContext): Chains {
  const tls = server.kind === "tls" ? serverTls(server, mesh, []) : undefined;
  for (const virtualService of boundTo(mesh, proxy, server)) {
    const served = hostsFor(server, virtualService.namespace);
    if (intersectHosts(served, virtualService.hosts).length === 0) continue;
    const context = serverContext(mesh, proxy, scope, server);
    const [route] = buildTcpRoutes(virtualService, context);
    if (route === undefined) continue;
    return {
      ...NOTHING,
      chains: [tcpChain(server, route.chain, tls, route.origin)],
      issues: credentialIssues(server, proxy, tls),
    };
  }
  const message = "no VirtualService has a route for it: the server is not there";
  const issue = { path: server.path, message, severity: "warning" } as const;
  return { ...NOTHING, issues: [{ object: server.key, issue }] };
}

function tcpChain(
  server: GatewayServer,
  filter: TcpChain,
  tls: ServerTls | undefined,
  origin: FilterChain["origins"][number],
): FilterChain {
  const chain = serverChain(server);
  return {
    ...chain,
    match: server.kind === "tcp" ? {} : chain.match,
    tls,
    filter,
    origins: [origin, ...chain.origins],
  };
}

function serverChain(server: GatewayServer): Pick<FilterChain, "name" | "match" | "origins"> {
  const { key, path, hosts } = server;
  return {
    name: `${key.namespace}.${key.name}.${path}`,
    match: { transportProtocol: "tls", ...namesMatch(hosts.map(({ host }) => host)) },
    origins: [{ key, path }],
  };
}

/** With `*` among them, every name and none. */
function namesMatch(names: readonly string[]): FilterChain["match"] {
  return names.includes("*") ? {} : { serverNames: [...new Set(names)].sort() };
}

function serverTls(
  { tls, key, path }: GatewayServer,
  { settings }: Mesh,
  alpn: readonly string[],
): ServerTls | undefined {
  const origin = { key, path: `${path}.tls` };
  return tls === undefined
    ? undefined
    : buildServerTls(tls, { settings, origin, alpn, minVersion: "TLSV1_2" });
}

/** A gateway that cannot be given the secret is closed on that port, and its author learns why. */
function credentialIssues(
  { key, path, tls: settings }: GatewayServer,
  { hasCertificates, name }: ProxyNode,
  tls: ServerTls | undefined,
): readonly ObjectIssue[] {
  if (tls === undefined || hasCertificates) return [];
  const secret = tls.certificates.find(({ type }) => type === "sds");
  if (secret?.type !== "sds") return [];
  const isNamed = settings?.mode !== "ISTIO_MUTUAL";
  const message =
    `the gateway ${name} cannot be given the certificate "${secret.name}": secrets are not delivered ` +
    "yet by this version of weft, so the server is closed; files (serverCertificate, privateKey) work";
  const at = isNamed ? "credentialName" : "mode";
  return [{ object: key, issue: { path: `${path}.tls.${at}`, message, severity: "warning" } }];
}
