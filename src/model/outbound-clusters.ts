import { memoise } from "../base/memo.ts";
import { type Cluster, type ClusterEndpoints, clusterName } from "./cluster.ts";
import { findRule, type MergedRule, policyOf } from "./destination-rule.ts";
import { endpointsOfPort, selectEndpoints } from "./endpoint.ts";
import type { Labels } from "./labels.ts";
import { endpointsOf, type Mesh } from "./mesh.ts";
import type { ObjectIssue, Origin } from "./origin.ts";
import { isHttp2 } from "./protocol.ts";
import type { ProxyNode } from "./proxy.ts";
import type { Scope } from "./scope.ts";
import type { Service, ServicePort } from "./service.ts";

/** Whom a proxy may send to. */
export interface OutboundClusters {
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly ClusterEndpoints[];
  readonly issues: readonly ObjectIssue[];
}

/** The clusters of all services that a proxy sees, with who answers for them. */
export function buildOutboundClusters(
  mesh: Mesh,
  _proxy: ProxyNode,
  scope: Scope,
): OutboundClusters {
  return outboundOf(mesh, scope);
}

const outboundOf = memoise((mesh: Mesh, scope: Scope): OutboundClusters => {
  const clusters: Cluster[] = [];
  const endpoints: ClusterEndpoints[] = [];
  for (const service of scope.services.values()) {
    const answering = endpointsOf(mesh, service) ?? new Map();
    const rule = findRule(mesh.rules, service, scope.namespace);
    for (const { cluster, labels } of serviceClusters(
      service,
      rule,
      scope.settings.connectTimeoutMs,
    )) {
      clusters.push(cluster);
      const all = endpointsOfPort(answering, cluster.target.port.name);
      endpoints.push(
        clusterEndpoints(cluster, labels === undefined ? all : selectEndpoints(all, labels)),
      );
    }
  }
  return { clusters, endpoints, issues: [] };
});

const clusterEndpoints = memoise(
  (cluster: Cluster, endpoints: ClusterEndpoints["endpoints"]): ClusterEndpoints => ({
    clusterName: cluster.name,
    endpoints,
    origins: cluster.origins,
  }),
);

interface ServiceCluster {
  readonly cluster: Cluster & { readonly target: NonNullable<Cluster["target"]> };
  /** Absent: all endpoints. */
  readonly labels: Labels | undefined;
}

/** The clusters of a service: one per port, and one per port and subset. */
const serviceClusters = memoise(
  (
    service: Service,
    rule: MergedRule | undefined,
    connectTimeoutMs: number,
  ): readonly ServiceCluster[] => {
    const origin: Origin = { key: service.key, path: service.path };
    return service.ports.flatMap((port) => {
      const whole: ServiceCluster = {
        cluster: {
          ...portCluster(service, port, ""),
          connectTimeoutMs,
          policy: policyOf(rule, port.number, ""),
          origins: [origin, ...(rule?.rules ?? []).map(({ key }) => ({ key, path: "" }))],
        },
        labels: undefined,
      };
      const subsets = (rule?.subsets ?? []).map((subset) => ({
        cluster: {
          ...portCluster(service, port, subset.name),
          connectTimeoutMs,
          policy: policyOf(rule, port.number, subset.name),
          origins: [origin, subset.origin],
        },
        labels: subset.labels,
      }));
      return [whole, ...subsets];
    });
  },
);

function portCluster(service: Service, port: ServicePort, subset: string) {
  return {
    name: clusterName(port.number, subset, service.hostname),
    direction: "outbound",
    discovery: { type: "eds" },
    target: { service, port, subset },
    upstreamProtocol: isHttp2(port.protocol) ? "http2" : "http1",
  } as const;
}
