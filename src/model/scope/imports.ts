import { memoise } from "../../base/memo.ts";
import { isWithin } from "../host.ts";
import type { Service, ServicePort } from "../service.ts";
import type { HostImport } from "../sidecar.ts";
import type { VirtualService } from "../virtual-service.ts";

/** What a listener imports, for the clients of one namespace. */
export interface ImportTest {
  readonly takesService: (service: Service) => boolean;
  readonly takesVirtualService: (virtualService: VirtualService) => boolean;
  /** Whether another name of a service is among them. */
  readonly takesHost: (host: string, namespace: string) => boolean;
}

/** Reads the imports of an egress listener; `.` is the clients' own namespace, `~` is none. */
export function compileImports(
  imports: readonly HostImport[],
  clientNamespace: string,
): ImportTest {
  const byNamespace = new Map<string, string[]>();
  for (const { namespace, host } of imports) {
    if (namespace === "~") continue;
    const key = namespace === "." ? clientNamespace : namespace;
    byNamespace.set(key, [...(byNamespace.get(key) ?? []), host]);
  }
  const patternsOf = (namespace: string): readonly string[] => [
    ...(byNamespace.get(namespace) ?? []),
    ...(byNamespace.get("*") ?? []),
  ];
  const takesHost = (host: string, namespace: string): boolean =>
    patternsOf(namespace).some((pattern) => isWithin(host, pattern));
  return {
    takesHost,
    takesService: ({ hostname, namespace }) => takesHost(hostname, namespace),
    // A virtual service comes along when one of its hosts overlaps with an import.
    takesVirtualService: ({ hosts, namespace }) =>
      patternsOf(namespace).some((pattern) =>
        hosts.some((host) => isWithin(host, pattern) || isWithin(pattern, host)),
      ),
  };
}

/** A service with some of its ports and of its other names; the service itself when it has all. */
export function trimService(
  service: Service,
  ports: readonly ServicePort[],
  aliases: Service["aliases"] = service.aliases,
): Service {
  if (ports.length === service.ports.length && aliases.length === service.aliases.length) {
    return service;
  }
  const numbers = ports.map(({ number }) => number).join(",");
  return trimmed(service, numbers, aliases.map(({ hostname }) => hostname).join(","));
}

const trimmed = memoise((service: Service, numbers: string, hostnames: string): Service => {
  const kept = new Set(numbers.split(",").map(Number));
  const names = new Set(hostnames.split(","));
  return {
    ...service,
    ports: service.ports.filter(({ number }) => kept.has(number)),
    aliases: service.aliases.filter(({ hostname }) => names.has(hostname)),
  };
});
