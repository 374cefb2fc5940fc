import type { ClientStatus, SyncState } from "../ads/client-status.ts";
import { XDS_SHORT_NAME } from "../ads/short-name.ts";
import { formatKey, type ObjectKey } from "../config/object.ts";
import type { ResourceKind } from "../xds/snapshot.ts";
import type { DistributionView, OpenWay } from "./distribution-view.ts";
import { hasProxy, NO_PROXIES, type ProxySet } from "./proxy-set.ts";

/** Most proxies that one answer names. */
const NAMED_MAX = 100;

/** Most resources that one laggard's line names. */
const RESOURCES_MAX = 10;

/**
 * `Pending`: on its way. `Rejected`: some proxy refused it as it is now. `NotUsed`: no proxy that is
 * connected has anything of it. `NoProxies`: none is connected.
 */
export type DistributionState = "Distributed" | "Pending" | "Rejected" | "NotUsed" | "NoProxies";

/** How far the resources that one object made have come. */
export interface ObjectDistribution {
  /** `Kind/namespace/name`. */
  readonly object: string;
  readonly state: DistributionState;
  /** Proxies that are to have something of it. */
  readonly proxies: number;
  /** Those that acknowledged all of it. */
  readonly acked: number;
  /** Those that refused it as it is now; the first hundred. */
  readonly rejections: readonly ObjectRejection[];
}

/** One proxy that refused an object. */
export interface ObjectRejection {
  /** `pod.namespace`. */
  readonly proxy: string;
  readonly type: string;
  readonly atMs: number;
  /** The proxy's own words. */
  readonly message: string;
}

/** One proxy that does not have an object as it is now. */
export interface Laggard {
  /** `pod.namespace`. */
  readonly proxy: string;
  /** `cds`, `eds`, `lds`, `rds`, `vhds`; "" when none of them was built yet. */
  readonly type: string;
  readonly state: Exclude<SyncState, "SYNCED"> | "HELD" | "NOT BUILT";
  readonly sinceMs: number;
  readonly reason: string;
  /** Names of the resources it is about; the first ten. */
  readonly resources: readonly string[];
}

/** How far one object has come, with all proxies or with some. */
export function distributionOf(
  view: DistributionView,
  key: ObjectKey,
  among: ProxySet = view.all,
): ObjectDistribution {
  const { isBuilt, ...state } = view.of(key);
  const [proxies, lacking] = [state.proxies & among, state.lacking & among];
  const refusing = state.refusing & among;
  const [all, late] = [view.count(proxies), view.count(lacking)];
  const rejections =
    refusing === NO_PROXIES
      ? []
      : laggardsIn(view, key, refusing)
          .filter(({ state }) => state === "NACKED")
          .map(({ proxy, type, sinceMs, reason }) => ({
            proxy,
            type,
            atMs: sinceMs,
            message: reason,
          }));
  const stateNow = (): DistributionState => {
    if (view.clients.length === 0) return isBuilt ? "NoProxies" : "Pending";
    if (rejections.length > 0) return "Rejected";
    if (!isBuilt || late > 0) return "Pending";
    return all === 0 ? "NotUsed" : "Distributed";
  };
  return { object: formatKey(key), state: stateNow(), proxies: all, acked: all - late, rejections };
}

/** Those of the proxies that do not have an object as it is now, and why; the first hundred. */
export function laggardsOf(
  view: DistributionView,
  key: ObjectKey,
  among: ProxySet = view.all,
): readonly Laggard[] {
  return laggardsIn(view, key, view.of(key).lacking & among);
}

function laggardsIn(view: DistributionView, key: ObjectKey, among: ProxySet): readonly Laggard[] {
  const laggards: Laggard[] = [];
  for (const [index, { proxy, client, builtEpoch }] of view.clients.entries()) {
    if (laggards.length >= NAMED_MAX) break;
    if (!hasProxy(among, index)) continue;
    const lines = view
      .waysOf(index)
      .flatMap((way) => lineOf(client, way, view.namesLacking(way, key)) ?? []);
    const freshLines = view.freshKindsOf(index, key).map((kind) => freshLine(client, kind));
    // One for each type: a kind may have several ways to go.
    const byType = new Map([...freshLines, ...lines].map((line) => [line.type, line]));
    if (byType.size === 0) byType.set("", notBuilt(client, builtEpoch));
    laggards.push(...[...byType.values()].map((line) => ({ proxy, ...line })));
  }
  return laggards.slice(0, NAMED_MAX);
}

type Line = Omit<Laggard, "proxy">;

function lineOf(
  client: ClientStatus,
  { kind, refused }: OpenWay,
  names: readonly string[],
): Line | undefined {
  if (names.length === 0) return undefined;
  const status = client.kinds[kind];
  const about = {
    type: XDS_SHORT_NAME[kind],
    resources: names.slice(0, RESOURCES_MAX),
    sinceMs: status.sentAtMs ?? client.connectedAtMs,
  };
  const ours = names.filter((name) => refused.has(name));
  if (ours.length > 0) {
    // The proxy's words on all that it refused, or on what is asked about.
    const isAll = ours.length === refused.size && status.nackedMessage !== undefined;
    const words = ours.slice(0, RESOURCES_MAX).map((name) => `${name}: ${refused.get(name)}`);
    return {
      ...about,
      state: "NACKED",
      sinceMs: status.nackedAtMs ?? about.sinceMs,
      reason: (isAll ? (status.nackedMessage ?? "") : words.join("; ")).trim(),
    };
  }
  if (status.state === "STALE") return { ...about, state: "STALE", reason: "not acknowledged" };
  if (client.heldRoutes.length > 0 && (kind === "route" || kind === "cluster")) {
    const held = client.heldRoutes.slice(0, RESOURCES_MAX).join(", ");
    return { ...about, state: "HELD", reason: `lacks a cluster that these name: ${held}` };
  }
  return { ...about, state: "NOT SENT", reason: waitReason(client, kind) };
}

function freshLine(client: ClientStatus, kind: ResourceKind): Line {
  const { state, sentAtMs } = client.kinds[kind];
  return {
    type: XDS_SHORT_NAME[kind],
    state: state === "STALE" ? "STALE" : "NOT SENT",
    sinceMs: sentAtMs ?? client.connectedAtMs,
    reason: state === "STALE" ? "not acknowledged" : waitReason(client, kind),
    resources: [],
  };
}

/** What a push waits for is mostly another kind: clusters go before routes. */
function waitReason({ kinds, isSettled }: ClientStatus, kind: ResourceKind): string {
  const blocking = Object.entries(kinds).filter(
    ([other, { state }]) => other !== kind && (state === "STALE" || state === "NACKED"),
  );
  if (blocking.length > 0) {
    const names = blocking.map(
      ([other, { state }]) => `${XDS_SHORT_NAME[other as ResourceKind]} ${state}`,
    );
    return `waits for ${names.join(", ")}`;
  }
  return isSettled ? "not asked for" : "on its way";
}

function notBuilt({ connectedAtMs }: ClientStatus, builtEpoch: number): Line {
  return {
    type: "",
    state: "NOT BUILT",
    sinceMs: connectedAtMs,
    reason: `its configuration is still that of mesh ${builtEpoch}`,
    resources: [],
  };
}
