import type { Clock } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { DnsCacheConfig, DnsConfig } from "../cluster/cluster-config.ts";
import type { NameResolver } from "../cluster/name-resolver.ts";
import type { CounterGroups } from "../counters.ts";
import { DNS_CACHE_ZERO, DnsCache } from "./dns-cache.ts";

/** What all caches of a proxy are made with. */
interface DnsCachesDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly counters: CounterGroups;
  readonly createResolver: (config: DnsConfig) => NameResolver;
}

/**
 * The DNS caches of one proxy. A filter and a cluster that say the same of a cache have the same
 * one, which is how the cluster knows the names that the filter has waited for.
 */
export class DnsCaches {
  readonly #deps: DnsCachesDeps;
  readonly #caches = new Map<string, DnsCache>();

  constructor(deps: DnsCachesDeps) {
    this.#deps = deps;
  }

  /** The cache of that configuration, made when it is first asked for. */
  get(config: DnsCacheConfig): DnsCache {
    const key = JSON.stringify(config);
    const known = this.#caches.get(key);
    if (known !== undefined) return known;
    const { clock, prng, counters, createResolver } = this.#deps;
    const cache = new DnsCache(config, {
      clock,
      prng,
      resolver: createResolver(config.dns),
      counters: counters.get(`dns_cache.${config.name}`, DNS_CACHE_ZERO),
    });
    this.#caches.set(key, cache);
    return cache;
  }

  close(): void {
    for (const cache of this.#caches.values()) cache.close();
    this.#caches.clear();
  }
}
