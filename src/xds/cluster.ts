import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { CircuitBreakersSchema } from "../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js";
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { HttpProtocolOptionsSchema } from "../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { packAny, typeUrlOf } from "../api/type-url.ts";
import type { OutboundCluster } from "../model/cluster.ts";
import type { ServiceTarget } from "../model/inbound.ts";
import { isHttp2, type Protocol } from "../model/protocol.ts";
import type { ProxyNode } from "../model/proxy.ts";
import type { Service } from "../model/service.ts";
import type { LoadBalancer } from "../model/traffic-policy.ts";
import { buildMetadata, istioConfigPath } from "./metadata.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { ADS, duration, socketAddress } from "./wire.ts";

/** Istio's default for every cluster. */
const CONNECT_TIMEOUT = duration(10_000);

const UINT32_MAX = 0xffff_ffff;

/** No limit but memory: Envoy's own defaults (1024) would refuse traffic that nobody limited. */
const NO_LIMITS: MessageInitShape<typeof CircuitBreakersSchema> = {
  thresholds: [
    {
      maxConnections: UINT32_MAX,
      maxPendingRequests: UINT32_MAX,
      maxRequests: UINT32_MAX,
      maxRetries: UINT32_MAX,
      trackRemaining: true,
    },
  ],
};

const LB_POLICY: Readonly<Record<LoadBalancer, Cluster_LbPolicy>> = {
  LEAST_REQUEST: Cluster_LbPolicy.LEAST_REQUEST,
  ROUND_ROBIN: Cluster_LbPolicy.ROUND_ROBIN,
  RANDOM: Cluster_LbPolicy.RANDOM,
};

/** The name of the cluster that leads to the pod's own app. */
export function inboundClusterName(targetPort: number): string {
  return `inbound|${targetPort}||`;
}

/** A service port, or a subset of one: endpoints come by themselves, under the same name. */
export function encodeOutboundCluster(cluster: OutboundCluster, speaksHttp2: boolean): XdsResource {
  const { name, service, subset, origins, policy, port } = cluster;
  const rule = origins.find(({ key }) => key.kind === "DestinationRule");
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ADS, serviceName: name },
    connectTimeout: CONNECT_TIMEOUT,
    lbPolicy: LB_POLICY[policy.loadBalancer],
    commonLbConfig: {},
    circuitBreakers: NO_LIMITS,
    typedExtensionProtocolOptions: protocolOptions(port.protocol, speaksHttp2),
    metadata: buildMetadata(origins, {
      ...(rule === undefined ? {} : { config: istioConfigPath(rule.key) }),
      services: [serviceJson(service)],
      ...(subset === "" ? {} : { subset }),
    }),
  });
  return encodeResource(ClusterSchema, message, { name, origins });
}

/** The pod's own app on one port. */
export function encodeInboundCluster(proxy: ProxyNode, target: ServiceTarget): XdsResource {
  const { service, port, targetPort } = target;
  const name = inboundClusterName(targetPort);
  const origins = [{ key: service.key, path: "" }];
  const endpoint = { address: socketAddress(proxy.appAddress, targetPort) };
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: CONNECT_TIMEOUT,
    circuitBreakers: NO_LIMITS,
    typedExtensionProtocolOptions: protocolOptions(port.protocol, proxy.speaksHttp2),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: endpoint } }] }],
    },
    metadata: buildMetadata(origins, { services: [serviceJson(service)] }),
  });
  return encodeResource(ClusterSchema, message, { name, origins });
}

/** Where traffic goes that must go nowhere; has no endpoints, ever. */
export const BLACK_HOLE_CLUSTER: XdsResource = encodeResource(
  ClusterSchema,
  create(ClusterSchema, {
    name: "BlackHoleCluster",
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: CONNECT_TIMEOUT,
  }),
  { name: "BlackHoleCluster", origins: [] },
);

/**
 * HTTP/2 has to be said; HTTP/1.1 and bytes need nothing. A proxy that cannot speak HTTP/2 tries
 * HTTP/1.1, which most servers of HTTP/2 understand too.
 */
function protocolOptions(
  protocol: Protocol,
  speaksHttp2: boolean,
): Record<string, ReturnType<typeof packAny>> {
  if (!isHttp2(protocol) || !speaksHttp2) return {};
  const options = create(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: { protocolConfig: { case: "http2ProtocolOptions", value: {} } },
    },
  });
  const name = typeUrlOf(HttpProtocolOptionsSchema).replace("type.googleapis.com/", "");
  return { [name]: packAny(HttpProtocolOptionsSchema, options) };
}

function serviceJson({ hostname, name, namespace }: Service): Record<string, string> {
  return { host: hostname, name, namespace };
}
