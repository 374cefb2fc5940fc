import { memoise } from "../../base/memo.ts";
import { type Cluster, clusterName, type Discovery, sniName } from "../cluster.ts";
import { type MergedRule, policyOf, type Subset } from "../destination-rule.ts";
import {
  type Endpoint,
  endpointsOfPort,
  type ServiceEndpoints,
  selectEndpoints,
} from "../endpoint.ts";
import type { ObjectIssue, Origin } from "../origin.ts";
import type { Service, ServicePort } from "../service.ts";
import type { TrafficPolicy } from "../traffic-policy.ts";
import type { ClientFacts } from "./client-facts.ts";
import { clientIssues, transportIssue } from "./client-issues.ts";
import { type ClientTransport, clientTransport } from "./client-tls.ts";
import {
  addressesOf,
  healthyOf,
  identitiesOf,
  isLocalityWeighted,
  isPassthrough,
  keepaliveOf,
  localityRuleOf,
  resolutionFor,
  upstreamProtocol,
} from "./cluster-settings.ts";
import type { LocalityRule } from "./endpoint-groups.ts";

/** A cluster as clients that are alike have it, wherever they are. */
export interface ClusterPlan {
  /** Of the discovery types `strict-dns` and `logical-dns` without its hosts. */
  readonly cluster: Cluster & { readonly target: NonNullable<Cluster["target"]> };
  /** Where they come from: nowhere for `original-dst` and `dynamic-dns`. */
  readonly hosts: "eds" | "inline" | "none";
  readonly endpoints: readonly Endpoint[];
  readonly locality: LocalityRule | undefined;
}

/** The clusters of one service. */
export interface ServiceClusters {
  readonly plans: readonly ClusterPlan[];
  /** What the rule says in vain to such clients. */
  readonly issues: readonly ObjectIssue[];
}

/** One cluster per port, and one per port and subset. */
export function serviceClusters(
  service: Service,
  rule: MergedRule | undefined,
  endpoints: ServiceEndpoints,
  facts: ClientFacts,
): ServiceClusters {
  const shape = clusterShapes(service, rule, identityKey(endpoints, service, rule, facts), facts);
  return withEndpoints(shape, endpoints);
}

/** A plan without its endpoints, so that it stays when only they change. */
interface ClusterShape {
  readonly plan: Omit<ClusterPlan, "endpoints">;
  readonly subset: Subset | undefined;
}

interface ServiceShape {
  readonly shapes: readonly ClusterShape[];
  readonly issues: readonly ObjectIssue[];
}

const withEndpoints = memoise(
  ({ shapes, issues }: ServiceShape, endpoints: ServiceEndpoints): ServiceClusters => ({
    issues,
    plans: shapes.flatMap(({ plan, subset }) => {
      const all = endpointsOfPort(endpoints, plan.cluster.target.port.name);
      const own = subset === undefined ? all : selectEndpoints(all, subset.labels);
      switch (plan.hosts) {
        case "none":
          return [{ ...plan, endpoints: [] }];
        case "eds":
          return [{ ...plan, endpoints: addressesOf(own) }];
        case "inline": {
          // As in Istio, names that nobody has make no cluster.
          const hosts = healthyOf(own);
          return hosts.length === 0 ? [] : [{ ...plan, endpoints: hosts }];
        }
      }
    }),
  }),
);

/**
 * What of the endpoints shows in the clusters themselves: who they are, and for TLS to clients'
 * own addresses whether all take it. As text: few different ones per service.
 */
function identityKey(
  endpoints: ServiceEndpoints,
  service: Service,
  rule: MergedRule | undefined,
  { settings, hasCertificates }: ClientFacts,
): string {
  // Only external servers are known by their endpoints' identities without certificates of one's own.
  if (!hasCertificates && (service.registry !== "External" || rule === undefined)) return "";
  return JSON.stringify({
    identities: identitiesOf(endpoints, settings),
    takers: takers(endpoints, service),
  });
}

/** Whether it can be chosen by endpoint who is sent TLS, or must be all or none. */
function takers(endpoints: ServiceEndpoints, service: Service): "chosen" | "all" | "none" {
  if (!isPassthrough(service)) return "chosen";
  const all = [...endpoints.values()].flat();
  return all.length > 0 && all.every(({ isMutualTls }) => isMutualTls) ? "all" : "none";
}

interface Identity {
  readonly identities: readonly string[];
  readonly takers: "chosen" | "all" | "none";
}

const NO_IDENTITY: Identity = { identities: [], takers: "none" };

const clusterShapes = memoise(
  (
    service: Service,
    rule: MergedRule | undefined,
    identityText: string,
    facts: ClientFacts,
  ): ServiceShape => {
    const identity = identityText === "" ? NO_IDENTITY : (JSON.parse(identityText) as Identity);
    const issues: ObjectIssue[] = [];
    const shapes = service.ports.flatMap((port) =>
      [undefined, ...(rule?.subsets ?? [])].map((subset): ClusterShape => {
        const policy = policyOf(rule, port.number, subset?.name ?? "");
        issues.push(...clientIssues(policy, facts));
        return { subset, plan: plan({ service, port, subset, rule, policy, identity }) };
      }),
    );
    return { shapes, issues: unique(issues) };

    function plan(parts: PlanParts): Omit<ClusterPlan, "endpoints"> {
      const { plan: made, transport } = clusterPlan(parts, facts);
      if (transport.type !== "tls" && transport.warning !== undefined) {
        issues.push(transportIssue(transport.warning));
      }
      return made;
    }
  },
);

interface PlanParts {
  readonly service: Service;
  readonly port: ServicePort;
  readonly subset: Subset | undefined;
  readonly rule: MergedRule | undefined;
  readonly policy: TrafficPolicy;
  readonly identity: Identity;
}

function clusterPlan(
  { service, port, subset, rule, policy, identity }: PlanParts,
  facts: ClientFacts,
): { readonly plan: Omit<ClusterPlan, "endpoints">; readonly transport: ClientTransport } {
  const { settings } = facts;
  const name = subset?.name ?? "";
  const protocol = upstreamProtocol(port, policy, facts);
  const transport = clientTransport(policy, {
    facts,
    service,
    sni: sniName(port.number, name, service.hostname),
    isHttp2: protocol === "http2",
    identities: identity.identities,
    takers:
      policy.loadBalancer === "PASSTHROUGH" && identity.takers === "chosen"
        ? "none"
        : identity.takers,
  });
  const locality = localityRuleOf(policy, service, settings);
  const { discovery, hosts } = discoveryOf(service, policy, transport, facts);
  const keepalive = keepaliveOf(policy, facts);
  const plan: Omit<ClusterPlan, "endpoints"> = {
    hosts,
    locality,
    cluster: {
      name: clusterName(port.number, name, service.hostname),
      direction: "outbound",
      discovery,
      target: { service, port, subset: name },
      policy,
      connectTimeoutMs: policy.connectionPool.connectTimeoutMs ?? settings.connectTimeoutMs,
      upstreamProtocol: protocol,
      ...(transport.type === "tls" && { transport: transport.transport }),
      ...(keepalive !== undefined && { keepalive }),
      ...(isLocalityWeighted(locality) && { isLocalityWeighted: true }),
      origins: originsOf(service, rule, subset),
    },
  };
  return { plan, transport };
}

function originsOf(
  service: Service,
  rule: MergedRule | undefined,
  subset: Subset | undefined,
): readonly Origin[] {
  const origin: Origin = { key: service.key, path: service.path };
  if (subset !== undefined) return [origin, subset.origin];
  return [origin, ...(rule?.rules ?? []).map(({ key }) => ({ key, path: "" }))];
}

function discoveryOf(
  service: Service,
  policy: TrafficPolicy,
  transport: ClientTransport,
  facts: ClientFacts,
): { readonly discovery: Discovery; readonly hosts: ClusterPlan["hosts"] } {
  // Whoever wants TLS and cannot have it reaches nobody.
  if (transport.type === "closed") {
    return { discovery: { type: "static", endpoints: [] }, hosts: "none" };
  }
  const lookup = { family: facts.lookupFamily, refreshMs: facts.settings.dnsRefreshMs };
  switch (resolutionFor(service, policy, facts)) {
    case "eds":
      return { discovery: { type: "eds" }, hosts: "eds" };
    case "dns":
      return { discovery: { type: "strict-dns", groups: [], ...lookup }, hosts: "inline" };
    case "dns-round-robin":
      return { discovery: { type: "logical-dns", groups: [], ...lookup }, hosts: "inline" };
    case "passthrough":
      return { discovery: { type: "original-dst" }, hosts: "none" };
    case "dynamic-dns":
      return { discovery: { type: "dynamic-dns", ...lookup }, hosts: "none" };
  }
}

function unique(issues: readonly ObjectIssue[]): readonly ObjectIssue[] {
  const texts = new Set<string>();
  return issues.filter((issue) => {
    const text = JSON.stringify(issue);
    if (texts.has(text)) return false;
    texts.add(text);
    return true;
  });
}
