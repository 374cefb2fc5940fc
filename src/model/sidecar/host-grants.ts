import { memoise } from "../../base/memo.ts";
import { formatKey } from "../../config/object.ts";
import type { ObjectIssue, Origin } from "../origin.ts";
import type { Route, VirtualHost } from "../route.ts";
import type { Service } from "../service.ts";
import type { Domains } from "./domain.ts";

/** Who wants which names, before it is known which of them it gets. */
export interface Claim {
  readonly host: string;
  /** Absent where no service of the port has the host. */
  readonly service: Service | undefined;
  /** Whether a VirtualService names it and no service of the port has it. */
  readonly isForeign: boolean;
  /** Of the virtual host. */
  readonly name: string;
  readonly domains: Domains;
  readonly origin: Origin;
}

/** One virtual host in the making. */
export interface Wish {
  readonly claim: Claim;
  readonly routes: readonly Route[];
}

/** Virtual hosts by name, and whose domains others have. */
export interface VirtualHosts {
  /** Sorted by name. */
  readonly virtualHosts: readonly VirtualHost[];
  readonly issues: readonly ObjectIssue[];
}

/** Who got what. */
interface Decision {
  /** Of each claim that got something, in the order of their names: its place, and its domains. */
  readonly granted: readonly (readonly [index: number, domains: readonly string[]])[];
  readonly issues: readonly ObjectIssue[];
}

/**
 * Gives domains to those who want them, again and again. Who gets what depends on the claims alone,
 * so that routes which change cost nothing but their own virtual hosts.
 */
export class HostGrants {
  #wishes: readonly Wish[] = [];
  #decision: Decision = { granted: [], issues: [] };
  /** Beside `granted`. */
  #virtualHosts: readonly VirtualHost[] = [];
  #last: VirtualHosts = { virtualHosts: [], issues: [] };

  grant(wishes: readonly Wish[]): VirtualHosts {
    const before = this.#wishes;
    const isDecided =
      before.length === wishes.length &&
      wishes.every(({ claim }, index) => isSameClaim(claim, before[index]?.claim));
    if (!isDecided) this.#decision = decide(wishes);
    const { granted, issues } = this.#decision;
    const virtualHosts = granted.map(([index, domains], place) => {
      const wish = wishes[index] as Wish;
      const known = this.#virtualHosts[place];
      if (isDecided && known !== undefined && before[index]?.routes === wish.routes) return known;
      return virtualHost(wish.routes, wish.claim.name, domains.join(" "));
    });
    const isSame =
      isDecided && virtualHosts.every((host, place) => host === this.#virtualHosts[place]);
    this.#wishes = wishes;
    this.#virtualHosts = virtualHosts;
    if (!isSame) this.#last = { virtualHosts, issues };
    return this.#last;
  }
}

function isSameClaim(claim: Claim, other: Claim | undefined): boolean {
  if (claim === other) return true;
  return (
    other !== undefined &&
    claim.name === other.name &&
    claim.isForeign === other.isForeign &&
    claim.origin.path === other.origin.path &&
    formatKey(claim.origin.key) === formatKey(other.origin.key) &&
    claim.domains.all.join(" ") === other.domains.all.join(" ") &&
    [...claim.domains.short].join(" ") === [...other.domains.short].join(" ")
  );
}

/**
 * A proxy refuses all virtual hosts when two have a name or a domain in common, so the first that
 * asks gets it; but the full name of a service is nobody's short form.
 */
function decide(wishes: readonly Wish[]): Decision {
  const claims = wishes.map(({ claim }) => claim);
  const fullNames = new Set(claims.flatMap(({ name, domains }) => [name, domains.all[0] ?? name]));
  const names = new Set<string>();
  const owners = new Map<string, Claim>();
  const granted: (readonly [number, readonly string[]])[] = [];
  const issues: ObjectIssue[] = [];
  for (const [index, claim] of claims.entries()) {
    const { name, domains } = claim;
    if (names.has(name)) continue;
    names.add(name);
    const own = domains.all.filter((domain) => {
      const lower = domain.toLowerCase();
      const owner = owners.get(lower);
      if (owner === undefined) {
        if (domains.short.has(domain) && fullNames.has(domain)) return false;
        owners.set(lower, claim);
        return true;
      }
      if (owner !== claim && isWorthAWord(claim, owner)) {
        issues.push(lostDomain(claim, owner, domain));
      }
      return false;
    });
    if (own.length > 0) granted.push([index, own]);
  }
  const nameAt = ([index]: readonly [number, readonly string[]]): string =>
    claims[index]?.name ?? "";
  return { granted: granted.sort((a, b) => (nameAt(a) < nameAt(b) ? -1 : 1)), issues };
}

/** Hosts of one object may share its addresses, and a host may be routed by another's words. */
function isWorthAWord(claim: Claim, owner: Claim): boolean {
  return (
    formatKey(claim.origin.key) !== formatKey(owner.origin.key) &&
    claim.origin.key.kind !== "VirtualService" &&
    owner.origin.key.kind !== "VirtualService"
  );
}

function lostDomain({ origin }: Claim, owner: Claim, domain: string): ObjectIssue {
  const message =
    `requests to "${domain}" go to ${formatKey(owner.origin.key)} (${owner.name}), ` +
    "which has that name or address too";
  return { object: origin.key, issue: { path: origin.path, message, severity: "warning" } };
}

const virtualHost = memoise(
  (routes: readonly Route[], name: string, domains: string): VirtualHost => ({
    name,
    domains: domains.split(" "),
    routes,
  }),
);
