import { Cluster_LbPolicy } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Cluster } from "../model/cluster.ts";
import type { LoadBalancer, TrafficPolicy, Warmup } from "../model/traffic-policy.ts";
import { type ClusterFields, duration } from "./wire.ts";

const LB_POLICY: Readonly<Record<LoadBalancer, Cluster_LbPolicy>> = {
  LEAST_REQUEST: Cluster_LbPolicy.LEAST_REQUEST,
  ROUND_ROBIN: Cluster_LbPolicy.ROUND_ROBIN,
  RANDOM: Cluster_LbPolicy.RANDOM,
  // Where there is no original destination after all, endpoints are chosen by the default.
  PASSTHROUGH: Cluster_LbPolicy.LEAST_REQUEST,
  RING_HASH: Cluster_LbPolicy.RING_HASH,
  MAGLEV: Cluster_LbPolicy.MAGLEV,
};

/** How hosts are chosen: among priorities and localities, then among those of one. */
export function loadBalancingFields(cluster: Cluster): ClusterFields {
  const { discovery, policy, isLocalityWeighted } = cluster;
  const { outlierDetection } = policy;
  const common: ClusterFields["commonLbConfig"] = {
    // Ejected hosts stay out of use however many they are, unless the rule says otherwise.
    ...(outlierDetection !== undefined && {
      healthyPanicThreshold: { value: outlierDetection.minHealthPercent },
    }),
    ...(isLocalityWeighted === true && {
      localityConfigSpecifier: { case: "localityWeightedLbConfig", value: {} } as const,
    }),
  };
  const commonLbConfig = Object.keys(common).length === 0 ? {} : { commonLbConfig: common };
  if (discovery.type === "original-dst" || discovery.type === "dynamic-dns") {
    return { ...commonLbConfig, lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED };
  }
  return { ...commonLbConfig, lbPolicy: LB_POLICY[policy.loadBalancer], ...lbConfig(policy) };
}

function lbConfig({ loadBalancer, warmup, hashTableSize }: TrafficPolicy): ClusterFields {
  switch (loadBalancer) {
    case "RING_HASH":
      return hashTableSize === undefined
        ? {}
        : {
            lbConfig: {
              case: "ringHashLbConfig",
              value: { minimumRingSize: BigInt(hashTableSize) },
            },
          };
    case "MAGLEV":
      return hashTableSize === undefined
        ? {}
        : { lbConfig: { case: "maglevLbConfig", value: { tableSize: BigInt(hashTableSize) } } };
    case "ROUND_ROBIN":
      return warmup === undefined
        ? {}
        : {
            lbConfig: {
              case: "roundRobinLbConfig",
              value: { slowStartConfig: slowStart(warmup) },
            },
          };
    case "LEAST_REQUEST":
    case "PASSTHROUGH":
      return warmup === undefined
        ? {}
        : {
            lbConfig: {
              case: "leastRequestLbConfig",
              value: { slowStartConfig: slowStart(warmup) },
            },
          };
    case "RANDOM":
      return {};
  }
}

/** A runtime key has to have a name, though nobody sets it. */
const AGGRESSION_KEY = "weft.warmup.aggression";

function slowStart({ durationMs, aggression, minimumPercent }: Warmup) {
  return {
    slowStartWindow: duration(durationMs),
    ...(aggression !== undefined && {
      aggression: { defaultValue: aggression, runtimeKey: AGGRESSION_KEY },
    }),
    ...(minimumPercent !== undefined && { minWeightPercent: { value: minimumPercent } }),
  };
}
