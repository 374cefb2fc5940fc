import { formatHostPort, isIPv6 } from "../../base/ip.ts";
import { CLUSTER_DOMAIN } from "../host.ts";
import type { Service } from "../service.ts";

/** The port that an `http://` URL means when it names none. */
const HTTP_PORT = 80;

/**
 * What a request's `Host` may say to mean a service port, seen from a namespace: the hostname,
 * the shorter forms that its DNS search path allows, and the virtual addresses.
 */
export function serviceDomains(
  service: Service,
  port: number,
  fromNamespace: string,
): readonly string[] {
  const { hostname, name, namespace, addresses } = service;
  const isKube = hostname.endsWith(`.svc.${CLUSTER_DOMAIN}`);
  const short = isKube ? [`${name}.${namespace}.svc`, `${name}.${namespace}`] : [];
  if (isKube && namespace === fromNamespace) short.unshift(name);
  return [hostname, ...short, ...addresses].flatMap((host) => hostDomains(host, port));
}

/** A host with its port, and on port 80 without it too. */
export function hostDomains(host: string, port: number): readonly string[] {
  const withPort = formatHostPort(host, port);
  if (port !== HTTP_PORT) return [withPort];
  return [isIPv6(host) ? `[${host}]` : host, withPort];
}
