import { create } from "@bufbuild/protobuf";
import { ClusterSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Cluster } from "../model/cluster.ts";
import type { Service } from "../model/service.ts";
import type { Keepalive } from "../model/traffic-policy.ts";
import { discoveryFields } from "./cluster-discovery.ts";
import { circuitBreakers, outlierDetection } from "./cluster-limits.ts";
import { loadBalancingFields } from "./cluster-load-balancing.ts";
import { buildMetadata, istioConfigPath } from "./metadata.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { protocolOptions } from "./upstream-http.ts";
import { transportFields } from "./upstream-tls.ts";
import { type ClusterFields, duration } from "./wire.ts";

/** What of a proxy decides how a cluster is written. */
export interface ClusterAbilities {
  /** Whether an agent hands it certificates; else it reads files by itself. */
  readonly hasCertificates: boolean;
}

/** A cluster on the wire; the endpoints of `eds` clusters come by themselves, under the same name. */
export function encodeCluster(
  cluster: Cluster,
  { hasCertificates }: ClusterAbilities,
): XdsResource {
  const { name, origins, policy, keepalive } = cluster;
  const message = create(ClusterSchema, {
    name,
    ...discoveryFields(cluster),
    ...loadBalancingFields(cluster),
    ...transportFields(cluster, hasCertificates),
    connectTimeout: duration(cluster.connectTimeoutMs),
    circuitBreakers: circuitBreakers(policy),
    ...(policy.outlierDetection !== undefined && {
      outlierDetection: outlierDetection(policy.outlierDetection),
    }),
    ...(keepalive !== undefined && { upstreamConnectionOptions: connectionOptions(keepalive) }),
    typedExtensionProtocolOptions: protocolOptions(cluster),
    metadata: clusterMetadata(cluster),
  });
  return encodeResource(ClusterSchema, message, { name, origins });
}

function connectionOptions({
  probes,
  idleSeconds,
  intervalSeconds,
}: Keepalive): ClusterFields["upstreamConnectionOptions"] {
  return {
    tcpKeepalive: {
      ...(probes !== undefined && { keepaliveProbes: probes }),
      ...(idleSeconds !== undefined && { keepaliveTime: idleSeconds }),
      ...(intervalSeconds !== undefined && { keepaliveInterval: intervalSeconds }),
    },
  };
}

/** Istio's words about a cluster, which its telemetry and tools read. */
function clusterMetadata({ origins, target }: Cluster) {
  const rule = origins.find(({ key }) => key.kind === "DestinationRule");
  const config = rule === undefined ? {} : { config: istioConfigPath(rule.key) };
  if (target === undefined) return buildMetadata(origins, config);
  const { service, port, subset } = target;
  return buildMetadata(origins, {
    ...config,
    services: [serviceJson(service)],
    ...(subset !== "" && { subset }),
    ...(service.isExternal && { external: true }),
    ...(service.isHeadless && { default_original_port: port.number }),
  });
}

function serviceJson({ hostname, name, namespace }: Service): Record<string, string> {
  return { host: hostname, name, namespace };
}
