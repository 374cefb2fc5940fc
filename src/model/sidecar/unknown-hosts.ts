/** What becomes of traffic for hosts and addresses that the proxy does not know. */
import { memoise } from "../../base/memo.ts";
import { ALLOW_ANY_DYNAMIC_DNS, BLACK_HOLE, clusterName, PASSTHROUGH } from "../cluster.ts";
import type { TcpChain } from "../listener.ts";
import { MESH_CONFIG_MAP } from "../mesh-config.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { NO_OPERATIONS, NO_REWRITE, type RouteAction, type VirtualHost } from "../route.ts";
import { MATCH_ALL } from "../route-match.ts";
import { plainTcpChain } from "../routing/tcp-chain.ts";
import type { Scope } from "../scope.ts";
import type { Sidecar } from "../sidecar.ts";

/** What decides over unknown hosts: nothing that changes with services and routes. */
export type UnknownPolicy = Pick<Scope, "settings" | "sidecar" | "outboundMode" | "egressProxy">;

/** Names of virtual hosts, and of their only routes (Istio's). */
const ALLOW_ANY = "allow_any";
const BLOCK_ALL = "block_all";

/** Connections that are no HTTP, or that no listener is for. */
export function unknownTcp(scope: UnknownPolicy): TcpChain {
  return plainTcpChain(egressCluster(scope));
}

/** Connections that nothing may come of. */
export const CLOSED_TCP: TcpChain = plainTcpChain(BLACK_HOLE);

/**
 * Connections to a listener's own address that no service is for: there is no other address that
 * they meant, and passed on to their own they would come back for ever.
 */
export function closedTcp(scope: UnknownPolicy): TcpChain {
  const cluster = egressCluster(scope);
  return cluster === PASSTHROUGH ? CLOSED_TCP : plainTcpChain(cluster);
}

/** Requests that were captured on their way to an address. */
export function unknownHosts(scope: UnknownPolicy): VirtualHost {
  switch (scope.outboundMode) {
    case "REGISTRY_ONLY":
      return BLOCKED;
    case "ALLOW_ANY":
      return allowed(scope.settings, scope.sidecar, egressCluster(scope));
    case "ALLOW_ANY_DYNAMIC_DNS":
      return allowed(scope.settings, scope.sidecar, ALLOW_ANY_DYNAMIC_DNS);
  }
}

/**
 * Requests to an explicit proxy. They were on their way to the proxy itself, so that there is no
 * other address to pass them on to: without a name to look up, nothing can be done with them.
 */
export function unknownHostsOfProxy(scope: UnknownPolicy): VirtualHost {
  const isPassedOn = scope.outboundMode === "ALLOW_ANY" && scope.egressProxy === undefined;
  return isPassedOn ? BLOCKED : unknownHosts(scope);
}

/** Whether a virtual host is for hosts that the proxy does not know. */
export function isForUnknownHosts({ name }: VirtualHost): boolean {
  // Those of services and of rules have a port in their names.
  return name === ALLOW_ANY || name === BLOCK_ALL;
}

function egressCluster({ outboundMode, egressProxy }: UnknownPolicy): string {
  if (outboundMode === "REGISTRY_ONLY") return BLACK_HOLE;
  if (outboundMode === "ALLOW_ANY_DYNAMIC_DNS" || egressProxy === undefined) return PASSTHROUGH;
  return clusterName(egressProxy.port, egressProxy.subset, egressProxy.host);
}

function catchAll(name: string, action: RouteAction): VirtualHost {
  return {
    name,
    domains: ["*"],
    routes: [
      {
        name,
        match: MATCH_ALL,
        action,
        requestHeaders: NO_OPERATIONS,
        responseHeaders: NO_OPERATIONS,
        cors: undefined,
        fault: undefined,
        operation: "",
        statPrefix: "",
        origin: undefined,
      },
    ],
  };
}

const BLOCKED: VirtualHost = catchAll(BLOCK_ALL, {
  type: "direct-response",
  status: 502,
  body: undefined,
});

const allowed = memoise(
  (settings: MeshSettings, sidecar: Sidecar | undefined, name: string): VirtualHost => {
    const path = "spec.outboundTrafficPolicy";
    const origin =
      sidecar?.outboundMode === undefined
        ? { key: { ...MESH_CONFIG_MAP, namespace: settings.rootNamespace }, path: "data[mesh]" }
        : { key: sidecar.key, path };
    const operations = { requestHeaders: NO_OPERATIONS, responseHeaders: NO_OPERATIONS };
    return catchAll(ALLOW_ANY, {
      type: "forward",
      clusters: [{ name, weight: 100, ...operations, origin }],
      timeoutMs: 0,
      retry: undefined,
      rewrite: NO_REWRITE,
      mirrors: [],
      hashKeys: [],
      isHostOfUpstream: false,
    });
  },
);
