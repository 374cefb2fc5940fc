import { memoise } from "../../base/memo.ts";
import { isWildcard } from "../host.ts";
import type { Service } from "../service.ts";
import type { VirtualService } from "../virtual-service.ts";

/**
 * The VirtualServices that may have something to say about services of a port, in their order: those
 * that name one of them, and all that name many hosts at once or may be named by such a service.
 */
export function relatedOf(
  virtualServices: readonly VirtualService[],
  services: ReadonlyMap<string, Service>,
): readonly VirtualService[] {
  // Looking them up by host only pays where the port has few services.
  if (services.size * 4 > virtualServices.length) return virtualServices;
  for (const hostname of services.keys()) if (isWildcard(hostname)) return virtualServices;
  const { byHost, wide } = hostIndex(virtualServices);
  const found = new Set(wide);
  for (const hostname of services.keys()) {
    for (const index of byHost.get(hostname) ?? []) found.add(index);
  }
  return [...found].sort((a, b) => a - b).flatMap((index) => virtualServices[index] ?? []);
}

interface HostIndex {
  /** Places in the list. */
  readonly byHost: ReadonlyMap<string, readonly number[]>;
  /** Places of those with a wildcard. */
  readonly wide: readonly number[];
}

const hostIndex = memoise((virtualServices: readonly VirtualService[]): HostIndex => {
  const byHost = new Map<string, number[]>();
  const wide: number[] = [];
  for (const [index, { hosts }] of virtualServices.entries()) {
    if (hosts.some(isWildcard)) wide.push(index);
    for (const host of hosts) {
      const known = byHost.get(host);
      if (known === undefined) byHost.set(host, [index]);
      else known.push(index);
    }
  }
  return { byHost, wide };
});
