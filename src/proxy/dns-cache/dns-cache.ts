import type { Clock, Timer } from "../../base/clock.ts";
import { formatHostPort, isIPv4, isIPv6, parseHostPort } from "../../base/ip.ts";
import type { Prng } from "../../base/prng.ts";
import type { DnsCacheConfig } from "../cluster/cluster-config.ts";
import type { NameResolver, ResolvedAddress } from "../cluster/name-resolver.ts";

/** What a cache needs from outside. */
export interface DnsCacheDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly resolver: NameResolver;
  readonly counters: DnsCacheCounters;
}

/** What a cache counts, under `dns_cache.<name>`. */
export const DNS_CACHE_ZERO = {
  dns_query_attempt: 0,
  dns_query_failure: 0,
  dns_query_success: 0,
  dns_query_timeout: 0,
  dns_rq_pending_overflow: 0,
  host_added: 0,
  host_address_changed: 0,
  host_overflow: 0,
  host_removed: 0,
  num_hosts: 0,
};
export type DnsCacheCounters = typeof DNS_CACHE_ZERO;

/** A name with a port, and what it means now. */
export interface CachedName {
  /** `host:port`. */
  readonly key: string;
  readonly host: string;
  readonly port: number;
  /** None where there are none, or nobody could say so far. */
  readonly addresses: readonly string[];
}

/** What is known of a name at once, or will be. */
export type Lookup =
  | { readonly status: "ready"; readonly name: CachedName }
  | { readonly status: "pending"; wait(onReady: (name: CachedName) => void): CancelWait }
  /** There is no room: for another name, or for another who waits. */
  | { readonly status: "overflow"; readonly of: "hosts" | "pending" };

/** Stops waiting. */
export type CancelWait = () => void;

/** Follows what names mean. */
export interface NameObserver {
  /** It has addresses, for the first time or other ones than before. */
  onAddresses(name: CachedName): void;
  onForgotten(name: CachedName): void;
}

interface Entry extends CachedName {
  addresses: readonly string[];
  /** Whether somebody was asked and answered, or failed to. */
  isKnown: boolean;
  usedMs: number;
  backOffMs: number;
  timer: Timer | undefined;
  readonly waiting: Set<(name: CachedName) => void>;
}

/** Resolves names as they are asked for, and keeps them fresh while they are. */
export class DnsCache {
  readonly config: DnsCacheConfig;
  readonly #deps: DnsCacheDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #observers = new Set<NameObserver>();
  #pending = 0;
  #isClosed = false;

  constructor(config: DnsCacheConfig, deps: DnsCacheDeps) {
    this.config = config;
    this.#deps = deps;
    for (const { host, port } of config.preresolved) this.#add(host, port);
  }

  /** Tells of every name that has addresses now, and of what happens to them. */
  observe(observer: NameObserver): () => void {
    this.#observers.add(observer);
    for (const entry of this.#entries.values()) {
      if (entry.addresses.length > 0) observer.onAddresses(entry);
    }
    return () => this.#observers.delete(observer);
  }

  /** Looks a name up; `authority` may have a port of its own. */
  load(authority: string, defaultPort: number): Lookup {
    const { host, port } = placeOf(authority, defaultPort);
    const { config, counters } = { config: this.config, counters: this.#deps.counters };
    const known = this.#entries.get(formatHostPort(host, port));
    if (known?.isKnown === true) {
      known.usedMs = this.#deps.clock.monotonicMs();
      return { status: "ready", name: known };
    }
    if (this.#pending >= config.pendingMax) {
      counters.dns_rq_pending_overflow++;
      return { status: "overflow", of: "pending" };
    }
    if (known === undefined && this.#entries.size >= config.hostsMax) {
      counters.host_overflow++;
      return { status: "overflow", of: "hosts" };
    }
    const entry = known ?? this.#add(host, port);
    if (entry.isKnown) return { status: "ready", name: entry };
    return { status: "pending", wait: (onReady) => this.#wait(entry, onReady) };
  }

  #wait(entry: Entry, onReady: (name: CachedName) => void): CancelWait {
    this.#pending++;
    const waiter = (name: CachedName): void => {
      this.#pending--;
      onReady(name);
    };
    entry.waiting.add(waiter);
    return () => {
      if (entry.waiting.delete(waiter)) this.#pending--;
    };
  }

  #add(host: string, port: number): Entry {
    const isAddress = isIPv4(host) || isIPv6(host);
    const entry: Entry = {
      key: formatHostPort(host, port),
      host,
      port,
      addresses: isAddress ? [host] : [],
      isKnown: isAddress,
      usedMs: this.#deps.clock.monotonicMs(),
      backOffMs: 0,
      timer: undefined,
      waiting: new Set(),
    };
    this.#entries.set(entry.key, entry);
    const { counters } = this.#deps;
    counters.host_added++;
    counters.num_hosts++;
    if (isAddress) {
      this.#tell(entry);
      this.#setTimer(entry, this.config.dns.refreshMs);
    } else void this.#resolve(entry);
    return entry;
  }

  async #resolve(entry: Entry): Promise<void> {
    const { counters } = this.#deps;
    counters.dns_query_attempt++;
    const found = await this.#ask(entry.host);
    if (this.#isClosed) return;
    if (found === undefined) counters.dns_query_failure++;
    else counters.dns_query_success++;
    if (found !== undefined && found.length > 0) this.#take(entry, found);
    entry.isKnown = true;
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    this.#setTimer(entry, this.#againMs(entry, found));
    for (const onReady of waiting) onReady(entry);
  }

  /** The addresses, or `undefined` where nobody says any in time. */
  #ask(host: string): Promise<readonly ResolvedAddress[] | undefined> {
    const { clock, resolver, counters } = this.#deps;
    const { queryTimeoutMs } = this.config;
    return new Promise((resolve) => {
      const timer =
        queryTimeoutMs === 0
          ? undefined
          : clock.setTimer(queryTimeoutMs, () => {
              counters.dns_query_timeout++;
              resolve(undefined);
            });
      const done = (found: readonly ResolvedAddress[] | undefined): void => {
        timer?.cancel();
        resolve(found);
      };
      resolver.resolve(host).then(done, () => done(undefined));
    });
  }

  /** Without an answer the addresses that were known before stay. */
  #take(entry: Entry, found: readonly ResolvedAddress[]): void {
    const addresses = [...new Set(found.map(({ address }) => address))];
    const before = entry.addresses;
    if (before.length === addresses.length && addresses.every((one) => before.includes(one))) {
      return;
    }
    this.#deps.counters.host_address_changed++;
    entry.addresses = addresses;
    this.#tell(entry);
  }

  #tell(entry: Entry): void {
    for (const observer of this.#observers) observer.onAddresses(entry);
  }

  #againMs(entry: Entry, found: readonly ResolvedAddress[] | undefined): number {
    const { dns, refreshMsMin } = this.config;
    const [first] = found ?? [];
    if (first !== undefined) {
      entry.backOffMs = 0;
      return Math.max(refreshMsMin, first.ttlS === 0 ? dns.refreshMs : first.ttlS * 1000);
    }
    const { failureRefresh } = dns;
    if (failureRefresh === undefined) return dns.refreshMs;
    const windowMs = entry.backOffMs === 0 ? failureRefresh.baseMs : entry.backOffMs;
    entry.backOffMs = Math.min(windowMs * 2, failureRefresh.maxMs);
    return Math.max(1, windowMs * this.#deps.prng.next());
  }

  #setTimer(entry: Entry, delayMs: number): void {
    entry.timer = this.#deps.clock.setTimer(delayMs, () => this.#refresh(entry));
  }

  #refresh(entry: Entry): void {
    const { clock, counters } = this.#deps;
    if (clock.monotonicMs() - entry.usedMs <= this.config.hostTtlMs) {
      // An address means itself for ever.
      if (entry.addresses[0] === entry.host) this.#setTimer(entry, this.config.dns.refreshMs);
      else void this.#resolve(entry);
      return;
    }
    this.#entries.delete(entry.key);
    counters.host_removed++;
    counters.num_hosts--;
    for (const observer of this.#observers) observer.onForgotten(entry);
  }

  close(): void {
    this.#isClosed = true;
    this.#deps.resolver.close();
    for (const { timer } of this.#entries.values()) timer?.cancel();
    this.#entries.clear();
  }
}

function placeOf(authority: string, defaultPort: number): { host: string; port: number } {
  const parsed = parseHostPort(authority);
  return { host: parsed?.host ?? authority, port: parsed?.port ?? defaultPort };
}
