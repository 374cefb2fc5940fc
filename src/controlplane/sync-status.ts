import type { ClientStatus, KindStatus } from "../ads/client-status.ts";
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
  /** Names of the resources that it refused: those that the message names, or all. */
  readonly resources: readonly string[];
  /** `Kind/namespace/name` of the objects that made those. */
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
  /** Since when each is in its state, by short name. */
  readonly sinceMs: Readonly<Record<string, number>>;
  readonly rejections: readonly RejectionStatus[];
  /** Virtual hosts that are not the newest, because the proxy lacks a cluster that those name. */
  readonly heldRoutes: readonly string[];
  readonly pairs: Readonly<Record<ResourceKind, SyncPair>>;
}

/** One client's status in the words of `proxy-status`. */
export function proxyStatusOf(client: ClientStatus, { node }: ConnectedProxy): ProxyStatus {
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
    states: byShortName(client, ({ state }) => state),
    sinceMs: byShortName(client, (status) => sinceOf(status, client)),
    rejections: RESOURCE_KINDS.flatMap((kind) => rejectionOf(kind, client)),
    heldRoutes: client.heldRoutes,
    pairs: Object.fromEntries(
      RESOURCE_KINDS.map((kind) => [kind, pairOf(client.kinds[kind])]),
    ) as ProxyStatus["pairs"],
  };
}

function byShortName<T>(
  client: ClientStatus,
  read: (status: KindStatus) => T,
): Readonly<Record<string, T>> {
  const shown = RESOURCE_KINDS.filter((kind) => isShown(kind, client));
  return Object.fromEntries(
    shown.map((kind) => [XDS_SHORT_NAME[kind], read(client.kinds[kind])] as const),
  );
}

function sinceOf(status: KindStatus, { connectedAtMs }: ClientStatus): number {
  const { state, sentAtMs, ackedAtMs, nackedAtMs } = status;
  const at = { "NOT SENT": connectedAtMs, STALE: sentAtMs, NACKED: nackedAtMs, SYNCED: ackedAtMs };
  return at[state] ?? connectedAtMs;
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
    since: Object.fromEntries(
      Object.entries(status.sinceMs).map(([type, ms]) => [type, new Date(ms).toISOString()]),
    ),
    held_routes: status.heldRoutes,
    rejections: status.rejections.map(({ atMs, ...rest }) => ({
      ...rest,
      at: new Date(atMs).toISOString(),
    })),
  };
}

function rejectionOf(kind: ResourceKind, client: ClientStatus): readonly RejectionStatus[] {
  const {
    state,
    nacked,
    nackedMessage,
    nackedVersion = "",
    nackedAtMs,
    refused,
  } = client.kinds[kind];
  if (state !== "NACKED" || nackedMessage === undefined) return [];
  const resources = [...refused.keys()].slice(0, RESOURCES_MAX);
  const objects = resources.flatMap((name) => nacked?.get(name)?.origins.map(formatKey) ?? []);
  return [
    {
      type: XDS_SHORT_NAME[kind],
      version: nackedVersion,
      atMs: nackedAtMs ?? 0,
      message: nackedMessage.trim(),
      resources,
      objects: [...new Set(objects)].sort(),
    },
  ];
}

/** Most resources that one rejection names. */
const RESOURCES_MAX = 50;

function pairOf({ sentNonce, sentVersion, ackedNonce, ackedVersion }: KindStatus): SyncPair {
  const text = (nonce: string | undefined, version: string | undefined): string =>
    (nonce === "" ? version : nonce) ?? "";
  return { sent: text(sentNonce, sentVersion), acked: text(ackedNonce, ackedVersion) };
}
