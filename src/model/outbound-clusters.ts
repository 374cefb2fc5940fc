import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import type { Cluster, ClusterEndpoints, EndpointGroup } from "./cluster.ts";
import { findRule, type RuleIndex } from "./destination-rule.ts";
import type { ServiceEndpoints } from "./endpoint.ts";
import type { Labels } from "./labels.ts";
import { findWorkload, type Mesh } from "./mesh.ts";
import { compareText, type ObjectIssue } from "./origin.ts";
import { type ClientFacts, clientFacts } from "./policy/client-facts.ts";
import { endpointsOfNode } from "./policy/cluster-settings.ts";
import { type ClientPlace, groupEndpoints } from "./policy/endpoint-groups.ts";
import { mutualTlsEndpoints } from "./policy/mutual-tls-endpoints.ts";
import { type ClusterPlan, serviceClusters } from "./policy/service-clusters.ts";
import type { ProxyNode } from "./proxy.ts";
import type { Scope } from "./scope.ts";
import type { Service } from "./service.ts";

/** Whom a proxy may send to. */
export interface OutboundClusters {
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly ClusterEndpoints[];
  readonly issues: readonly ObjectIssue[];
}

/**
 * The clusters of all services that a proxy sees, with who answers for them. Proxies that see the
 * same from the same place have the same value; those elsewhere share what does not depend on it.
 */
export function buildOutboundClusters(
  mesh: Mesh,
  proxy: ProxyNode,
  scope: Scope,
): OutboundClusters {
  const plans = scopePlans(
    mesh.rules,
    mutualTlsEndpoints(
      mesh.registry.endpoints,
      mesh.peerAuthentications,
      scope.settings.rootNamespace,
    ),
    scope.services,
    clientFacts(scope.settings, proxy),
    scope.namespace,
    selectingText(mesh.rules, scope.namespace, proxy.labels),
  );
  return placed(plans, placeText(plans, placeOf(mesh, proxy)));
}

/** The plans of a scope, and what of a client's place they depend on. */
interface ScopePlans {
  readonly plans: readonly ClusterPlan[];
  readonly issues: readonly ObjectIssue[];
  readonly isPlaced: boolean;
  /** Whether it counts which node the client is on. */
  readonly isOfNode: boolean;
  /** Labels that endpoints are preferred by. */
  readonly labelNames: readonly string[];
}

const scopePlans = memoise(
  (
    rules: RuleIndex,
    endpoints: ReadonlyMap<string, ServiceEndpoints>,
    services: ReadonlyMap<string, Service>,
    facts: ClientFacts,
    namespace: string,
    selecting: string,
  ): ScopePlans => {
    // Only whether a rule selects the client counts: those that do are known by their places.
    const labels = JSON.parse(selecting) as Labels;
    const plans: ClusterPlan[] = [];
    const issues: ObjectIssue[] = [];
    for (const service of services.values()) {
      const rule = findRule(rules, service, namespace, labels);
      const own = serviceClusters(service, rule, endpoints.get(service.id) ?? NONE, facts);
      plans.push(...own.plans);
      issues.push(...own.issues);
    }
    const labelNames = [...new Set(plans.flatMap(preferredLabels))].sort();
    return {
      plans,
      issues,
      isPlaced: plans.some(isPlaced),
      isOfNode: plans.some(isNodeLocal) || labelNames.includes("kubernetes.io/hostname"),
      labelNames,
    };
  },
);

const NONE: ServiceEndpoints = new Map();

function isNodeLocal({ cluster }: ClusterPlan): boolean {
  return cluster.target.service.isNodeLocal;
}

function preferredLabels({ locality }: ClusterPlan): readonly string[] {
  const names = locality?.setting.failoverPriority ?? [];
  return names.map((text) => text.split("=", 1)[0] ?? "");
}

function isPlaced(plan: ClusterPlan): boolean {
  const { locality } = plan;
  if (isNodeLocal(plan)) return true;
  if (locality === undefined) return false;
  return locality.isFailover || (locality.setting.distribute ?? []).length > 0;
}

/** The labels of a client that rules of its namespace ask for, as text: the same for most clients. */
function selectingText(rules: RuleIndex, namespace: string, labels: Labels): string {
  const selecting = rules.byNamespace.get(namespace)?.selecting ?? [];
  const own: Record<string, string> = {};
  for (const { selector = {} } of selecting) {
    if (matchLabels(selector, labels)) Object.assign(own, selector);
  }
  return JSON.stringify(
    Object.fromEntries(Object.entries(own).sort(([a], [b]) => compareText(a, b))),
  );
}

/** Where a proxy is: as it says by itself, else as its pod's node says. */
function placeOf(mesh: Mesh, proxy: ProxyNode): ClientPlace {
  const workload = findWorkload(mesh, proxy);
  return {
    locality:
      proxy.locality.region === "" ? (workload?.locality ?? proxy.locality) : proxy.locality,
    labels: proxy.labels,
    network: proxy.network === "" ? (workload?.network ?? "") : proxy.network,
    clusterId: proxy.clusterId,
    nodeName: proxy.nodeName === "" ? (workload?.nodeName ?? "") : proxy.nodeName,
  };
}

/** What of a place counts for the plans, as text: few different ones in a mesh. */
function placeText(
  { isPlaced: counts, isOfNode, labelNames }: ScopePlans,
  place: ClientPlace,
): string {
  if (!counts) return "";
  const { locality, labels, network, clusterId, nodeName } = place;
  const own = labelNames.flatMap((name) => {
    const value = labels[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return JSON.stringify({
    locality,
    labels: Object.fromEntries(own),
    network,
    clusterId,
    nodeName: isOfNode ? nodeName : "",
  } satisfies ClientPlace);
}

const NOWHERE: ClientPlace = {
  locality: { region: "", zone: "", subzone: "" },
  labels: {},
  network: "",
  clusterId: "",
  nodeName: "",
};

const placed = memoise(({ plans, issues }: ScopePlans, text: string): OutboundClusters => {
  const place = text === "" ? NOWHERE : (JSON.parse(text) as ClientPlace);
  const clusters: Cluster[] = [];
  const endpoints: ClusterEndpoints[] = [];
  for (const plan of plans) {
    const { cluster, hosts, locality } = plan;
    const own = isNodeLocal(plan)
      ? endpointsOfNode(plan.endpoints, place.nodeName)
      : plan.endpoints;
    const groups = groupEndpoints(own, locality, place);
    if (hosts === "inline") clusters.push(withHosts(cluster, groups));
    else clusters.push(cluster);
    if (hosts === "eds") endpoints.push(clusterEndpoints(cluster, groups));
  }
  return { clusters, endpoints, issues };
});

const withHosts = memoise((cluster: Cluster, groups: readonly EndpointGroup[]): Cluster => {
  const { discovery } = cluster;
  if (discovery.type === "strict-dns") return { ...cluster, discovery: { ...discovery, groups } };
  if (discovery.type !== "logical-dns") return cluster;
  return { ...cluster, discovery: { ...discovery, groups: oneHost(groups) } };
});

/** What looks up one address at a time has one name. */
function oneHost([group]: readonly EndpointGroup[]): readonly EndpointGroup[] {
  return group === undefined
    ? []
    : [{ ...group, priority: 0, endpoints: group.endpoints.slice(0, 1) }];
}

const clusterEndpoints = memoise(
  (cluster: Cluster, groups: readonly EndpointGroup[]): ClusterEndpoints => ({
    clusterName: cluster.name,
    groups,
    origins: cluster.origins,
  }),
);
