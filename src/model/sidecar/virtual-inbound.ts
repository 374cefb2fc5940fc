import { isIPv4 } from "../../base/ip.ts";
import { BLACK_HOLE } from "../cluster.ts";
import type { FilterChain, Listener } from "../listener.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { Origin } from "../origin.ts";
import { type MutualTlsMode, modeOfPort, type WorkloadMutualTls } from "../peer-authentication.ts";
import type { ProxyNode } from "../proxy.ts";
import { plainTcpChain } from "../routing/tcp-chain.ts";
import {
  type ChainSettings,
  inspectionOf,
  passthroughChains,
  portChains,
} from "./inbound-chains.ts";
import type { InboundPort } from "./inbound-port.ts";
import { portMode } from "./port-mode.ts";

/** Istio's names. */
const LISTENER = "virtualInbound";
const BLACK_HOLE_CHAIN = "virtualInbound-blackhole";

/** Stands for every port that nothing else is said of. */
const ANY_PORT = 0;

/**
 * The listener to which netfilter hands all that comes in: chains for each port that is known, for
 * those that only a policy knows, and for the rest, which goes where it was meant to.
 */
export function virtualInbound(
  proxy: ProxyNode,
  settings: MeshSettings,
  ports: readonly InboundPort[],
  mutualTls: WorkloadMutualTls,
): Listener {
  const chainSettings: ChainSettings = { mesh: settings, takesHttp10: proxy.takesHttp10 };
  const captured = ports.filter(({ isBound }) => !isBound);
  const chains = [
    blackHoleChain(settings.inboundPort),
    ...unknownPorts(ports, mutualTls).flatMap((port) =>
      passthroughChains(port, modeOf(port), chainSettings, policyOrigins(port)),
    ),
    ...captured.flatMap((port) =>
      portChains(port, modeOf(port.number), chainSettings, [
        ...port.origins,
        ...policyOrigins(port.number),
      ]),
    ),
  ];
  const isTransparent = proxy.interceptionMode === "TPROXY";
  return {
    name: LISTENER,
    direction: "inbound",
    address: { address: isIPv4(proxy.ip) ? "0.0.0.0" : "::", port: settings.inboundPort },
    additionalAddresses: [],
    isBound: true,
    isCapturing: false,
    isTransparent,
    inspection: {
      originalDestination: true,
      originalSource: isTransparent,
      proxyProtocol: false,
      ...inspectionOf(chains),
    },
    chains,
    defaultChain: undefined,
    inspectionTimeoutMs: settings.protocolDetectionTimeoutMs,
    keepalive: undefined,
    origins: originsOf(chains),
  };

  function modeOf(port: number): MutualTlsMode {
    return portMode(proxy, mutualTls, port);
  }

  function policyOrigins(port: number): readonly Origin[] {
    const { origin } = modeOfPort(mutualTls, port);
    return origin === undefined ? [] : [origin];
  }
}

/** All, and those that a policy says something of and nobody else. */
function unknownPorts(
  ports: readonly InboundPort[],
  mutualTls: WorkloadMutualTls,
): readonly number[] {
  const known = new Set(ports.map(({ number }) => number));
  return [ANY_PORT, ...[...mutualTls.ports.keys()].filter((port) => !known.has(port))];
}

/** Whoever asks for the listener's own port would be passed on to it for ever. */
function blackHoleChain(port: number): FilterChain {
  return {
    name: BLACK_HOLE_CHAIN,
    match: { destinationPort: port },
    tls: undefined,
    filter: plainTcpChain(BLACK_HOLE),
    origins: [],
  };
}

/** Each once. */
function originsOf(chains: readonly FilterChain[]): readonly Origin[] {
  const byText = new Map(
    chains
      .flatMap(({ origins }) => origins)
      .map((origin) => [JSON.stringify([origin.key, origin.path]), origin] as const),
  );
  return [...byText.values()];
}
