import { memoise } from "../base/memo.ts";
import type { MergedRule } from "./destination-rule.ts";
import {
  type Endpoint,
  endpointsOfPort,
  type ServiceEndpoints,
  selectEndpoints,
} from "./endpoint.ts";
import type { Labels } from "./labels.ts";
import type { Origin } from "./origin.ts";
import type { Service, ServicePort } from "./service.ts";
import { DEFAULT_POLICY, type TrafficPolicy } from "./traffic-policy.ts";

/** One service port as clients see it, or one subset of it; without its endpoints. */
export interface OutboundCluster {
  readonly name: string;
  readonly service: Service;
  readonly port: ServicePort;
  /** "" for all endpoints. */
  readonly subset: string;
  /** Absent: all endpoints. */
  readonly subsetLabels: Labels | undefined;
  readonly policy: TrafficPolicy;
  /** The service first, then the rules. */
  readonly origins: readonly Origin[];
}

/** Who answers for a cluster. */
export interface ClusterEndpoints {
  readonly clusterName: string;
  readonly endpoints: readonly Endpoint[];
}

/** The name by which routes, clusters and endpoints find each other; Istio's form. */
export function clusterName(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** The clusters of a service: one per port, and one per port and subset. */
export const buildOutboundClusters = memoise(
  (service: Service, rule: MergedRule | undefined): readonly OutboundCluster[] => {
    const origin: Origin = { key: service.key, path: "" };
    return service.ports.flatMap((port) => {
      const whole: OutboundCluster = {
        name: clusterName(port.number, "", service.hostname),
        service,
        port,
        subset: "",
        subsetLabels: undefined,
        policy: rule?.policy ?? DEFAULT_POLICY,
        origins: [origin, ...(rule?.rules ?? []).map(({ key }) => ({ key, path: "" }))],
      };
      const subsets = (rule?.subsets ?? []).map((subset) => ({
        ...whole,
        name: clusterName(port.number, subset.name, service.hostname),
        subset: subset.name,
        subsetLabels: subset.labels,
        policy: subset.policy,
        origins: [origin, subset.origin],
      }));
      return [whole, ...subsets];
    });
  },
);

/** The endpoints of a cluster; the same value while the cluster and the endpoints are. */
export const buildClusterEndpoints = memoise(
  (cluster: OutboundCluster, endpoints: ServiceEndpoints): ClusterEndpoints => {
    const all = endpointsOfPort(endpoints, cluster.port.name);
    const { name, subsetLabels } = cluster;
    return {
      clusterName: name,
      endpoints: subsetLabels === undefined ? all : selectEndpoints(all, subsetLabels),
    };
  },
);
