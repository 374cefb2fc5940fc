import type { RbacEngine, RbacVerdict } from "../../match/rbac.ts";
import type { Counters } from "../counters.ts";
import {
  type DynamicMetadata,
  FILTER,
  type FilterScope,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";

/** What the filter, or a route, says about who may do what; decoded and checked. */
export interface RbacSettings {
  readonly filter: "rbac";
  /** `undefined`: everybody may do everything. */
  readonly rules: RbacEngine | undefined;
  /** Asked and counted, but not heeded. */
  readonly shadowRules: RbacEngine | undefined;
  /** What the names of metadata begin with. */
  readonly rulesPrefix: string;
  readonly shadowPrefix: string;
  /** Whether each policy has counters of its own. */
  readonly countsPolicies: boolean;
}

/** What the filters of one connection manager count. */
export class RbacStats {
  readonly #scope: FilterScope;
  readonly #rulesPrefix: string;
  readonly #shadowPrefix: string;
  readonly rules: { allowed: number; denied: number };
  readonly shadow: { shadow_allowed: number; shadow_denied: number };
  readonly #policies = new Map<string, Counters>();

  constructor(scope: FilterScope, own: RbacSettings) {
    const { counters } = scope.context;
    this.#scope = scope;
    this.#rulesPrefix = joinName(`${scope.statPrefix}.rbac`, own.rulesPrefix);
    this.#shadowPrefix = joinName(`${scope.statPrefix}.rbac`, own.shadowPrefix);
    this.rules = counters.get(this.#rulesPrefix, { allowed: 0, denied: 0 });
    this.shadow = counters.get(this.#shadowPrefix, { shadow_allowed: 0, shadow_denied: 0 });
  }

  countPolicy({ policy, isAllowed }: RbacVerdict, isShadow: boolean): void {
    if (policy === "") return;
    const name = `${isShadow ? this.#shadowPrefix : this.#rulesPrefix}.policy.${policy}`;
    let counters = this.#policies.get(name);
    if (counters === undefined) {
      counters = this.#scope.context.counters.get(name, {});
      this.#policies.set(name, counters);
    }
    const result = `${isShadow ? "shadow_" : ""}${isAllowed ? "allowed" : "denied"}`;
    counters[result] = (counters[result] ?? 0) + 1;
  }
}

/** A dot between the two, unless the second is empty or has its own at the end. */
function joinName(prefix: string, more: string): string {
  return more === "" ? prefix : `${prefix}.${more.replace(/\.$/, "")}`;
}

/** Lets pass who is allowed to, and says so of everybody else (role based access control). */
export class RbacFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #own: RbacSettings;
  readonly #stats: RbacStats;
  #settings: RbacSettings;
  #verdict: RbacVerdict | undefined = undefined;
  #shadowVerdict: RbacVerdict | undefined = undefined;

  constructor(stream: FilterStream, name: string, own: RbacSettings, stats: RbacStats) {
    this.#stream = stream;
    this.#name = name;
    this.#own = own;
    this.#settings = own;
    this.#stats = stats;
  }

  onRequestHead(): FilterStatus {
    const given = this.#stream.routeConfig(this.#name);
    const settings = given !== undefined && isRbacSettings(given) ? given : this.#own;
    this.#settings = settings;
    this.#shadowVerdict = undefined;
    this.#verdict = undefined;
    if (settings.shadowRules !== undefined) this.#askShadow(settings, settings.shadowRules);
    if (settings.rules === undefined) return FILTER.continue;
    const verdict = settings.rules.decide(this.#stream);
    this.#verdict = verdict;
    if (settings.countsPolicies) this.#stats.countPolicy(verdict, false);
    if (verdict.isAllowed) {
      this.#stats.rules.allowed++;
      return FILTER.continue;
    }
    this.#stats.rules.denied++;
    this.#stream.localReply(denied(verdict));
    return FILTER.stop;
  }

  #askShadow(settings: RbacSettings, rules: RbacEngine): void {
    const verdict = rules.decide(this.#stream);
    this.#shadowVerdict = verdict;
    this.#stats.shadow[verdict.isAllowed ? "shadow_allowed" : "shadow_denied"]++;
    if (settings.countsPolicies) this.#stats.countPolicy(verdict, true);
  }

  dynamicMetadata(namespace: string): DynamicMetadata | undefined {
    if (namespace === "envoy.filters.http.rbac") return this.#results();
    if (namespace !== "envoy.common" || this.#settings.rules?.action !== "LOG") return undefined;
    return { access_log_hint: this.#verdict?.policy !== "" };
  }

  #results(): DynamicMetadata | undefined {
    if (this.#verdict === undefined && this.#shadowVerdict === undefined) return undefined;
    const results: Record<string, string> = {};
    // A route without a prefix of its own has the filter's.
    const rulesPrefix = this.#settings.rulesPrefix || this.#own.rulesPrefix;
    const shadowPrefix = this.#settings.shadowPrefix || this.#own.shadowPrefix;
    addResult(results, `${rulesPrefix}enforced`, this.#verdict);
    addResult(results, `${shadowPrefix}shadow`, this.#shadowVerdict);
    return results;
  }
}

function isRbacSettings(settings: object): settings is RbacSettings {
  return "filter" in settings && settings.filter === "rbac";
}

function addResult(
  results: Record<string, string>,
  prefix: string,
  verdict: RbacVerdict | undefined,
): void {
  if (verdict === undefined) return;
  const { policy, isAllowed } = verdict;
  if (policy !== "") results[`${prefix}_effective_policy_id`] = policy;
  results[`${prefix}_engine_result`] = isAllowed ? "allowed" : "denied";
}

function denied({ policy }: RbacVerdict): LocalReply {
  const name = (policy === "" ? "none" : policy).replace(/\s/g, "_");
  return {
    status: 403,
    body: "RBAC: access denied",
    flag: "",
    details: `rbac_access_denied_matched_policy[${name}]`,
  };
}
