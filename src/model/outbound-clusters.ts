import {
  type Cell,
  type CellGraph,
  type Family,
  isSameList,
  type Readable,
} from "../base/cells.ts";
import { memoise } from "../base/memo.ts";
import { noteSuccessor } from "../base/successor.ts";
import { matchLabels } from "../config/label-selector.ts";
import type { Cluster, ClusterEndpoints, EndpointGroup } from "./cluster.ts";
import { findRule, type RuleIndex } from "./destination-rule.ts";
import { NO_LOCALITY, type ServiceEndpoints } from "./endpoint.ts";
import type { Labels } from "./labels.ts";
import { findWorkload, type Mesh } from "./mesh.ts";
import { compareText, type ObjectIssue } from "./origin.ts";
import { factsOf, factsText } from "./policy/client-facts.ts";
import { endpointsOfNode } from "./policy/cluster-settings.ts";
import { type ClientPlace, groupEndpoints } from "./policy/endpoint-groups.ts";
import { disablingOnly, mutualTlsEndpoints } from "./policy/mutual-tls-endpoints.ts";
import {
  type ClusterPlan,
  type ServiceClusters,
  serviceClusters,
} from "./policy/service-clusters.ts";
import type { ProxyNode } from "./proxy.ts";
import type { ScopeCells } from "./scope/scope-cells.ts";
import type { Service } from "./service.ts";
import type { CollectorCells } from "./telemetry/collector-cells.ts";

/** What the clusters of some clients are made of. */
export interface OutboundClusterDeps {
  readonly scope: ScopeCells;
  /** See `clusterClientText`. */
  readonly client: string;
  readonly collectors: CollectorCells;
}

/** How many services are walked when one of them changes; as many blocks are in the largest meshes. */
const BLOCK_SERVICES = 64;

/** Whom clients in one place may send to; lists of one service each. */
export interface OutboundClusters {
  readonly clusters: Readable<readonly (readonly Cluster[])[]>;
  readonly endpoints: Readable<readonly (readonly ClusterEndpoints[])[]>;
}

/** Clients with the same text have clusters that look alike, but for where the clients are. */
export function clusterClientText({ rules }: Mesh, proxy: ProxyNode): string {
  const selecting = selectingText(rules, proxy.namespace, proxy.labels);
  return JSON.stringify([factsText(proxy), selecting]);
}

/**
 * The clusters of all services that some clients see, with who answers for them. What is made of a
 * service is made anew when something of that service changes, and of no other.
 */
export class OutboundClusterCells {
  readonly #graph: CellGraph;
  /** The services, some at a time, and how many such blocks there are. */
  readonly #block: Family<number, readonly Service[]>;
  readonly #blocks: Cell<number>;
  readonly #planned: Family<Service, ServiceClusters>;
  readonly #needs: Cell<string>;
  readonly #places: Family<string, OutboundClusters>;
  /** What rules say in vain to such clients. */
  readonly issues: Readable<readonly ObjectIssue[]>;

  constructor(graph: CellGraph, mesh: Mesh, { scope, client, collectors }: OutboundClusterDeps) {
    this.#graph = graph;
    const [facts, selecting] = JSON.parse(client) as [string, string];
    // Only whether a rule selects the client counts: those that do are known by their places.
    const labels = JSON.parse(selecting) as Labels;
    const policies = graph.cell(() => disablingOnly(mesh.peerAuthentications));
    this.#planned = graph.family((service: Service) => {
      const settings = scope.settings.get();
      const listed = mesh.registry.endpoints.get(service.id) ?? NONE;
      const endpoints = mutualTlsEndpoints(listed, policies.get(), settings.rootNamespace);
      const rule = findRule(mesh.rules, service, scope.namespace, labels);
      return serviceClusters(service, rule, endpoints, factsOf(settings, facts));
    });
    // A proxy reaches whom it tells of its requests, even where its workload may not.
    const services = graph.cell(() => {
      const others = collectors.services
        .get()
        .filter(({ hostname }) => scope.services.get(hostname) === undefined);
      return [...scope.services.values(), ...others];
    }, isSameList);
    this.#blocks = graph.cell(() => Math.ceil(services.get().length / BLOCK_SERVICES));
    this.#block = graph.family((at: number) => {
      const from = at * BLOCK_SERVICES;
      return services.get().slice(from, from + BLOCK_SERVICES);
    }, isSameList);
    const needs = this.#list((one) => needsOf(this.#planned.get(one)));
    this.#needs = graph.cell(() => joinNeeds(needs.get()));
    const issues = this.#list((one) => this.#planned.get(one).issues);
    this.issues = graph.cell(() => issues.get().flat(), isSameList);
    this.#places = graph.family((text: string) => this.#at(text));
  }

  /** Those of a proxy, which is in some place. */
  of(place: ClientPlace): OutboundClusters {
    return this.#places.get(placeText(JSON.parse(this.#needs.get()) as PlaceNeeds, place));
  }

  #at(text: string): OutboundClusters {
    const place = text === "" ? NOWHERE : (JSON.parse(text) as ClientPlace);
    const clusters = this.#graph.family(
      (service: Service) => placedClusters(this.#planned.get(service), place),
      isSameList,
    );
    const endpoints = this.#graph.family(
      (service: Service) => placedEndpoints(this.#planned.get(service), place),
      isSameList,
    );
    return {
      clusters: this.#list((one) => clusters.get(one)),
      endpoints: this.#list((one) => endpoints.get(one), noteSuccessor),
    };
  }

  /**
   * Something of each service, as a list. It is put together of blocks, so that a change of one
   * service walks its block and not all services; `onChange` is told of a list and the next one.
   */
  #list<T>(
    compute: (service: Service) => T,
    onChange?: (last: readonly T[], next: readonly T[]) => void,
  ): Cell<readonly T[]> {
    const blocks = this.#graph.family((at: number) => this.#block.get(at).map(compute), isSameList);
    return this.#graph.cell(
      () => {
        const all: T[] = [];
        for (let at = 0; at < this.#blocks.get(); at++) {
          for (const one of blocks.get(at)) all.push(one);
        }
        return all;
      },
      (last, next) => {
        const isSame = isSameList(last, next);
        if (!isSame) onChange?.(last, next);
        return isSame;
      },
    );
  }
}

/** What of a client's place the clusters depend on. */
interface PlaceNeeds {
  readonly isPlaced: boolean;
  /** Whether it counts which node the client is on. */
  readonly isOfNode: boolean;
  /** Labels that endpoints are preferred by. */
  readonly labelNames: readonly string[];
}

const NO_NEEDS: PlaceNeeds = { isPlaced: false, isOfNode: false, labelNames: [] };

/** What all services need together, as text, which seldom changes. */
function joinNeeds(all: readonly PlaceNeeds[]): string {
  const needs = all.filter((one) => one !== NO_NEEDS);
  return JSON.stringify({
    isPlaced: needs.some(({ isPlaced }) => isPlaced),
    isOfNode: needs.some(({ isOfNode }) => isOfNode),
    labelNames: [...new Set(needs.flatMap(({ labelNames }) => labelNames))].sort(),
  } satisfies PlaceNeeds);
}

const needsOf = memoise(({ plans }: ServiceClusters): PlaceNeeds => {
  if (!plans.some(isPlacedPlan)) return NO_NEEDS;
  const labelNames = plans.flatMap(preferredLabels);
  return {
    isPlaced: true,
    isOfNode: plans.some(isNodeLocal) || labelNames.includes("kubernetes.io/hostname"),
    labelNames,
  };
});

const NONE: ServiceEndpoints = new Map();

function isNodeLocal({ cluster }: ClusterPlan): boolean {
  return cluster.target.service.isNodeLocal;
}

function preferredLabels({ locality }: ClusterPlan): readonly string[] {
  const names = locality?.setting.failoverPriority ?? [];
  return names.map((text) => text.split("=", 1)[0] ?? "");
}

function isPlacedPlan(plan: ClusterPlan): boolean {
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
export function placeOf(mesh: Mesh, proxy: ProxyNode): ClientPlace {
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

/** What of a place counts, as text: few different ones in a mesh. */
function placeText(
  { isPlaced, isOfNode, labelNames }: PlaceNeeds,
  { locality, labels, network, clusterId, nodeName }: ClientPlace,
): string {
  if (!isPlaced) return "";
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
  locality: NO_LOCALITY,
  labels: {},
  network: "",
  clusterId: "",
  nodeName: "",
};

function placedClusters({ plans }: ServiceClusters, place: ClientPlace): readonly Cluster[] {
  return plans.map((plan) =>
    plan.hosts === "inline" ? withHosts(plan.cluster, groupsOf(plan, place)) : plan.cluster,
  );
}

function placedEndpoints(
  { plans }: ServiceClusters,
  place: ClientPlace,
): readonly ClusterEndpoints[] {
  return plans.flatMap((plan) =>
    plan.hosts === "eds" ? [clusterEndpoints(plan.cluster, groupsOf(plan, place))] : [],
  );
}

function groupsOf(plan: ClusterPlan, place: ClientPlace): readonly EndpointGroup[] {
  const own = isNodeLocal(plan) ? endpointsOfNode(plan.endpoints, place.nodeName) : plan.endpoints;
  return groupEndpoints(own, plan.locality, place);
}

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
