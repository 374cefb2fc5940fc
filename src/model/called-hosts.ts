/**
 * Hosts that a workload was seen to ask for, each as the virtual host that its proxies look up on
 * demand: `route configuration/host`, where `host` is what requests say, in lower case and with the
 * port where they say one. The same value for as long as nothing is added and nothing goes.
 */
export type CalledHosts = ReadonlySet<string>;

/** The most hosts that are kept of one workload, those among them that are no service. */
export const CALLED_HOSTS_MAX = 500;

/** A virtual host that is looked up on demand. */
export interface CalledHost {
  /** The name of the route configuration. */
  readonly routes: string;
  readonly host: string;
}

/** As long as a DNS name, a port and the brackets of an address allow. */
const HOST_CHARS_MAX = 270;
/** What a `Host` may hold (RFC 9110, 7.2), and what names of services are made of. */
const HOST = /^[a-z0-9._~:[\]-]+$/;

/**
 * Reads the name of a virtual host that is looked up on demand; `undefined` when it is none, as
 * when an app makes a host up that no name can be. Names of route configurations hold no slash.
 */
export function parseCalledHost(name: string): CalledHost | undefined {
  const slash = name.indexOf("/");
  const host = name.slice(slash + 1);
  if (slash < 1 || host.length > HOST_CHARS_MAX || !HOST.test(host)) return undefined;
  return { routes: name.slice(0, slash), host };
}

/** The name under which a proxy asks for a host of a route configuration. */
export function calledHostName({ routes, host }: CalledHost): string {
  return `${routes}/${host}`;
}
