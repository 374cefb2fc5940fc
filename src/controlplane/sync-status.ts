import type { ClientStatus, KindStatus } from "../ads/client-status.ts";
import type { Published } from "../ads/publish-plan.ts";
import { isMentioned } from "../ads/refusals.ts";
import { XDS_SHORT_NAME } from "../ads/short-name.ts";
import { formatKey } from "../config/object.ts";
import { RESOURCE_KINDS, type ResourceKind } from "../xds/snapshot.ts";
import type { ConnectedProxy } from "./proxy-pool.ts";

/** The nonces of one kind, or the versions where a proxy came back with what it needs. */
interface SyncPair {
  readonly sent: string;
  readonly acked: string;
}

/** What a proxy refused, and which objects made that. */
export interface RejectionStatus {
  /** `cds`, `eds`, `lds` or `rds`. */
  readonly type: string;
  readonly version: string;
  readonly atMs: number;
  /** The proxy's own words. */
  readonly message: string;
  /** `Kind/namespace/name` of the objects whose resources the message names. */
  readonly objects: readonly string[];
}

/** One connected proxy, as `proxy-status` shows it. */
export interface ProxyStatus {
  readonly clientId: string;
  /** `pod.namespace`. */
  readonly proxy: string;
  readonly nodeId: string;
  readonly type: string;
  readonly clusterId: string;
  readonly version: string;
  readonly connectedAtMs: number;
  /** By short name. */
  readonly states: Readonly<Record<string, KindStatus["state"]>>;
  readonly rejections: readonly RejectionStatus[];
  /** Virtual hosts that are not the newest, because the proxy lacks a cluster that those name. */
  readonly heldRoutes: readonly string[];
  readonly pairs: Readonly<Record<ResourceKind, SyncPair>>;
}

/** How far the resources that one object made have come. */
export interface ObjectDistribution {
  /** `Kind/namespace/name`. */
  readonly object: string;
  /** Proxies that are to have something of it. */
  readonly proxies: number;
  /** Those that acknowledged all of it. */
  readonly acked: number;
  /** `pod.namespace` of those that refused a response with something of it in it. */
  readonly rejectedBy: readonly string[];
}

/** One client's status in the words of `proxy-status`. */
export function proxyStatusOf(
  client: ClientStatus,
  { node }: ConnectedProxy,
  published: Published | undefined,
): ProxyStatus {
  const text = (name: string): string => {
    const value = client.node.metadata[name];
    return typeof value === "string" ? value : "";
  };
  return {
    clientId: client.clientId,
    proxy: `${node.name}.${node.namespace}`,
    nodeId: node.id,
    type: node.type,
    clusterId: text("CLUSTER_ID"),
    version: text("ISTIO_VERSION"),
    connectedAtMs: client.connectedAtMs,
    states: Object.fromEntries(
      RESOURCE_KINDS.filter((kind) => isShown(kind, client)).map((kind) => [
        XDS_SHORT_NAME[kind],
        client.kinds[kind].state,
      ]),
    ),
    rejections: RESOURCE_KINDS.flatMap((kind) => rejectionOf(kind, client.kinds[kind], published)),
    heldRoutes: client.heldRoutes,
    pairs: Object.fromEntries(
      RESOURCE_KINDS.map((kind) => [kind, pairOf(client.kinds[kind])]),
    ) as ProxyStatus["pairs"],
  };
}

/** Most proxies never look up a virtual host: not having asked for one is nothing to be told. */
function isShown(kind: ResourceKind, { kinds }: ClientStatus): boolean {
  return kind !== "virtualHost" || kinds[kind].state !== "NOT SENT";
}

/** istiod's form of the same, for programs that read `/debug/syncz`. */
export function synczEntry(status: ProxyStatus): Record<string, unknown> {
  const { pairs } = status;
  return {
    cluster_id: status.clusterId,
    proxy: status.proxy,
    proxy_type: status.type,
    istio_version: status.version,
    cluster_sent: pairs.cluster.sent,
    cluster_acked: pairs.cluster.acked,
    listener_sent: pairs.listener.sent,
    listener_acked: pairs.listener.acked,
    route_sent: pairs.route.sent,
    route_acked: pairs.route.acked,
    endpoint_sent: pairs.endpoint.sent,
    endpoint_acked: pairs.endpoint.acked,
    // What follows is weft's own.
    node_id: status.nodeId,
    connected_at: new Date(status.connectedAtMs).toISOString(),
    status: status.states,
    held_routes: status.heldRoutes,
    rejections: status.rejections.map(({ atMs, ...rest }) => ({
      ...rest,
      at: new Date(atMs).toISOString(),
    })),
  };
}

/** How far every object has come that made something for a proxy; sorted by name. */
export function distributionOf(
  clients: readonly { readonly client: ClientStatus; readonly proxy: ConnectedProxy }[],
): readonly ObjectDistribution[] {
  const found = new Map<string, { proxies: number; acked: number; rejectedBy: string[] }>();
  for (const { client, proxy } of clients) {
    for (const [object, state] of objectStates(client, proxy)) {
      const entry = found.get(object) ?? { proxies: 0, acked: 0, rejectedBy: [] };
      found.set(object, entry);
      entry.proxies += 1;
      if (state === "SYNCED") entry.acked += 1;
      if (state === "NACKED") entry.rejectedBy.push(`${proxy.node.name}.${proxy.node.namespace}`);
    }
  }
  return [...found]
    .map(([object, entry]) => ({ object, ...entry }))
    .sort((left, right) => (left.object < right.object ? -1 : 1));
}

/** The worst state of the kinds that an object has resources of, at one proxy. */
function objectStates(
  client: ClientStatus,
  { snapshot }: ConnectedProxy,
): ReadonlyMap<string, KindStatus["state"]> {
  const states = new Map<string, KindStatus["state"]>();
  for (const kind of RESOURCE_KINDS) {
    const { state, resources } = client.kinds[kind];
    const had = new Set(resources);
    for (const resource of snapshot.resources[kind].values()) {
      // What it does not ask for it does not need.
      if (!had.has(resource.name) && client.isSettled) continue;
      for (const origin of resource.origins) {
        const object = formatKey(origin);
        const before = states.get(object) ?? "SYNCED";
        states.set(object, rank(state) > rank(before) ? state : before);
      }
    }
  }
  return states;
}

function rank(state: KindStatus["state"]): number {
  return ["SYNCED", "NOT SENT", "STALE", "NACKED"].indexOf(state);
}

function rejectionOf(
  kind: ResourceKind,
  status: KindStatus,
  published: Published | undefined,
): readonly RejectionStatus[] {
  const { nackedMessage: message, nackedVersion = "", nackedAtMs = 0 } = status;
  if (message === undefined || status.state !== "NACKED") return [];
  const objects = [...(published?.[kind].values() ?? [])]
    .filter(({ name }) => isMentioned(name, message))
    .flatMap(({ origins }) => origins.map(formatKey));
  return [
    {
      type: XDS_SHORT_NAME[kind],
      version: nackedVersion,
      atMs: nackedAtMs,
      message,
      objects: [...new Set(objects)].sort(),
    },
  ];
}

function pairOf({ sentNonce, sentVersion, ackedNonce, ackedVersion }: KindStatus): SyncPair {
  const text = (nonce: string | undefined, version: string | undefined): string =>
    (nonce === "" ? version : nonce) ?? "";
  return { sent: text(sentNonce, sentVersion), acked: text(ackedNonce, ackedVersion) };
}
