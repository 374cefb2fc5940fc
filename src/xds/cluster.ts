import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { CircuitBreakersSchema } from "../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js";
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { HttpProtocolOptionsSchema } from "../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { packAny, typeUrlOf } from "../api/type-url.ts";
import type { Cluster, Discovery } from "../model/cluster.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Service } from "../model/service.ts";
import type { LoadBalancer } from "../model/traffic-policy.ts";
import { buildMetadata, istioConfigPath } from "./metadata.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { ADS, duration, socketAddress } from "./wire.ts";

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
  PASSTHROUGH: Cluster_LbPolicy.CLUSTER_PROVIDED,
  RING_HASH: Cluster_LbPolicy.RING_HASH,
  MAGLEV: Cluster_LbPolicy.MAGLEV,
};

/** A cluster on the wire; the endpoints of `eds` clusters come by themselves, under the same name. */
export function encodeCluster(cluster: Cluster, speaksHttp2: boolean): XdsResource {
  const { name, origins, target, discovery } = cluster;
  const rule = origins.find(({ key }) => key.kind === "DestinationRule");
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: DISCOVERY_TYPE[discovery.type] },
    ...(discovery.type === "eds" && {
      edsClusterConfig: { edsConfig: ADS, serviceName: discovery.serviceName ?? name },
    }),
    connectTimeout: duration(cluster.connectTimeoutMs),
    lbPolicy: LB_POLICY[cluster.policy.loadBalancer],
    circuitBreakers: NO_LIMITS,
    typedExtensionProtocolOptions: protocolOptions(cluster, speaksHttp2),
    ...("endpoints" in discovery && {
      loadAssignment: inlineAssignment(name, discovery.endpoints),
    }),
    metadata: buildMetadata(origins, {
      ...(rule === undefined ? {} : { config: istioConfigPath(rule.key) }),
      ...(target === undefined ? {} : { services: [serviceJson(target.service)] }),
      ...(target === undefined || target.subset === "" ? {} : { subset: target.subset }),
    }),
  });
  return encodeResource(ClusterSchema, message, { name, origins });
}

const DISCOVERY_TYPE: Readonly<Record<Discovery["type"], Cluster_DiscoveryType>> = {
  eds: Cluster_DiscoveryType.EDS,
  static: Cluster_DiscoveryType.STATIC,
  "strict-dns": Cluster_DiscoveryType.STRICT_DNS,
  "logical-dns": Cluster_DiscoveryType.LOGICAL_DNS,
  "original-dst": Cluster_DiscoveryType.ORIGINAL_DST,
  "dynamic-dns": Cluster_DiscoveryType.STATIC,
};

function inlineAssignment(clusterName: string, endpoints: readonly Endpoint[]) {
  return {
    clusterName,
    endpoints: endpoints.map(({ address, port }) => ({
      lbEndpoints: [
        {
          hostIdentifier: {
            case: "endpoint",
            value: { address: socketAddress(address, port) },
          } as const,
        },
      ],
    })),
  };
}

/**
 * HTTP/2 has to be said; HTTP/1.1 and bytes need nothing. A proxy that cannot speak HTTP/2 tries
 * HTTP/1.1, which most servers of HTTP/2 understand too.
 */
function protocolOptions(
  { upstreamProtocol }: Cluster,
  speaksHttp2: boolean,
): Record<string, ReturnType<typeof packAny>> {
  if (upstreamProtocol !== "http2" || !speaksHttp2) return {};
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
