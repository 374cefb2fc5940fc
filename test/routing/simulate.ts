import type { Any } from "@bufbuild/protobuf/wkt";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type {
  Filter,
  FilterChain,
} from "../../src/api/gen/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from "../../src/api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { SniClusterSchema } from "../../src/api/gen/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb.js";
import {
  type TcpProxy,
  TcpProxySchema,
} from "../../src/api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { DownstreamTlsContextSchema } from "../../src/api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { typeUrlOf } from "../../src/api/type-url.ts";
import { formatIssue, type Issue } from "../../src/base/issue.ts";
import { createPrng } from "../../src/base/prng.ts";
import type { ConnectionInfo } from "../../src/match/connection-info.ts";
import { compileFilterChainSearch } from "../../src/match/filter-chain.ts";
import { decodeFilterChainMatch } from "../../src/match/filter-chain-match.ts";
import type { MatchRequest } from "../../src/match/match-request.ts";
import { plainRequest } from "../../src/match/plain-request.ts";
import type { Route } from "../../src/match/route.ts";
import { matchRouteConfig, type RouteConfig } from "../../src/match/route-config.ts";
import { type Call, type CallResult, completeCall, type FullCall } from "./call.ts";
import { chooseListener } from "./choose-listener.ts";
import { inspectConnection } from "./inspect-connection.ts";
import { compileRoutes, type ProxyResources } from "./proxy-resources.ts";

/**
 * Says where a call would go by a proxy's configuration, with the data plane's own matchers. What
 * would reach for the network (TLS, protocols) is taken from what the call says of itself.
 */
export function simulate(resources: ProxyResources, given: Call): CallResult {
  const call = completeCall(given);
  if (call.tls === "plaintext" && call.alpn !== "") {
    throw new Error(`a call over plain text has no ALPN: ${JSON.stringify(given)}`);
  }
  const listener = chooseListener(resources.listeners, call);
  if (listener === undefined) return { error: "no listener matched" };
  const connection = inspectConnection(listener, call);
  const chain = chooseChain(listener, connection);
  const seen: CallResult = { listener: listener.name };
  if (chain === undefined) return { ...seen, error: "no filter chains matched" };
  return { ...seen, ...followChain(resources, chain, call, connection) };
}

function chooseChain(listener: Listener, connection: ConnectionInfo): FilterChain | undefined {
  const issues: Issue[] = [];
  const chains = listener.filterChains.map((message, at) => ({
    name: message.name,
    message,
    match: decodeFilterChainMatch(message.filterChainMatch, `filter_chains[${at}]`, issues),
  }));
  const search = compileFilterChainSearch(chains, ({ name }) =>
    issues.push({ path: name, message: "asks for the same as another filter chain" }),
  );
  if (issues.length > 0) {
    throw new Error(`listener "${listener.name}": ${issues.map(formatIssue).join("; ")}`);
  }
  return search(connection)?.message ?? listener.defaultFilterChain;
}

function followChain(
  resources: ProxyResources,
  chain: FilterChain,
  call: FullCall,
  connection: ConnectionInfo,
): CallResult {
  const seen: CallResult = { filterChain: chain.name };
  const tls = typedConfig(chain.transportSocket?.configType)
    .filter((any) => any.typeUrl === typeUrlOf(DownstreamTlsContextSchema))
    .map((any) => anyUnpack(any, DownstreamTlsContextSchema))[0];
  if (tls !== undefined && call.tls === "plaintext") return { ...seen, error: "invalid TLS" };
  if (tls?.requireClientCertificate === true && call.tls !== "mtls") {
    return { ...seen, error: "invalid mTLS" };
  }
  const manager = find(chain.filters, HttpConnectionManagerSchema);
  if (manager !== undefined) {
    // Neither bytes that are no HTTP nor a ClientHello that nobody opened can be read.
    const isReadable = call.protocol !== "tcp" && (call.tls === "plaintext" || tls !== undefined);
    if (!isReadable) return { ...seen, error: "protocol error" };
    return { ...seen, ...followHttp(resources, manager, call, connection) };
  }
  const proxy = find(chain.filters, TcpProxySchema);
  if (proxy === undefined) throw new Error(`filter chain "${chain.name}" leads nowhere`);
  const isBySni = find(chain.filters, SniClusterSchema) !== undefined;
  return { ...seen, ...clustersOf(isBySni ? [connection.serverName] : tcpClusters(proxy)) };
}

function followHttp(
  resources: ProxyResources,
  manager: HttpConnectionManager,
  call: FullCall,
  connection: ConnectionInfo,
): CallResult {
  const { table, name } = routesOf(resources, manager);
  const seen: CallResult = name === undefined ? {} : { routeConfig: name };
  const request = requestOf(call, connection);
  const { virtualHost, route } = matchRouteConfig(table, request, createPrng(1));
  if (virtualHost === undefined) return { ...seen, error: "no virtual host matched" };
  const found: CallResult = { ...seen, virtualHost: virtualHost.name };
  if (route === undefined) return { ...found, error: "no route matched" };
  if (!virtualHost.routes.includes(route)) return { ...found, error: "tls required, sending 301" };
  return { ...found, ...followRoute(route, request) };
}

function routesOf(
  { routes }: ProxyResources,
  { routeSpecifier }: HttpConnectionManager,
): { readonly table: RouteConfig; readonly name?: string } {
  if (routeSpecifier.case === "routeConfig") return { table: compileRoutes(routeSpecifier.value) };
  const name = routeSpecifier.case === "rds" ? routeSpecifier.value.routeConfigName : "";
  const table = routes.get(name);
  if (table === undefined) throw new Error(`there are no routes "${name}"`);
  return { table, name };
}

function requestOf(call: FullCall, connection: ConnectionInfo): MatchRequest {
  const scheme = call.tls === "plaintext" ? "http" : "https";
  const headers = Object.entries(call.headers).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  return plainRequest({
    method: call.method,
    path: call.path,
    authority: call.host,
    scheme,
    headers: [...headers, ["x-forwarded-proto", scheme]],
    connection,
  });
}

function followRoute({ name, action }: Route, request: MatchRequest): CallResult {
  switch (action.kind) {
    case "cluster": {
      // A cluster that a header names is known for this request alone.
      const names = action.clusterNames;
      const chosen = action.chooseCluster(request, createPrng(1)).name;
      return { route: name, ...clustersOf(names.length === 0 ? [chosen] : names) };
    }
    case "direct":
      return { route: name, status: action.status };
    case "redirect":
      return { route: name, status: action.status, location: action.location(request) };
  }
}

function tcpClusters({ clusterSpecifier }: TcpProxy): readonly string[] {
  if (clusterSpecifier.case === "cluster") return [clusterSpecifier.value];
  if (clusterSpecifier.case !== "weightedClusters") return [];
  return clusterSpecifier.value.clusters.map(({ name }) => name);
}

function clustersOf(names: readonly string[]): CallResult {
  const clusters = [...new Set(names)].sort();
  const [only] = clusters;
  return clusters.length === 1 && only !== undefined ? { cluster: only, clusters } : { clusters };
}

function find<Desc extends Parameters<typeof anyUnpack>[1]>(
  filters: readonly Filter[],
  schema: Desc,
) {
  for (const { configType } of filters) {
    for (const any of typedConfig(configType)) {
      if (any.typeUrl === typeUrlOf(schema)) return anyUnpack(any, schema);
    }
  }
  return undefined;
}

function typedConfig(
  configType: { readonly case: string | undefined; readonly value?: unknown } | undefined,
): readonly Any[] {
  return configType?.case === "typedConfig" ? [configType.value as Any] : [];
}
