import { memoise } from "../../base/memo.ts";
import type { ObjectIssue } from "../origin.ts";
import type { RouteConfiguration, VirtualHost } from "../route.ts";
import type { Scope } from "../scope.ts";
import { bracketed } from "./domain.ts";
import { unknownHosts, unknownHostsOfProxy } from "./unknown-hosts.ts";
import {
  type VirtualHostContext,
  virtualHostOf,
  virtualHostsOfAllPorts,
  virtualHostsOfPort,
} from "./virtual-hosts.ts";

/** A route configuration, and who lost something to another in it. */
export interface BuiltRoutes {
  readonly routes: RouteConfiguration;
  readonly issues: readonly ObjectIssue[];
}

/** The routes that all HTTP listeners of a port share; the port is their name. */
export function portRoutes(
  context: VirtualHostContext,
  scope: Scope,
  { port, isBound }: { readonly port: number; readonly isBound: boolean },
): BuiltRoutes {
  const { virtualHosts, issues } = virtualHostsOfPort(context, port);
  const unknown = isBound ? unknownHostsOfProxy(scope) : unknownHosts(scope);
  const hosts = withCatchAll(sorted(virtualHosts), unknown);
  return { routes: configuration(String(port), true, hosts), issues };
}

/**
 * The routes of a listener that only one service's traffic comes to, so that all of it is the
 * service's, whatever host it says: `host:port`.
 */
export function serviceRoutes(
  context: VirtualHostContext,
  hostname: string,
  port: number,
): BuiltRoutes {
  const own = virtualHostOf(context, port, bracketed(hostname));
  const hosts = own === undefined ? [] : [forAllHosts(own)];
  return { routes: configuration(`${hostname}:${port}`, true, hosts), issues: [] };
}

/** The routes of an explicit proxy, of a listener that says `HTTP_PROXY`, or of a socket file. */
export function proxyRoutes(context: VirtualHostContext, scope: Scope, name: string): BuiltRoutes {
  const { virtualHosts, issues } = virtualHostsOfAllPorts(context);
  const hosts = withCatchAll(sorted(virtualHosts), unknownHostsOfProxy(scope));
  // Domains say their ports: one listener serves the services of all ports.
  return { routes: configuration(name, false, hosts), issues };
}

function sorted(virtualHosts: readonly VirtualHost[]): readonly VirtualHost[] {
  return virtualHosts.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** A virtual host of the user's may have taken everything already. */
function withCatchAll(
  virtualHosts: readonly VirtualHost[],
  catchAll: VirtualHost,
): readonly VirtualHost[] {
  const isAllTaken = virtualHosts.some(({ domains }) => domains.includes("*"));
  return isAllTaken ? virtualHosts : [...virtualHosts, catchAll];
}

const forAllHosts = memoise((host: VirtualHost): VirtualHost => ({ ...host, domains: ["*"] }));

/** The same value for the same virtual hosts, whoever asks. */
function configuration(
  name: string,
  ignoresPort: boolean,
  [first = NOBODY, ...others]: readonly VirtualHost[],
): RouteConfiguration {
  return shared(first, name, ignoresPort, ...others);
}

const NOBODY: VirtualHost = { name: "", domains: [], routes: [] };

const shared = memoise(
  (
    first: VirtualHost,
    name: string,
    ignoresPort: boolean,
    ...others: readonly VirtualHost[]
  ): RouteConfiguration => ({
    name,
    ignoresPort,
    virtualHosts: first === NOBODY ? others : [first, ...others],
  }),
);
