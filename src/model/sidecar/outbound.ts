import { memoise } from "../../base/memo.ts";
import { type Listener, NO_INSPECTION } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { ProxyNode } from "../proxy.ts";
import { NO_OPERATIONS, type RouteConfiguration, type VirtualHost } from "../route.ts";
import { MATCH_ALL } from "../route-match.ts";
import type { Scope } from "../scope.ts";
import { BLACK_HOLE_CLUSTER } from "../standard-clusters.ts";
import type { ViewPart } from "../view-part.ts";
import { HTTP_PROXY_PORT } from "./inbound-targets.ts";
import { buildVirtualHosts } from "./virtual-hosts.ts";

/** The route configuration of the explicit proxy (Istio's name). */
const HTTP_PROXY_ROUTES = "http_proxy";

/** What a sidecar does with what its app sends out. */
export function buildSidecarOutbound(mesh: Mesh, proxy: ProxyNode, scope: Scope): ViewPart {
  return {
    listeners: [httpProxyListener(proxy)],
    routes: [httpProxyRoutes(buildVirtualHosts(mesh, proxy, scope))],
    clusters: [BLACK_HOLE_CLUSTER],
    issues: [],
  };
}

const httpProxyListener = memoise(({ ip }: ProxyNode): Listener => {
  const name = `${ip}_${HTTP_PROXY_PORT}`;
  return {
    name,
    direction: "outbound",
    address: { address: ip, port: HTTP_PROXY_PORT },
    additionalAddresses: [],
    isBound: true,
    isCapturing: false,
    inspection: NO_INSPECTION,
    chains: [
      {
        name,
        match: {},
        tls: undefined,
        filter: {
          type: "http",
          statPrefix: `outbound_${name}`,
          routes: HTTP_PROXY_ROUTES,
          role: "http-proxy",
        },
        origins: [],
      },
    ],
    defaultChain: undefined,
    inspectionTimeoutMs: undefined,
    keepalive: undefined,
    origins: [],
  };
});

/**
 * Answers for hosts that are not in the mesh. An explicit proxy has no original destination to
 * pass such a request on to, so there is nothing else to do with it.
 */
const BLOCK_ALL: VirtualHost = {
  name: "block_all",
  domains: ["*"],
  routes: [
    {
      name: "block_all",
      match: MATCH_ALL,
      action: { type: "direct-response", status: 502, body: undefined },
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

/** The routes of an explicit proxy, with an answer for hosts that nobody knows. */
const httpProxyRoutes = memoise((virtualHosts: readonly VirtualHost[]): RouteConfiguration => {
  const isAllTaken = virtualHosts.some(({ domains }) => domains.includes("*"));
  return {
    name: HTTP_PROXY_ROUTES,
    // Domains say their ports: one listener serves the services of all ports.
    ignoresPort: false,
    virtualHosts: isAllTaken ? virtualHosts : [...virtualHosts, BLOCK_ALL],
  };
});
