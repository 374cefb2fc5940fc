import { memoise } from "../base/memo.ts";
import type { EndpointSlice } from "../config/endpoint-slice.ts";
import { matchLabels } from "../config/label-selector.ts";
import { formatKey } from "../config/object.ts";
import type { ServiceEndpoints } from "../model/endpoint.ts";
import type { Mesh } from "../model/mesh.ts";
import type { ProxyNode } from "../model/proxy.ts";
import type { Resolution, Service } from "../model/service.ts";
import { MESH_GATEWAY } from "../model/virtual-service.ts";
import type { ConfigView } from "../store/store.ts";
import type { ConnectedProxy } from "./proxy-pool.ts";

/** What istiod counts of a mesh that is not as it should be, under the names of its metrics. */
export const PROBLEMS = [
  "endpoint_no_pod",
  "pilot_conflict_inbound_listener",
  "pilot_conflict_outbound_listener_tcp_over_current_tcp",
  "pilot_destrule_subsets",
  "pilot_dns_cluster_without_endpoints",
  "pilot_duplicate_envoy_clusters",
  "pilot_eds_no_instances",
  "pilot_endpoint_not_ready",
  "pilot_no_ip",
  "pilot_vservice_dup_domain",
] as const;
export type Problem = (typeof PROBLEMS)[number];

/** One finding, by what has it: a cluster, a host, a proxy, an address. */
interface ProblemDetail {
  /** `pod.namespace`, where it is one proxy's. */
  readonly proxy?: string;
  readonly message?: string;
}

/** By problem, then by what has it. All problems are there, most of them empty. */
export type MeshProblems = Readonly<Record<Problem, ReadonlyMap<string, ProblemDetail>>>;

/** What is wrong with the mesh at this moment, as `/debug/push_status` shows it. */
export function meshProblems(
  mesh: Mesh,
  view: ConfigView,
  proxies: readonly Pick<ConnectedProxy, "node" | "issues">[],
): MeshProblems {
  const nodes = proxies.map(({ node }) => node);
  const { noService, inboundConflicts } = proxyProblems(mesh, nodes);
  return {
    ...registryProblems(mesh.registry.services, mesh.registry.endpoints),
    ...ruleProblems(mesh.virtualServices, mesh.destinationRules),
    pilot_endpoint_not_ready: notReady(
      view.list<EndpointSlice>("discovery.k8s.io", "EndpointSlice"),
    ),
    pilot_no_ip: noService,
    pilot_conflict_inbound_listener: inboundConflicts,
    pilot_conflict_outbound_listener_tcp_over_current_tcp: outboundConflicts(proxies),
  };
}

/** By listener; of several proxies the last one is named, as istiod does. */
function outboundConflicts(
  proxies: readonly Pick<ConnectedProxy, "node" | "issues">[],
): ReadonlyMap<string, ProblemDetail> {
  const conflicts = new Map<string, ProblemDetail>();
  for (const { node, issues } of proxies) {
    for (const { takenListener, issue } of issues) {
      if (takenListener === undefined) continue;
      const proxy = `${node.name}.${node.namespace}`;
      conflicts.set(takenListener, { proxy, message: issue.message });
    }
  }
  return conflicts;
}

type RegistryProblem =
  | "endpoint_no_pod"
  | "pilot_dns_cluster_without_endpoints"
  | "pilot_eds_no_instances";

const registryProblems = memoise(
  (
    services: readonly Service[],
    endpoints: ReadonlyMap<string, ServiceEndpoints>,
  ): Pick<MeshProblems, RegistryProblem | "pilot_duplicate_envoy_clusters"> => {
    const found = {
      endpoint_no_pod: new Map<string, ProblemDetail>(),
      pilot_dns_cluster_without_endpoints: new Map<string, ProblemDetail>(),
      pilot_eds_no_instances: new Map<string, ProblemDetail>(),
    };
    for (const service of services) {
      const problems = serviceProblems(service, endpoints.get(service.id) ?? NO_ENDPOINTS);
      for (const { problem, name, detail } of problems) found[problem].set(name, detail);
    }
    return { ...found, pilot_duplicate_envoy_clusters: duplicates(services) };
  },
);

/** What a cluster without endpoints is, by how they are found. */
const WITHOUT_ENDPOINTS: Readonly<Partial<Record<Resolution, RegistryProblem>>> = {
  eds: "pilot_eds_no_instances",
  dns: "pilot_dns_cluster_without_endpoints",
  "dns-round-robin": "pilot_dns_cluster_without_endpoints",
};

interface ServiceProblem {
  readonly problem: RegistryProblem;
  readonly name: string;
  readonly detail: ProblemDetail;
}

const NO_ENDPOINTS: ServiceEndpoints = new Map();
const NO_PROBLEMS: readonly ServiceProblem[] = [];

/** What is wrong with one service and those who answer for it: mostly nothing, and the same as before. */
const serviceProblems = memoise(
  (service: Service, endpoints: ServiceEndpoints): readonly ServiceProblem[] => {
    const { hostname, resolution, registry } = service;
    const problems: ServiceProblem[] = [];
    for (const { name: portName, number } of service.ports) {
      const list = endpoints.get(portName) ?? [];
      if (list.length === 0) {
        const name = `outbound|${number}||${hostname}`;
        const problem = WITHOUT_ENDPOINTS[resolution];
        if (problem !== undefined) problems.push({ problem, name, detail: {} });
      }
      if (registry !== "Kubernetes" || service.selector === undefined) continue;
      for (const { address, workload } of list) {
        if (workload !== undefined) continue;
        const detail = { message: address };
        problems.push({ problem: "endpoint_no_pod", name: hostname, detail });
      }
    }
    return problems.length === 0 ? NO_PROBLEMS : problems;
  },
);

/** Hosts that several services have. */
const duplicates = memoise((services: readonly Service[]): ReadonlyMap<string, ProblemDetail> => {
  const found = new Map<string, ProblemDetail>();
  const byHost = new Map<string, Service>();
  for (const service of services) {
    const first = byHost.get(service.hostname);
    if (first === undefined) byHost.set(service.hostname, service);
    else {
      const message = `${formatKey(first.key)} and ${formatKey(service.key)}: of those that a proxy sees, one counts`;
      found.set(service.hostname, { message });
    }
  }
  return found;
});

const ruleProblems = memoise(
  (
    virtualServices: Mesh["virtualServices"],
    destinationRules: Mesh["destinationRules"],
  ): Pick<MeshProblems, "pilot_destrule_subsets" | "pilot_vservice_dup_domain"> => {
    const owners = new Map<string, string>();
    const domains = new Map<string, ProblemDetail>();
    for (const { key, hosts, gateways } of virtualServices) {
      // At a gateway the routes of all count, one after the other.
      if (!gateways.includes(MESH_GATEWAY)) continue;
      for (const host of hosts) {
        const owner = owners.get(host);
        if (owner === undefined) owners.set(host, formatKey(key));
        else domains.set(host, { message: `${owner} is older than ${formatKey(key)}, and counts` });
      }
    }
    const subsets = new Set<string>();
    const doubled = new Map<string, ProblemDetail>();
    for (const { host, namespace, selector, object } of destinationRules) {
      if (selector !== undefined) continue;
      for (const { name } of object.spec.subsets ?? []) {
        const subset = `${namespace}/${host}/${name}`;
        if (subsets.has(subset)) {
          doubled.set(host, { message: `subset ${name} is twice in namespace ${namespace}` });
        }
        subsets.add(subset);
      }
    }
    return { pilot_destrule_subsets: doubled, pilot_vservice_dup_domain: domains };
  },
);

/** By pod: those that services would lead to, were they ready. */
const notReady = memoise((slices: readonly EndpointSlice[]): ReadonlyMap<string, ProblemDetail> => {
  const pods = new Map<string, ProblemDetail>();
  for (const { endpoints = [], metadata } of slices) {
    for (const { addresses, conditions, targetRef } of endpoints) {
      if (conditions?.ready !== false || conditions.terminating === true) continue;
      const pod = targetRef?.name ?? addresses[0] ?? "";
      const proxy = `${pod}.${targetRef?.namespace ?? metadata.namespace ?? ""}`;
      pods.set(proxy, { proxy });
    }
  }
  return pods;
});

/** By `namespace/name=value`: the services whose selector has that label first. */
const servicesByLabel = memoise(
  (services: readonly Service[]): ReadonlyMap<string, readonly Service[]> => {
    const byLabel = new Map<string, Service[]>();
    for (const service of services) {
      const [label] = Object.entries(service.selector ?? {});
      if (label === undefined) continue;
      const key = `${service.namespace}/${label[0]}=${label[1]}`;
      const list = byLabel.get(key);
      if (list === undefined) byLabel.set(key, [service]);
      else list.push(service);
    }
    return byLabel;
  },
);

/** The services that lead to a proxy, without looking at all others. */
function servicesOf({ services, listed }: Mesh["registry"], node: ProxyNode): readonly Service[] {
  const { namespace, labels, ips } = node;
  const byLabel = servicesByLabel(services);
  const selecting = Object.entries(labels)
    .flatMap(([name, value]) => byLabel.get(`${namespace}/${name}=${value}`) ?? [])
    .filter(({ selector = {} }) => matchLabels(selector, labels));
  const naming = ips
    .flatMap((ip) => listed.get(ip) ?? [])
    .flatMap(({ service }) => (service.namespace === namespace ? [service] : []));
  return [...new Set([...selecting, ...naming])];
}

function proxyProblems(
  { registry }: Mesh,
  proxies: readonly ProxyNode[],
): {
  readonly noService: ReadonlyMap<string, ProblemDetail>;
  readonly inboundConflicts: ReadonlyMap<string, ProblemDetail>;
} {
  const noService = new Map<string, ProblemDetail>();
  const inboundConflicts = new Map<string, ProblemDetail>();
  for (const node of proxies) {
    if (node.type !== "sidecar") continue;
    const proxy = `${node.name}.${node.namespace}`;
    const services = servicesOf(registry, node);
    if (services.length === 0) noService.set(proxy, { proxy });
    const protocols = new Map<number | string, string>();
    for (const { targetPort, protocol } of services.flatMap(({ ports }) => ports)) {
      const first = protocols.get(targetPort) ?? protocol;
      protocols.set(targetPort, first);
      if (first === protocol) continue;
      const message = `port ${targetPort} is ${first} for one service and ${protocol} for another`;
      inboundConflicts.set(proxy, { proxy, message });
    }
  }
  return { noService, inboundConflicts };
}
