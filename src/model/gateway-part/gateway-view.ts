import type { ListenAddress, Listener } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { ProxyNode } from "../proxy.ts";
import { proxySettings } from "../proxy-settings.ts";
import type { Scope } from "../scope.ts";
import { BLACK_HOLE_CLUSTER } from "../standard-clusters.ts";
import type { ViewPart } from "../view-part.ts";
import { type Chains, portChains } from "./chains.ts";
import { type GatewayPort, mergeServers } from "./merge-servers.ts";
import { placeServers } from "./place-servers.ts";

const UNIX = "unix://";
const ANY_ADDRESS = "0.0.0.0";

/** What a gateway serves to its clients. */
export function buildGatewayView(mesh: Mesh, proxy: ProxyNode, scope: Scope): ViewPart {
  const { placed, issues } = placeServers(mesh, proxy);
  const merged = mergeServers(placed);
  const { gatewayTakesProxyProtocol: takesProxyProtocol } = proxySettings(proxy, mesh.settings);
  const built = merged.ports.map((port) => ({
    port,
    chains: portChains({ mesh, proxy, scope, port }),
  }));
  const all = built.flatMap(({ chains }) => chains);
  const clusters = new Map(
    all.flatMap((one) => one.clusters.map((cluster) => [cluster.name, cluster])),
  );
  return {
    // A port that nobody could be served on is not opened.
    listeners: built
      .filter(({ chains }) => chains.some((one) => one.chains.length > 0))
      .map(({ port, chains }) => gatewayListener({ proxy, port, takesProxyProtocol }, chains)),
    routes: all.flatMap((one) => one.routes),
    clusters: [BLACK_HOLE_CLUSTER, ...clusters.values()],
    issues: [...issues, ...merged.issues, ...all.flatMap((one) => one.issues)],
  };
}

interface ListenerOptions {
  readonly proxy: ProxyNode;
  readonly port: GatewayPort;
  /** Whether every client begins with a PROXY header (`gatewayTopology.proxyProtocol`). */
  readonly takesProxyProtocol: boolean;
}

/** One port that a gateway serves, on the pod and on the host's ports for it. */
function gatewayListener(
  { proxy, port, takesProxyProtocol }: ListenerOptions,
  parts: readonly Chains[],
): Listener {
  const address = addressOf(proxy, port);
  return {
    name: "path" in address ? address.path : `${address.address}_${address.port}`,
    direction: "outbound",
    address,
    additionalAddresses: proxy.hostPorts
      .filter(({ containerPort }) => containerPort === port.port)
      .map(({ hostIp, hostPort }) => ({ address: hostIp, port: hostPort })),
    isBound: true,
    isCapturing: false,
    inspection: {
      originalDestination: false,
      proxyProtocol: takesProxyProtocol,
      tls: port.kind === "tls",
      http: false,
    },
    chains: parts.flatMap(({ chains }) => chains),
    defaultChain: undefined,
    inspectionTimeoutMs: undefined,
    keepalive: undefined,
    origins: port.servers.map(({ key, path }) => ({ key, path })),
  };
}

/** In portable mode pods are told apart by their addresses; elsewhere a pod is alone. */
function addressOf(proxy: ProxyNode, { port, bind }: GatewayPort): ListenAddress {
  if (bind.startsWith(UNIX)) return { path: bind.slice(UNIX.length) };
  if (bind !== "") return { address: bind, port };
  return { address: proxy.interceptionMode === "NONE" ? proxy.ip : ANY_ADDRESS, port };
}
