import { memoise } from "../../base/memo.ts";
import { compareHosts, isWildcard, isWithin } from "../host.ts";
import type { Service } from "../service.ts";
import type { VirtualService } from "../virtual-service.ts";

/** Which VirtualService routes a host. */
export interface HostOwners {
  /** The one of a service: the oldest that names it, else that with the narrowest wildcard. */
  ownerOf(hostname: string): VirtualService | undefined;
}

/** Those of a listener; `virtualServices` come oldest first. */
export const hostOwners = memoise((virtualServices: readonly VirtualService[]): HostOwners => {
  const exact = new Map<string, VirtualService>();
  const wildcards = new Map<string, VirtualService>();
  for (const virtualService of virtualServices) {
    for (const host of virtualService.hosts) {
      const owners = isWildcard(host) ? wildcards : exact;
      if (!owners.has(host)) owners.set(host, virtualService);
    }
  }
  const narrowestFirst = [...wildcards].sort(([a], [b]) => compareHosts(a, b));
  return {
    ownerOf: (hostname) =>
      exact.get(hostname) ?? narrowestFirst.find(([pattern]) => isWithin(hostname, pattern))?.[1],
  };
});

/** What the hosts of one VirtualService are, among the services of a port. */
export interface HostShare {
  /** Services that it routes. */
  readonly services: readonly Service[];
  /** Hosts that are no service of the port. */
  readonly foreign: readonly string[];
  /** Whether any host has to do with any service of the port. */
  readonly isRelated: boolean;
}

/** The services of one port. */
export interface PortServices {
  get(host: string): Service | undefined;
  /** All, by hostname. */
  whole(): ReadonlyMap<string, Service>;
  /** Hostnames that stand for many. */
  readonly wildcards: readonly string[];
}

/** Divides the hosts of a VirtualService. */
export function shareOf(
  virtualService: VirtualService,
  services: PortServices,
  isOwner: (hostname: string, virtualService: VirtualService) => boolean,
): HostShare {
  const own = new Map<string, Service>();
  const foreign: string[] = [];
  let isRelated = false;
  for (const host of virtualService.hosts) {
    const named = services.get(host);
    if (named !== undefined) {
      own.set(host, named);
      isRelated = true;
    } else if (!isWildcard(host)) {
      foreign.push(host);
      isRelated ||= services.wildcards.some((wildcard) => isWithin(host, wildcard));
    } else {
      const within = [...services.whole()].filter(([hostname]) => isWithin(hostname, host));
      for (const [hostname, service] of within) {
        if (isOwner(hostname, virtualService)) own.set(hostname, service);
      }
      if (within.length === 0) foreign.push(host);
      isRelated ||=
        within.length > 0 || services.wildcards.some((wildcard) => isWithin(host, wildcard));
    }
  }
  return { services: [...own.values()], foreign, isRelated };
}
