import { type CorsPolicy, mergeCorsPolicies } from "../../match/cors-policy.ts";
import type { InheritingOverride } from "../../match/filter-overrides.ts";
import { currentShare, type RuntimeShare } from "../../match/runtime-reader.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { ResponseHead } from "../http/message-head.ts";

/** What a route says to the filter; each level takes from the one below what it leaves open. */
export interface CorsSettings extends InheritingOverride {
  readonly filter: "cors";
  readonly policy: CorsPolicy;
}

export function corsSettings(policy: CorsPolicy): CorsSettings {
  return {
    filter: "cors",
    policy,
    inherit: (less) =>
      isCorsSettings(less)
        ? corsSettings(mergeCorsPolicies(policy, less.policy))
        : corsSettings(policy),
  };
}

function isCorsSettings(settings: object): settings is CorsSettings {
  return "filter" in settings && settings.filter === "cors";
}

/** What the filters of one connection manager count, before they do. */
export const CORS_ZERO = { origin_invalid: 0, origin_valid: 0 };

/**
 * Tells browsers which pages of other origins may use a route, and answers their preflights
 * (WHATWG Fetch, CORS protocol).
 */
export class CorsFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #counters: typeof CORS_ZERO;
  #policy: CorsPolicy | undefined = undefined;
  /** The origin that may read the response; "" when none may. */
  #origin = "";

  constructor(stream: FilterStream, name: string, counters: typeof CORS_ZERO) {
    this.#stream = stream;
    this.#name = name;
    this.#counters = counters;
  }

  onRequestHead(): FilterStatus {
    const policy = this.#findPolicy();
    this.#policy = policy;
    if (policy === undefined) return FILTER.continue;
    // As in Envoy, each question draws anew.
    if (!this.#isEnabled(policy) && !this.#isShadowEnabled(policy)) return FILTER.continue;
    const { headers, method } = this.#stream.head;
    const origin = headers.get("origin") ?? "";
    if (origin === "") return FILTER.continue;
    const isAllowed = allowsOrigin(policy, origin);
    this.#counters[isAllowed ? "origin_valid" : "origin_invalid"]++;
    if (this.#isShadowEnabled(policy) && !this.#isEnabled(policy)) return FILTER.continue;
    if (isAllowed) this.#origin = origin;
    const wanted = headers.get("access-control-request-method") ?? "";
    if (method !== "OPTIONS" || wanted === "") return FILTER.continue;
    if (!isAllowed && policy.forwardsNotMatchingPreflights !== false) return FILTER.continue;
    this.#stream.localReply(this.#preflight(policy, wanted));
    return FILTER.stop;
  }

  onResponseHead({ headers }: ResponseHead): void {
    const policy = this.#policy;
    if (this.#origin === "" || policy === undefined) return;
    headers.set("access-control-allow-origin", this.#origin);
    if (policy.allowsCredentials === true) headers.set("access-control-allow-credentials", "true");
    if (policy.exposeHeaders !== "") {
      headers.set("access-control-expose-headers", policy.exposeHeaders);
    }
  }

  onStreamEnd(): void {
    this.#origin = "";
    this.#policy = undefined;
  }

  /** Only routes to clusters have one. */
  #findPolicy(): CorsPolicy | undefined {
    const { route } = this.#stream;
    if (route?.action.kind !== "cluster") return undefined;
    const given = this.#stream.routeConfig(this.#name);
    return given !== undefined && isCorsSettings(given) ? given.policy : route.cors;
  }

  #isEnabled({ enabled }: CorsPolicy): boolean {
    return enabled === undefined || this.#strikes(enabled);
  }

  #isShadowEnabled({ shadowEnabled }: CorsPolicy): boolean {
    return shadowEnabled !== undefined && this.#strikes(shadowEnabled);
  }

  #strikes(share: RuntimeShare): boolean {
    return this.#stream.context.prng.next() < currentShare(share, this.#stream.runtime);
  }

  /** What is said in every response is added where responses pass. */
  #preflight(policy: CorsPolicy, wantedMethod: string): LocalReply {
    const { headers } = this.#stream.head;
    const said: string[] = [];
    if (policy.allowsCredentials === true) said.push("access-control-allow-credentials", "true");
    const { allowMethods, allowHeaders, maxAge } = policy;
    if (allowMethods !== "") {
      said.push("access-control-allow-methods", allowMethods === "*" ? wantedMethod : allowMethods);
    }
    if (allowHeaders !== "") {
      const wanted = headers.get("access-control-request-headers") ?? "";
      said.push("access-control-allow-headers", allowHeaders === "*" ? wanted : allowHeaders);
    }
    if (maxAge !== "") said.push("access-control-max-age", maxAge);
    const isPrivate = headers.get("access-control-request-private-network") === "true";
    if (policy.allowsPrivateNetwork === true && isPrivate) {
      said.push("access-control-allow-private-network", "true");
    }
    return {
      status: 200,
      body: "",
      flag: "",
      details: "cors_response",
      headers: said,
      isVerbatim: true,
    };
  }
}

function allowsOrigin({ allowsOrigin: predicates }: CorsPolicy, origin: string): boolean {
  for (const matches of predicates) if (matches("*") || matches(origin)) return true;
  return false;
}
