import { memoise } from "../../base/memo.ts";
import type { Listener } from "../listener.ts";
import { NO_INSPECTION } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Scope } from "../scope.ts";
import { serviceTargets } from "../service-targets.ts";
import { BLACK_HOLE_CLUSTER } from "../standard-clusters.ts";
import type { ViewPart } from "../view-part.ts";
import { buildGatewayVirtualHosts, type GatewayPort, gatewayPorts } from "./gateway-ports.ts";

/** What a gateway serves to its clients. */
export function buildGatewayView(mesh: Mesh, proxy: ProxyNode, scope: Scope): ViewPart {
  const { ports, issues } = gatewayPorts(mesh, proxy, serviceTargets(mesh, proxy));
  return {
    listeners: ports.map((port) => gatewayListener(proxy, port)),
    routes: ports.map((port) => ({
      name: port.routeName,
      // Clients outside reach the gateway by ports that it does not know of.
      ignoresPort: true,
      virtualHosts: buildGatewayVirtualHosts(mesh, proxy, scope, port),
    })),
    clusters: [BLACK_HOLE_CLUSTER],
    issues,
  };
}

/** One port that a gateway serves, on the pod and on the host's ports for it. */
const gatewayListener = memoise((proxy: ProxyNode, port: GatewayPort): Listener => {
  const name = `${proxy.ip}_${port.number}`;
  const origins = port.servers.map(({ key, path }) => ({ key, path }));
  return {
    name,
    direction: "outbound",
    address: { address: proxy.ip, port: port.number },
    additionalAddresses: proxy.hostPorts
      .filter(({ containerPort }) => containerPort === port.number)
      .map(({ hostIp, hostPort }) => ({ address: hostIp, port: hostPort })),
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
          routes: port.routeName,
          role: "gateway",
        },
        origins,
      },
    ],
    defaultChain: undefined,
    inspectionTimeoutMs: undefined,
    keepalive: undefined,
    origins,
  };
});
