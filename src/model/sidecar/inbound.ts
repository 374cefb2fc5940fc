import { memoise } from "../../base/memo.ts";
import { formatKey } from "../../config/object.ts";
import type { Cluster } from "../cluster.ts";
import { type FilterChain, type Listener, NO_INSPECTION } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ObjectIssue, Origin } from "../origin.ts";
import {
  type MutualTlsMode,
  modeOfPort,
  mutualTlsOf,
  type PortMutualTls,
  selectionIssues,
  type WorkloadMutualTls,
} from "../peer-authentication.ts";
import { isHttp } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import { plainTcpChain } from "../routing/tcp-chain.ts";
import type { Scope } from "../scope.ts";
import type { ViewPart } from "../view-part.ts";
import { httpChain, inspectionOf, portChains } from "./inbound-chains.ts";
import { inboundCluster, inboundPassthrough } from "./inbound-clusters.ts";
import type { InboundPort } from "./inbound-port.ts";
import { inboundPorts } from "./inbound-ports.ts";
import { portMode } from "./port-mode.ts";
import { virtualInbound } from "./virtual-inbound.ts";

/** What a sidecar does with what comes in for its app. */
export function buildSidecarInbound(mesh: Mesh, proxy: ProxyNode, scope: Scope): ViewPart {
  const { settings } = scope;
  const { ports, issues } = inboundPorts(mesh, proxy, scope);
  const mutualTls = mutualTlsOf(mesh.peerAuthentications, proxy, settings.rootNamespace);
  const { listeners, clusters } = inboundParts(proxy, settings, ports, mutualTls);
  return {
    listeners,
    routes: [],
    clusters,
    issues: [
      ...issues,
      ...selectionIssues(mesh.peerAuthentications, proxy, settings.rootNamespace),
      ...policyIssues(proxy, ports, mutualTls),
    ],
  };
}

const inboundParts = memoise(
  (
    proxy: ProxyNode,
    settings: MeshSettings,
    ports: readonly InboundPort[],
    mutualTls: WorkloadMutualTls,
  ): { readonly listeners: readonly Listener[]; readonly clusters: readonly Cluster[] } => {
    const isCaptured = proxy.interceptionMode !== "NONE";
    const bound = ports.filter(({ isBound }) => isBound);
    const clusters = ports.map((port) => inboundCluster(port, proxy, settings));
    return {
      listeners: [
        ...(isCaptured ? [virtualInbound(proxy, settings, ports, mutualTls)] : []),
        ...bound.map((port) => {
          const { origin } = modeOfPort(mutualTls, port.number);
          return boundListener(
            port,
            proxy,
            settings,
            portMode(proxy, mutualTls, port.number),
            origin,
          );
        }),
      ],
      clusters: isCaptured ? [...clusters, inboundPassthrough(proxy, settings)] : clusters,
    };
  },
);

/** A listener of a port's own. */
const boundListener = memoise(
  (
    port: InboundPort,
    proxy: ProxyNode,
    settings: MeshSettings,
    mode: MutualTlsMode,
    policy: Origin | undefined,
  ): Listener => {
    const { number, bind } = port;
    const origins = policy === undefined ? port.origins : [...port.origins, policy];
    const { takesHttp10 } = proxy;
    const isOfBytes =
      proxy.appAddress !== undefined && mode === "DISABLE" && port.tls === undefined;
    const chains = isOfBytes
      ? [plainChain(port)]
      : portChains(port, mode, { mesh: settings, takesHttp10 }, origins);
    const { tls, http } = inspectionOf(chains);
    // All chains are for the port that the listener is on.
    const inspection = { ...NO_INSPECTION, tls: tls !== false, http: http !== false };
    return {
      name: `${bind}_${number}`,
      direction: "inbound",
      address: { address: bind, port: number },
      additionalAddresses: [],
      isBound: true,
      isCapturing: false,
      inspection,
      chains,
      defaultChain: undefined,
      inspectionTimeoutMs:
        tls === false && http === false ? undefined : settings.protocolDetectionTimeoutMs,
      keepalive: undefined,
      origins,
    };
  },
);

/**
 * The only chain of a port without TLS in portable mode. A port that does not say what it speaks is
 * passed on byte by byte, which suits everything.
 */
function plainChain(port: InboundPort): FilterChain {
  const name = `${port.bind}_${port.number}`;
  const cluster = `inbound|${port.number}||`;
  const filter = isHttp(port.protocol)
    ? httpChain(`inbound_${name}`, { ...port, cluster, isHttp: true }, port.protocol)
    : { ...plainTcpChain(cluster), statPrefix: `inbound_${name}` };
  return { name, match: {}, tls: undefined, filter, origins: port.origins };
}

/** Policies that this proxy cannot follow, and TLS that a policy takes the place of. */
function policyIssues(
  proxy: ProxyNode,
  ports: readonly InboundPort[],
  mutualTls: WorkloadMutualTls,
): readonly ObjectIssue[] {
  return [
    ...(proxy.hasCertificates ? [] : closedIssues(mutualTls)),
    ...ports.flatMap((port) => {
      const { tls, number } = port;
      const mode = portMode(proxy, mutualTls, number);
      if (tls?.origin === undefined || mode === "DISABLE") return [];
      return [overruledIssue(tls.origin, number, mode, modeOfPort(mutualTls, number))];
    }),
  ];
}

function closedIssues(mutualTls: WorkloadMutualTls): readonly ObjectIssue[] {
  const all: readonly PortMutualTls[] = [mutualTls, ...mutualTls.ports.values()];
  const origins = new Set(
    all.flatMap(({ mode, origin }) => (mode === "STRICT" && origin !== undefined ? [origin] : [])),
  );
  return [...origins].map(({ key, path }) => {
    const message =
      "closes ports of pods whose sidecars have no certificates yet: nobody can reach them; " +
      "say PERMISSIVE, which takes plain text there, until they have";
    return { object: key, issue: { path, message, severity: "warning" } };
  });
}

function overruledIssue(
  { key, path }: Origin,
  port: number,
  mode: MutualTlsMode,
  { origin }: PortMutualTls,
): ObjectIssue {
  const who = origin === undefined ? "the mesh's default" : formatKey(origin.key);
  const message =
    `has no effect: port ${port} takes mutual TLS between sidecars (${mode}, by ${who}); ` +
    "let a PeerAuthentication say DISABLE for it";
  return { object: key, issue: { path, message, severity: "warning" } };
}
