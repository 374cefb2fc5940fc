import type { PickContext } from "../balance/pick-context.ts";
import type { CachedName, CancelWait, DnsCache } from "../dns-cache/dns-cache.ts";
import type { Cluster } from "./cluster.ts";
import { Host } from "./host.ts";
import { endpointOf } from "./original-dst.ts";

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** The port of a name that has none, at the hosts of a cluster that speaks TLS or not. */
export function defaultPortOf(cluster: Cluster): number {
  return cluster.config.transport?.tls === undefined ? HTTP_PORT : HTTPS_PORT;
}

/**
 * The hosts of a dynamic forward proxy: one for every name that a client wanted to reach, as long as
 * the cache keeps that.
 */
export class DynamicHosts {
  readonly #cluster: Cluster;
  readonly #cache: DnsCache;
  readonly #hosts = new Map<string, Host>();
  readonly #stopObserving: () => void;

  constructor(cluster: Cluster, cache: DnsCache) {
    this.#cluster = cluster;
    this.#cache = cache;
    this.#tellHosts();
    this.#stopObserving = cache.observe({
      onAddresses: (name) => this.#onAddresses(name),
      onForgotten: ({ key }) => {
        if (this.#hosts.delete(key)) this.#onMembership();
      },
    });
  }

  #onAddresses({ key, host, port, addresses: [first, ...others] }: CachedName): void {
    if (first === undefined) return;
    const additionalAddresses = others.map((address) => ({ address, port }));
    const endpoint = { ...endpointOf(first, port), hostname: host, additionalAddresses };
    this.#hosts.set(key, new Host(endpoint, this.#cluster.load));
    this.#onMembership();
  }

  #onMembership(): void {
    this.#cluster.load.membershipChanges++;
    this.#tellHosts();
  }

  #tellHosts(): void {
    this.#cluster.provideHosts([...this.#hosts.values()], this.#pick);
  }

  readonly #pick = (context: PickContext | undefined): Host | undefined => {
    const lookup = this.#load(context);
    return lookup?.status === "ready" ? this.#hosts.get(lookup.name.key) : undefined;
  };

  #load(context: PickContext | undefined): ReturnType<DnsCache["load"]> | undefined {
    const name = context?.requestedName ?? "";
    if (name === "") return undefined;
    return this.#cache.load(name, context?.requestedPort ?? defaultPortOf(this.#cluster));
  }

  /** Waits for the name that a request is for; `undefined` when there is nothing to wait for. */
  await(context: PickContext, onReady: () => void): CancelWait | undefined {
    const lookup = this.#load(context);
    return lookup?.status === "pending" ? lookup.wait(onReady) : undefined;
  }

  close(): void {
    this.#stopObserving();
  }
}
