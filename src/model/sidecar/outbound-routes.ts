import { isSameList } from "../../base/cells.ts";
import { memoise } from "../../base/memo.ts";
import type { ObjectIssue } from "../origin.ts";
import type { RouteConfiguration, VirtualHost } from "../route.ts";
import { bracketed } from "./domain.ts";
import { type UnknownPolicy, unknownHosts, unknownHostsOfProxy } from "./unknown-hosts.ts";
import type { VirtualHostCells } from "./virtual-hosts.ts";

/** A route configuration, and who lost something to another in it. */
export interface BuiltRoutes {
  readonly routes: RouteConfiguration;
  readonly issues: readonly ObjectIssue[];
}

/** The routes that all HTTP listeners of a port share; the port is their name. */
export function portRoutes(
  hosts: VirtualHostCells,
  scope: UnknownPolicy,
  { port, isBound }: { readonly port: number; readonly isBound: boolean },
): BuiltRoutes {
  const { virtualHosts, issues } = hosts.ofPort(port);
  const unknown = isBound ? unknownHostsOfProxy(scope) : unknownHosts(scope);
  return {
    routes: { name: String(port), ignoresPort: true, ...withCatchAll(virtualHosts, unknown) },
    issues,
  };
}

/**
 * The routes of a listener that only one service's traffic comes to, so that all of it is the
 * service's, whatever host it says: `host:port`.
 */
export function serviceRoutes(
  hosts: VirtualHostCells,
  hostname: string,
  port: number,
): BuiltRoutes {
  const own = hosts.withDomain(port, bracketed(hostname));
  const virtualHosts = own === undefined ? [] : [forAllHosts(own)];
  return {
    routes: { name: `${hostname}:${port}`, ignoresPort: true, virtualHosts },
    issues: [],
  };
}

/** The routes of an explicit proxy, of a listener that says `HTTP_PROXY`, or of a socket file. */
export function proxyRoutes(
  hosts: VirtualHostCells,
  scope: UnknownPolicy,
  name: string,
): BuiltRoutes {
  const { virtualHosts, issues } = hosts.ofAllPorts();
  // Domains say their ports: one listener serves the services of all ports.
  return {
    routes: {
      name,
      ignoresPort: false,
      ...withCatchAll(virtualHosts, unknownHostsOfProxy(scope)),
    },
    issues,
  };
}

/** Whether two are the same to a proxy. */
export function isSameRoutes(last: BuiltRoutes, next: BuiltRoutes): boolean {
  return (
    last.issues === next.issues &&
    last.routes.ignoresPort === next.routes.ignoresPort &&
    isSameList(last.routes.virtualHosts, next.routes.virtualHosts)
  );
}

/** A virtual host of the user's may have taken everything already. */
function withCatchAll(
  virtualHosts: readonly VirtualHost[],
  catchAll: VirtualHost,
): Pick<RouteConfiguration, "virtualHosts"> {
  const isAllTaken = virtualHosts.some(({ domains }) => domains.includes("*"));
  return { virtualHosts: isAllTaken ? virtualHosts : [...virtualHosts, catchAll] };
}

const forAllHosts = memoise((host: VirtualHost): VirtualHost => ({ ...host, domains: ["*"] }));
