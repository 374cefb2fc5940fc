import { formatHostPort, isIPv6 } from "../../base/ip.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Service } from "../service.ts";
import { isCidr, serviceAddresses } from "./service-address.ts";

/** The port that an `http://` URL means when it names none. */
const HTTP_PORT = 80;

/** What a request's `Host` may say to mean something. */
export interface Domains {
  /** The first is the full hostname. */
  readonly all: readonly string[];
  /** Those that follow from a search path: full names of others go before them. */
  readonly short: ReadonlySet<string>;
}

/**
 * What a `Host` may say to mean a service: its hostname and other names, the shorter forms of each
 * that the client's DNS search path allows, every name below them for the pods of a headless
 * service, and its addresses. Ports are not compared.
 */
export function serviceDomains(service: Service, client: ProxyNode): Domains {
  const short = new Set<string>();
  const names = [service.hostname, ...service.aliases.map(({ hostname }) => hostname)].flatMap(
    (hostname) => {
      const shorter = shortNames(hostname, client.dnsDomain);
      for (const name of shorter) short.add(name);
      return [hostname, ...shorter];
    },
  );
  const pods =
    service.isHeadless && service.registry === "Kubernetes" ? names.map((name) => `*.${name}`) : [];
  const addresses = serviceAddresses(service, client).filter((address) => !isCidr(address));
  return { all: [...names, ...pods, ...addresses.map(bracketed)], short };
}

/** A host as it stands in a `Host` header. */
export function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/**
 * The same for a listener that serves all ports: with the port, and on port 80 without it too.
 */
export function withPort({ all, short }: Domains, port: number): Domains {
  const expand = (domain: string): readonly string[] => {
    const named = `${domain}:${port}`;
    return port === HTTP_PORT ? [domain, named] : [named];
  };
  return { all: all.flatMap(expand), short: new Set([...short].flatMap(expand)) };
}

/** The name of a virtual host. */
export function hostAndPort(host: string, port: number): string {
  return formatHostPort(host, port);
}

const SERVICE_MARK = ".svc.";

/**
 * The shorter forms of a hostname for clients with a DNS search domain such as
 * `default.svc.cluster.local`: `a`, `a.default.svc`, `a.default` inside that namespace, without
 * the first for others. Outside of Kubernetes: what is left without the end that both share, and
 * one part more where that still names two.
 */
export function shortNames(hostname: string, dnsDomain: string): readonly string[] {
  const mark = dnsDomain.indexOf(SERVICE_MARK);
  if (mark < 0) return shortByCommonEnd(hostname, dnsDomain);
  // What merely looks like it might be a short form of something else entirely.
  if (!hostname.endsWith(dnsDomain.slice(mark))) return [];
  const end = hostname.indexOf(SERVICE_MARK);
  const dot = hostname.indexOf(".");
  if (end <= 0 || dot >= end) return [];
  const namespaced = hostname.slice(0, end);
  const isOwn = hostname.slice(dot + 1, end) === dnsDomain.slice(0, mark);
  return isOwn
    ? [hostname.slice(0, dot), `${namespaced}.svc`, namespaced]
    : [namespaced, `${namespaced}.svc`];
}

function shortByCommonEnd(hostname: string, dnsDomain: string): readonly string[] {
  const own = hostname.split(".");
  const domain = dnsDomain.split(".");
  let shared = 0;
  while (
    shared < Math.min(own.length, domain.length) &&
    own[own.length - 1 - shared] === domain[domain.length - 1 - shared]
  ) {
    shared++;
  }
  const unique = own.slice(0, own.length - shared);
  if (shared === 0 || unique.length === 0) return [];
  const name = unique.join(".");
  return unique.length === 2 ? [name, `${name}.${own[own.length - shared]}`] : [name];
}
