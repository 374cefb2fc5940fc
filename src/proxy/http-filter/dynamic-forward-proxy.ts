import { defaultPortOf } from "../cluster/dynamic-hosts.ts";
import type { CachedName, CancelWait, DnsCache } from "../dns-cache/dns-cache.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";

/** Which host a route wants to be looked up in place of the request's own. */
export interface ForwardSettings {
  readonly filter: "dynamic_forward_proxy";
  /** "" for none. */
  readonly literal: string;
  /** A header that says it, in lower case; "" for none. */
  readonly header: string;
}

const RESOLUTION_FAILURE: LocalReply = {
  status: 503,
  body: "DNS resolution failure",
  flag: "DF",
  details: "dns_resolution_failure",
};
const OVERFLOW: Readonly<Record<"hosts" | "pending", LocalReply>> = {
  hosts: { status: 503, body: "DNS cache overflow", flag: "", details: "dns_cache_overflow" },
  pending: {
    status: 503,
    body: "Dynamic forward proxy pending request overflow",
    flag: "",
    details: "dynamic_forward_proxy_pending_request_overflow",
  },
};

/**
 * Looks up the host of a request that goes to a dynamic forward proxy cluster, and holds it until
 * that is known; requests to other clusters pass.
 */
export class DynamicForwardProxyFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #cache: DnsCache;
  #cancel: CancelWait | undefined = undefined;

  constructor(stream: FilterStream, name: string, cache: DnsCache) {
    this.#stream = stream;
    this.#name = name;
    this.#cache = cache;
  }

  onRequestHead(): FilterStatus {
    const { choice, context, head } = this.#stream;
    const cluster = choice && context.findCluster(choice.name);
    if (cluster?.config.type !== "DYNAMIC_FORWARD_PROXY") return FILTER.continue;
    this.#rewriteHost();
    const lookup = this.#cache.load(head.authority, defaultPortOf(cluster));
    switch (lookup.status) {
      case "ready":
        return this.#judge(lookup.name);
      case "overflow":
        this.#stream.localReply(OVERFLOW[lookup.of]);
        return FILTER.stop;
      case "pending":
        this.#cancel = lookup.wait((name) => {
          this.#cancel = undefined;
          if (this.#judge(name) === FILTER.continue) this.#stream.continueRequest();
        });
        return FILTER.stop;
    }
  }

  #rewriteHost(): void {
    const { head } = this.#stream;
    const settings = this.#stream.routeConfig(this.#name) as ForwardSettings | undefined;
    if (settings?.filter !== "dynamic_forward_proxy") return;
    if (settings.literal !== "") head.authority = settings.literal;
    const value = settings.header === "" ? undefined : head.headers.first(settings.header);
    if (value !== undefined) head.authority = value;
  }

  #judge({ addresses }: CachedName): FilterStatus {
    if (addresses.length > 0) return FILTER.continue;
    this.#stream.localReply(RESOLUTION_FAILURE);
    return FILTER.stop;
  }

  onStreamEnd(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
