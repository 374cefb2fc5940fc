import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { FilterSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { SniClusterSchema } from "../api/gen/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb.js";
import { FilterConfigSchema as SniDynamicForwardProxySchema } from "../api/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js";
import { TcpProxySchema } from "../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { packAny } from "../api/type-url.ts";
import { formatHostPort } from "../base/ip.ts";
import { BLACK_HOLE } from "../model/cluster.ts";
import type { TcpChain, TcpTunnel } from "../model/listener.ts";
import type { ProxySettings } from "../model/proxy-settings.ts";
import type { SideTelemetry } from "../model/proxy-telemetry.ts";
import { accessLogs } from "./access-log.ts";
import { dnsCacheConfig } from "./cluster-discovery.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import { duration } from "./wire.ts";

type Filter = MessageInitShape<typeof FilterSchema>;
type Options = Partial<Exclude<MessageInitShape<typeof TcpProxySchema>, { $typeName: string }>>;

/** The network filters of a chain that passes bytes on. */
export function tcpFilters(
  chain: TcpChain,
  settings: ListenerSettings,
  side: SideTelemetry,
): Filter[] {
  const { isClusterFromSni, sniDynamicPort } = chain;
  return [
    ...(isClusterFromSni ? [SNI_CLUSTER] : []),
    ...(sniDynamicPort === undefined ? [] : [sniLookup(sniDynamicPort, settings)]),
    tcpProxy(chain, settings, side),
  ];
}

/** Looks up the name that a connection asks for, where its cluster has no hosts of its own. */
function sniLookup(port: number, { lookup }: ProxySettings): Filter {
  const config = create(SniDynamicForwardProxySchema, {
    portSpecifier: { case: "portValue", value: port },
    dnsCacheConfig: dnsCacheConfig(lookup),
  });
  return {
    name: "envoy.filters.network.sni_dynamic_forward_proxy",
    configType: { case: "typedConfig", value: packAny(SniDynamicForwardProxySchema, config) },
  };
}

const SNI_CLUSTER: Filter = {
  name: "envoy.filters.network.sni_cluster",
  configType: {
    case: "typedConfig",
    value: packAny(SniClusterSchema, create(SniClusterSchema)),
  },
};

function tcpProxy(chain: TcpChain, { idleTimeoutMs }: ProxySettings, side: SideTelemetry): Filter {
  const { statPrefix, maxConnectionDurationMs, isHashedBySource, tunnel } = chain;
  const idleMs = chain.idleTimeoutMs ?? idleTimeoutMs;
  const message = create(TcpProxySchema, {
    statPrefix,
    clusterSpecifier: clusters(chain),
    ...(idleMs !== undefined && { idleTimeout: duration(idleMs) }),
    ...(maxConnectionDurationMs !== undefined && {
      maxDownstreamConnectionDuration: duration(maxConnectionDurationMs),
    }),
    ...(isHashedBySource && {
      hashPolicy: [{ policySpecifier: { case: "sourceIp", value: {} } }],
    }),
    ...(tunnel !== undefined && { tunnelingConfig: tunneling(tunnel) }),
    accessLog: accessLogs(side, "connections"),
  });
  return {
    name: "envoy.filters.network.tcp_proxy",
    configType: { case: "typedConfig", value: packAny(TcpProxySchema, message) },
  };
}

function clusters(chain: TcpChain): NonNullable<Options["clusterSpecifier"]> {
  // Envoy refuses a weight of 0; nothing goes there anyway.
  const weighted = chain.clusters.filter(({ weight }) => weight > 0);
  const [first] = weighted;
  if (first === undefined) return { case: "cluster", value: BLACK_HOLE };
  if (weighted.length === 1) return { case: "cluster", value: first.name };
  return { case: "weightedClusters", value: { clusters: [...weighted] } };
}

function tunneling({ targetHost, targetPort, method }: TcpTunnel): Options["tunnelingConfig"] {
  return { hostname: formatHostPort(targetHost, targetPort), usePost: method === "POST" };
}

/** Ends every connection: there is nobody behind it. */
export function closingFilter(): Filter {
  const message = create(TcpProxySchema, {
    statPrefix: BLACK_HOLE,
    clusterSpecifier: { case: "cluster", value: BLACK_HOLE },
  });
  return {
    name: "envoy.filters.network.tcp_proxy",
    configType: { case: "typedConfig", value: packAny(TcpProxySchema, message) },
  };
}
