import { memoise } from "../../base/memo.ts";
import { RecentMap } from "../../base/recent-map.ts";
import { type CalledHost, calledHostName } from "../called-hosts.ts";
import { isWildcard } from "../host.ts";
import type { RouteConfiguration, VirtualHost } from "../route.ts";

/**
 * A host that nobody asks for (RFC 2606). Envoy waits with a listener for the first virtual host of
 * its routes, so that each route configuration has this one from the start.
 */
const FIRST_HOST = "first.weft.invalid";

/**
 * Whether the virtual hosts of a route configuration can be looked up on demand: not where one of
 * them takes whatever host there is, as behind a listener that only one service's traffic comes to.
 */
export function isForDemand({ virtualHosts }: RouteConfiguration): boolean {
  return virtualHosts.some(({ domains }) => !domains.includes("*"));
}

/** Route configurations that are kept by name: about as many as there are ports in a mesh. */
const ROUTES_KEPT_MAX = 1000;

/** What is left of a route configuration whose hosts are asked for: the same for the same name. */
interface Demanded {
  readonly routes: RouteConfiguration;
  readonly first: VirtualHost;
}

const demanded = new RecentMap<string, Demanded>(ROUTES_KEPT_MAX);

function demandedOf({ name }: RouteConfiguration): Demanded {
  const known = demanded.get(name);
  if (known !== undefined) return known;
  const made: Demanded = {
    // Each virtual host is for one host as requests say it, its port included.
    routes: { name, virtualHosts: [], ignoresPort: false, isOnDemand: true },
    first: {
      name: calledHostName({ routes: name, host: FIRST_HOST }),
      domains: [FIRST_HOST],
      routes: [],
    },
  };
  demanded.set(name, made);
  return made;
}

/** The same routes without any virtual host: every one is asked for. */
export function onDemandRoutes(routes: RouteConfiguration): RouteConfiguration {
  return demandedOf(routes).routes;
}

/** The virtual host that every route configuration has whose hosts are asked for. */
export function firstVirtualHost(routes: RouteConfiguration): VirtualHost {
  return demandedOf(routes).first;
}

/** The virtual host of all routes that a host would meet, as Envoy finds it. */
export function virtualHostFor(routes: RouteConfiguration, host: string): VirtualHost | undefined {
  const { exact, wildcards, any } = domainsOf(routes);
  const name = routes.ignoresPort ? host.replace(/:\d+$/, "") : host;
  return (
    exact.get(name) ??
    wildcards.find(([suffix]) => name.length > suffix.length && name.endsWith(suffix))?.[1] ??
    any
  );
}

/** For one virtual host: a wildcard's hosts, or those that nobody knows, are as many as apps ask for. */
const CALLED_HOSTS_KEPT_MAX = 1000;

const calledHosts = new WeakMap<VirtualHost, RecentMap<string, VirtualHost>>();

/**
 * That virtual host for one host alone, under the name that it is asked for by: the same value for
 * whoever asks, as long as not too many others are asked for.
 */
export function calledVirtualHost(whole: VirtualHost, called: CalledHost): VirtualHost {
  const kept = calledHosts.get(whole) ?? new RecentMap(CALLED_HOSTS_KEPT_MAX);
  calledHosts.set(whole, kept);
  const name = calledHostName(called);
  const known = kept.get(name);
  if (known !== undefined) return known;
  const { routes, requiresTls } = whole;
  const made: VirtualHost = {
    name,
    domains: [called.host],
    routes,
    ...(requiresTls !== undefined && { requiresTls }),
  };
  kept.set(name, made);
  return made;
}

interface DomainIndex {
  readonly exact: ReadonlyMap<string, VirtualHost>;
  /** What comes after the star, the longest first. */
  readonly wildcards: readonly (readonly [suffix: string, host: VirtualHost])[];
  readonly any: VirtualHost | undefined;
}

const domainsOf = memoise(({ virtualHosts }: RouteConfiguration): DomainIndex => {
  const exact = new Map<string, VirtualHost>();
  const wildcards: [string, VirtualHost][] = [];
  let any: VirtualHost | undefined;
  for (const host of virtualHosts) {
    for (const domain of host.domains) {
      const lower = domain.toLowerCase();
      if (lower === "*") any = host;
      else if (isWildcard(lower)) wildcards.push([lower.slice(1), host]);
      else exact.set(lower, host);
    }
  }
  wildcards.sort(([a], [b]) => b.length - a.length);
  return { exact, wildcards, any };
});
