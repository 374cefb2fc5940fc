import { RecentMap } from "../base/recent-map.ts";
import type { CallingWorkload } from "../model/automatic-scope.ts";
import { CALLED_HOSTS_MAX, type CalledHosts } from "../model/called-hosts.ts";
import type { StoredCalls } from "./called-hosts-file.ts";

/** How long a host is kept that nobody asked for again: a day that is like the others. */
const UNASKED_MS_MAX = 24 * 60 * 60_000;

/** Workloads whose calls are kept; of more, the one that was away for the longest time goes. */
const WORKLOADS_MAX = 5000;

/** What was seen of one workload. */
export interface WorkloadCalls {
  readonly workload: CallingWorkload;
  /** The same value for as long as nothing is added and nothing goes. */
  readonly hosts: CalledHosts;
  /** When each was asked for last, in ms since the epoch. */
  readonly askedAtMs: ReadonlyMap<string, number>;
}

/** What came of noting a host. */
export type Noted = "new" | "known" | "too many";

interface Entry extends WorkloadCalls {
  hosts: CalledHosts;
  readonly askedAtMs: Map<string, number>;
}

/** What workloads were seen to ask for. Knows nothing of proxies, files or timers. */
export class CalledHostsStore {
  readonly #entries = new RecentMap<string, Entry>(WORKLOADS_MAX);

  /** By when they were used last. */
  get workloads(): readonly WorkloadCalls[] {
    return [...this.#entries].map(([, entry]) => entry);
  }

  /** What was seen of a workload, which counts as used. */
  callsOf(workload: CallingWorkload): WorkloadCalls {
    return this.#entryOf(workload);
  }

  /** Notes that a host was asked for. */
  note(workload: CallingWorkload, host: string, nowMs: number): Noted {
    const entry = this.#entryOf(workload);
    const { askedAtMs } = entry;
    const isKnown = askedAtMs.has(host);
    if (!isKnown && askedAtMs.size >= CALLED_HOSTS_MAX) return "too many";
    askedAtMs.set(host, nowMs);
    if (isKnown) return "known";
    entry.hosts = new Set(askedAtMs.keys());
    return "new";
  }

  /** Forgets hosts that were not asked for in a long time; how many. */
  expire(nowMs: number): number {
    let forgotten = 0;
    for (const [key, entry] of this.#entries) {
      const { askedAtMs } = entry;
      const before = askedAtMs.size;
      for (const [host, atMs] of askedAtMs) {
        if (nowMs - atMs > UNASKED_MS_MAX) askedAtMs.delete(host);
      }
      if (askedAtMs.size === before) continue;
      forgotten += before - askedAtMs.size;
      entry.hosts = new Set(askedAtMs.keys());
      if (askedAtMs.size === 0) this.#entries.delete(key);
    }
    return forgotten;
  }

  /** Everything, to be kept. */
  toStored(): readonly StoredCalls[] {
    return this.workloads
      .filter(({ hosts }) => hosts.size > 0)
      .map(({ workload: { namespace, name, selector }, askedAtMs }) => ({
        namespace,
        name,
        selector,
        hosts: Object.fromEntries(askedAtMs),
      }));
  }

  /** Takes over what an earlier run kept, those used last coming last. */
  load(stored: readonly StoredCalls[]): void {
    for (const { hosts, ...workload } of stored) {
      for (const [host, atMs] of Object.entries(hosts)) this.note(workload, host, atMs);
    }
  }

  #entryOf(workload: CallingWorkload): Entry {
    const key = `${workload.namespace}/${workload.name}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = { workload, hosts: new Set(), askedAtMs: new Map() };
    this.#entries.set(key, entry);
    return entry;
  }
}
