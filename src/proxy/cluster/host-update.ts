import type { Endpoint } from "./cluster-config.ts";
import { endpointKey, type Host } from "./host.ts";

/** What became of a cluster's hosts. */
export interface HostUpdate {
  /** In the order of the endpoints; the very list that there was when nothing changed. */
  readonly hosts: readonly Host[];
  readonly added: readonly Host[];
  readonly removed: readonly Host[];
  /** Whether any host came, went, or is told something new. */
  readonly isChanged: boolean;
}

/** The hosts of a cluster, and how they are made. */
export interface HostList {
  readonly hosts: readonly Host[];
  /** The same by key, where an address may stand there once; kept up to date here. */
  readonly byKey: Map<string, Host> | undefined;
  readonly create: (endpoint: Endpoint) => Host;
  /** Whether a host stays that is not named any more; absent: none does. */
  readonly isKept?: (host: Host) => boolean;
  /** Whether a host may be told that; absent: any may. Else another one comes in its place. */
  readonly isSame?: (host: Host, endpoint: Endpoint) => boolean;
}

/** A part of the hosts in place of which comes a part of the endpoints. */
interface Change {
  readonly from: number;
  readonly oldEnd: number;
  readonly newEnd: number;
}

/**
 * Turns endpoints into hosts: one that was there stays, with what is said of it now. What is the
 * very same at the beginning and at the end is not looked at again; decoders see to it that an
 * endpoint that did not change stays the same object.
 */
export function updateHosts(list: HostList, endpoints: readonly Endpoint[]): HostUpdate {
  const { hosts, byKey } = list;
  const change = changeOf(hosts, endpoints);
  const keys = endpoints.slice(change.from, change.newEnd).map(endpointKey);
  if (byKey === undefined || !standElsewhere(keys, hosts, byKey, change)) {
    return applyChange(list, endpoints, change, keys);
  }
  // The first of two counts, and so all of them are looked at.
  const all = { from: 0, oldEnd: hosts.length, newEnd: endpoints.length };
  return applyChange(list, endpoints, all, endpoints.map(endpointKey));
}

function changeOf(hosts: readonly Host[], endpoints: readonly Endpoint[]): Change {
  const most = Math.min(hosts.length, endpoints.length);
  let from = 0;
  while (from < most && hosts[from]?.state === endpoints[from]) from++;
  let oldEnd = hosts.length;
  let newEnd = endpoints.length;
  while (oldEnd > from && newEnd > from && hosts[oldEnd - 1]?.state === endpoints[newEnd - 1]) {
    oldEnd--;
    newEnd--;
  }
  return { from, oldEnd, newEnd };
}

/** Whether any of the keys is that of a host outside of the change. */
function standElsewhere(
  keys: readonly string[],
  hosts: readonly Host[],
  byKey: ReadonlyMap<string, Host>,
  { from, oldEnd }: Change,
): boolean {
  const inside = new Set(hosts.slice(from, oldEnd).map(({ key }) => key));
  return keys.some((key) => byKey.has(key) && !inside.has(key));
}

function applyChange(
  { hosts, byKey, create, isKept, isSame }: HostList,
  endpoints: readonly Endpoint[],
  { from, oldEnd, newEnd }: Change,
  keys: readonly string[],
): HostUpdate {
  const free = groupByKey(hosts.slice(from, oldEnd));
  const taken = new Set<string>();
  const now = hosts.slice(0, from);
  const added: Host[] = [];
  const left: Host[] = [];
  const take = (key: string, endpoint: Endpoint): Host | undefined => {
    const known = free.get(key)?.shift();
    if (known === undefined || isSame?.(known, endpoint) !== false) return known;
    left.push(known);
    return undefined;
  };
  let isTold = false;
  for (let at = from; at < newEnd; at++) {
    const endpoint = endpoints[at];
    const key = keys[at - from];
    if (endpoint === undefined || key === undefined) break;
    if (byKey !== undefined && taken.has(key)) continue;
    taken.add(key);
    const known = take(key, endpoint);
    const host = known ?? create(endpoint);
    now.push(host);
    if (known === undefined) added.push(host);
    else if (known.state !== endpoint) {
      isTold = true;
      known.state = endpoint;
    }
  }
  const kept: Host[] = [];
  const removed: Host[] = [];
  for (const host of [...left, ...[...free.values()].flat()]) {
    if (isKept?.(host) === true) kept.push(host);
    else removed.push(host);
  }
  for (const host of removed) if (byKey?.get(host.key) === host) byKey.delete(host.key);
  for (const host of added) byKey?.set(host.key, host);
  const isChanged = isTold || added.length > 0 || removed.length > 0;
  // In another order they would be no other hosts.
  return {
    hosts: isChanged ? now.concat(hosts.slice(oldEnd), kept) : hosts,
    added,
    removed,
    isChanged,
  };
}

function groupByKey(hosts: readonly Host[]): Map<string, Host[]> {
  const byKey = new Map<string, Host[]>();
  for (const host of hosts) {
    const same = byKey.get(host.key);
    if (same === undefined) byKey.set(host.key, [host]);
    else same.push(host);
  }
  return byKey;
}
