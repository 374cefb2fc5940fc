import { memoise } from "../../base/memo.ts";
import type { LocalityLbSetting } from "../../config/locality-lb-setting.ts";
import type { EndpointGroup } from "../cluster.ts";
import type { Endpoint, Locality } from "../endpoint.ts";
import type { Labels } from "../labels.ts";
import { compareText } from "../origin.ts";

/** Where a client is, as far as that decides which endpoints it prefers. */
export interface ClientPlace {
  readonly locality: Locality;
  readonly labels: Labels;
  readonly network: string;
  readonly clusterId: string;
  readonly nodeName: string;
}

/** How localities are preferred; see `localityRuleOf`. */
export interface LocalityRule {
  readonly setting: LocalityLbSetting;
  /** Whether traffic goes elsewhere when what is near fails. */
  readonly isFailover: boolean;
}

/** Labels that stand for where something is, with Kubernetes' and Istio's names. */
const NETWORK = "topology.istio.io/network";
const CLUSTER = "topology.istio.io/cluster";
const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";
const SUBZONE = "topology.istio.io/subzone";
const HOSTNAME = "kubernetes.io/hostname";

/** What `trafficDistribution` of a service means. */
export const NEAR_ZONE: LocalityLbSetting = {
  enabled: true,
  failoverPriority: [NETWORK, REGION, ZONE, SUBZONE],
};
export const NEAR_NODE: LocalityLbSetting = {
  enabled: true,
  failoverPriority: [NETWORK, REGION, ZONE, SUBZONE, HOSTNAME],
};

/**
 * The endpoints in groups of one locality and priority each, as one client prefers them. Clients
 * that prefer alike get the same value.
 */
export function groupEndpoints(
  endpoints: readonly Endpoint[],
  rule: LocalityRule | undefined,
  place: ClientPlace,
): readonly EndpointGroup[] {
  return groupsOf(endpoints, rule === undefined ? "" : planText(rule, place));
}

/** How a rule is meant from a place, as text; "" where it prefers nobody. */
const planText = memoise((rule: LocalityRule, place: ClientPlace): string => {
  const plan = planOf(rule, place);
  return plan === undefined ? "" : JSON.stringify(plan);
});

/** All that grouping depends on besides the endpoints. */
interface Plan {
  readonly locality: Locality;
  readonly distribute?: Readonly<Record<string, number>>;
  /** Labels with the values that are preferred, the weightiest first. */
  readonly priorities?: readonly (readonly [name: string, value: string])[];
  /** Regions that the client's own falls over to; absent: any. */
  readonly failover?: readonly { readonly from: string; readonly to: string }[];
}

function planOf({ setting, isFailover }: LocalityRule, place: ClientPlace): Plan | undefined {
  const { locality } = place;
  // Without a word about where the client is, nothing is near to it.
  const isPlaced = locality.region !== "";
  if ((setting.distribute ?? []).length > 0) {
    const own = setting.distribute?.find(({ from = "" }) => matchesLocality(locality, from));
    return own?.to === undefined ? undefined : { locality, distribute: own.to };
  }
  if (!isFailover) return undefined;
  const failover = (setting.failover ?? []).map(({ from = "", to = "" }) => ({ from, to }));
  const names = setting.failoverPriority ?? [];
  if (names.length > 0) {
    const own = topologyLabels(place.labels, place);
    const priorities = names.map((text): readonly [string, string] => {
      const at = text.indexOf("=");
      return at < 0 ? [text, own[text] ?? ""] : [text.slice(0, at), text.slice(at + 1)];
    });
    return { locality, priorities, ...(failover.length > 0 && isPlaced && { failover }) };
  }
  return isPlaced ? { locality, failover } : undefined;
}

const groupsOf = memoise(
  (endpoints: readonly Endpoint[], text: string): readonly EndpointGroup[] => {
    const plan = text === "" ? undefined : (JSON.parse(text) as Plan);
    const groups = byLocality(endpoints);
    if (plan === undefined) return groups;
    if (plan.distribute !== undefined) return distribute(groups, plan.distribute);
    const ranked = plan.priorities === undefined ? groups : byLabels(groups, plan.priorities);
    return compactPriorities(
      plan.failover === undefined ? ranked : byDistance(ranked, plan.locality, plan.failover),
    );
  },
);

function byLocality(endpoints: readonly Endpoint[]): readonly EndpointGroup[] {
  const members = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const name = localityText(endpoint.locality);
    const known = members.get(name);
    if (known === undefined) members.set(name, [endpoint]);
    else known.push(endpoint);
  }
  return [...members].sort(([a], [b]) => compareText(a, b)).flatMap(([, list]) => groupOf(list, 0));
}

function groupOf(endpoints: readonly Endpoint[], priority: number): readonly EndpointGroup[] {
  const [first] = endpoints;
  if (first === undefined) return [];
  const weight = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
  return [{ locality: first.locality, priority, weight: Math.min(weight, UINT32_MAX), endpoints }];
}

const UINT32_MAX = 0xffff_ffff;

/**
 * Gives localities the shares that the setting names. Several that one name stands for divide its
 * share by their own weights; those that no name stands for get nothing.
 */
function distribute(
  groups: readonly EndpointGroup[],
  shares: Readonly<Record<string, number>>,
): readonly EndpointGroup[] {
  // In a fixed order, the narrowest first: a locality belongs to the first that stands for it.
  const names = Object.keys(shares).sort((a, b) => b.length - a.length || compareText(a, b));
  const owners = groups.map(({ locality }) =>
    names.find((name) => matchesLocality(locality, name)),
  );
  return groups.flatMap((group, at) => {
    const owner = owners[at];
    const share = owner === undefined ? 0 : (shares[owner] ?? 0);
    if (owner === undefined || share === 0) return [];
    const total = groups.reduce(
      (sum, other, index) => sum + (owners[index] === owner ? other.weight : 0),
      0,
    );
    return [{ ...group, weight: Math.ceil((group.weight * share) / total) }];
  });
}

/** Prefers endpoints by how many labels in a row they have in common with the client. */
function byLabels(
  groups: readonly EndpointGroup[],
  labels: readonly (readonly [string, string])[],
): readonly EndpointGroup[] {
  return groups.flatMap(({ endpoints }) => {
    const ranks = new Map<number, Endpoint[]>();
    for (const endpoint of endpoints) {
      const own = topologyLabels(endpoint.labels, { ...endpoint, clusterId: undefined });
      const at = labels.findIndex(([name, value]) => (own[name] ?? "") !== value);
      const rank = at < 0 ? 0 : labels.length - at;
      ranks.set(rank, [...(ranks.get(rank) ?? []), endpoint]);
    }
    return [...ranks]
      .sort(([a], [b]) => a - b)
      .flatMap(([rank, members]) => groupOf(members, rank));
  });
}

/** How far apart two localities are: 0 the same subzone, 3 another region, 4 not a region to fall over to. */
function byDistance(
  groups: readonly EndpointGroup[],
  own: Locality,
  failover: NonNullable<Plan["failover"]>,
): readonly EndpointGroup[] {
  const rule = failover.find(({ from }) => from === own.region);
  return groups.map((group) => {
    const distance = distanceOf(own, group.locality);
    const isBeyond = distance === 3 && rule !== undefined && group.locality.region !== rule.to;
    return { ...group, priority: group.priority * 5 + (isBeyond ? 4 : distance) };
  });
}

function distanceOf(a: Locality, b: Locality): number {
  if (a.region !== b.region) return 3;
  if (a.zone !== b.zone) return 2;
  return a.subzone === b.subzone ? 0 : 1;
}

/** A proxy wants priorities without gaps. */
function compactPriorities(groups: readonly EndpointGroup[]): readonly EndpointGroup[] {
  const used = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b);
  return groups.map((group) => ({ ...group, priority: used.indexOf(group.priority) }));
}

/** Whether a locality is one that `region/zone/subzone` stands for; `*` is any, as is what is left out. */
function matchesLocality({ region, zone, subzone }: Locality, pattern: string): boolean {
  const [ofRegion = "", ofZone = "", ofSubzone = ""] = pattern.split("/");
  return (
    (ofRegion === "*" || ofRegion === region) &&
    [
      [ofZone, zone],
      [ofSubzone, subzone],
    ].every(([wanted, part]) => wanted === "*" || wanted === "" || wanted === part)
  );
}

/** `region/zone/subzone`, without what is not told. */
export function localityText({ region, zone, subzone }: Locality): string {
  return [region, zone, subzone].join("/").replace(/\/+$/, "");
}

/** Labels, with those that say where something is put in from what is known of that. */
function topologyLabels(
  labels: Labels,
  place: {
    readonly locality: Locality;
    readonly network: string;
    readonly clusterId: string | undefined;
    readonly nodeName: string;
  },
): Labels {
  const { locality, network, clusterId = DEFAULT_CLUSTER, nodeName } = place;
  const known = {
    [NETWORK]: network,
    [CLUSTER]: clusterId,
    [REGION]: locality.region,
    [ZONE]: locality.zone,
    [SUBZONE]: locality.subzone,
    [HOSTNAME]: nodeName,
  };
  return {
    ...labels,
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== "")),
  };
}

/** The only cluster that endpoints are known of, until there are several. */
const DEFAULT_CLUSTER = "Kubernetes";
