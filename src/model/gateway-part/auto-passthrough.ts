import { memoise } from "../../base/memo.ts";
import { type Cluster, clusterName } from "../cluster.ts";
import type { GatewayServer } from "../gateway.ts";
import { isWithin } from "../host.ts";
import type { FilterChain } from "../listener.ts";
import { plainTcpChain } from "../routing/tcp-chain.ts";
import type { Scope } from "../scope.ts";
import type { Service, ServicePort } from "../service.ts";
import { DEFAULT_POLICY } from "../traffic-policy.ts";
import type { Chains } from "./chains.ts";

/** ALPN of Istio's mutual TLS: a gateway passes nothing else on by name alone. */
const MUTUAL_TLS_ALPN = [
  "istio-peer-exchange",
  "istio",
  "istio-http/1.0",
  "istio-http/1.1",
  "istio-h2",
];

/**
 * A server in mode `AUTO_PASSTHROUGH` sends mutual TLS on by its SNI, which names the cluster:
 * `outbound_.9080_._.reviews.default.svc.cluster.local`. Only to services of the mesh that its
 * hosts name.
 */
export function autoPassthrough(server: GatewayServer, { services, settings }: Scope): Chains {
  const chains: FilterChain[] = [];
  const clusters: Cluster[] = [];
  const origin = { key: server.key, path: server.path };
  for (const service of services.values()) {
    if (service.isExternal || service.resolution !== "eds" || !isServed(server, service)) continue;
    for (const port of service.ports) {
      const cluster = sniCluster(service, port, settings.connectTimeoutMs);
      clusters.push(cluster);
      chains.push({
        name: cluster.name,
        match: {
          transportProtocol: "tls",
          serverNames: [cluster.name],
          applicationProtocols: MUTUAL_TLS_ALPN,
        },
        tls: undefined,
        filter: plainTcpChain(cluster.name),
        origins: [origin],
      });
    }
  }
  return { chains, routes: [], clusters, issues: [] };
}

function isServed({ hosts }: GatewayServer, { hostname, namespace }: Service): boolean {
  return hosts.some(
    (one) => (one.namespace === "*" || one.namespace === namespace) && isWithin(hostname, one.host),
  );
}

/** The service's endpoints, without TLS of the gateway's own. */
const sniCluster = memoise(
  (service: Service, port: ServicePort, connectTimeoutMs: number): Cluster => ({
    name: `outbound_.${port.number}_._.${service.hostname}`,
    direction: "outbound",
    discovery: { type: "eds", serviceName: clusterName(port.number, "", service.hostname) },
    target: { service, port, subset: "" },
    policy: DEFAULT_POLICY,
    connectTimeoutMs,
    upstreamProtocol: "tcp",
    origins: [{ key: service.key, path: service.path }],
  }),
);
