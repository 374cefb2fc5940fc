import {
  type Cluster,
  Cluster_LbPolicy,
  Cluster_LeastRequestLbConfigSchema,
  Cluster_RoundRobinLbConfigSchema,
  type LoadBalancingPolicy,
  LoadBalancingPolicy_PolicySchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  type RuntimeDouble,
  RuntimeDoubleSchema,
} from "../../api/gen/envoy/config/core/v3/base_pb.js";
import { ClusterProvidedSchema } from "../../api/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb.js";
import {
  LeastRequest_SelectionMethod,
  LeastRequestSchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js";
import { MaglevSchema } from "../../api/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.js";
import { RandomSchema } from "../../api/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.js";
import { RingHashSchema } from "../../api/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js";
import {
  type RoundRobin,
  RoundRobinSchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.js";
import { SubsetSchema } from "../../api/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.js";
import { WrrLocalitySchema } from "../../api/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { ClusterConfig, LbConfig, LbPolicy } from "../cluster/cluster-config.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeHashing, decodeMaglev, decodeRingHash } from "./lb-hashing.ts";
import { decodeCommonLocality, decodeHashedLocality, decodeLocality } from "./lb-locality.ts";
import { decodeSubsetExtension, decodeSubsets } from "./lb-subsets.ts";
import { refuseWrrLocality } from "./lb-wrr-locality.ts";
import { decodeOldSlowStart, decodeSlowStart } from "./slow-start.ts";

/** Envoy's defaults. */
const PANIC_PERCENT = 50;
const CHOICES = 2;
const BIAS = 1;

const POLICIES: Readonly<Partial<Record<Cluster_LbPolicy, LbPolicy>>> = {
  [Cluster_LbPolicy.ROUND_ROBIN]: "round_robin",
  [Cluster_LbPolicy.LEAST_REQUEST]: "least_request",
  [Cluster_LbPolicy.RANDOM]: "random",
  [Cluster_LbPolicy.RING_HASH]: "ring_hash",
  [Cluster_LbPolicy.MAGLEV]: "maglev",
  [Cluster_LbPolicy.CLUSTER_PROVIDED]: "cluster_provided",
};

/** What a policy says; the panic threshold is the cluster's. */
export type PolicyConfig = Omit<LbConfig, "panicPercent">;

const ROUND_ROBIN: PolicyConfig = {
  policy: "round_robin",
  choiceCount: CHOICES,
  activeRequestBias: BIAS,
  activeRequestBiasKey: "",
  slowStart: undefined,
  hashing: undefined,
  locality: { kind: "none" },
  subsets: undefined,
};

/** Decodes how a cluster's hosts are chosen from. */
export function decodeLoadBalancing(message: Cluster, issues: Issue[]): LbConfig {
  // Envoy counts whole percents only.
  const panicPercent = Math.round(
    message.commonLbConfig?.healthyPanicThreshold?.value ?? PANIC_PERCENT,
  );
  const typed = message.loadBalancingPolicy;
  if (typed === undefined) {
    const subsets = decodeSubsets(message.lbSubsetConfig, "lb_subset_config", issues);
    const old = decodeOld(message, issues);
    if (message.lbSubsetConfig?.localityWeightAware === true && old.locality.kind !== "weighted") {
      const what = `Locality weight aware subset LB requires that a locality_weighted_lb_config be set in ${message.name}`;
      issues.push({ path: "lb_subset_config.locality_weight_aware", message: what });
    }
    return { ...old, panicPercent, subsets };
  }
  if (message.lbSubsetConfig !== undefined) {
    const what = "cannot be combined with load_balancing_policy";
    issues.push({ path: "lb_subset_config", message: what });
  }
  const place = message.commonLbConfig?.localityConfigSpecifier.case;
  if (place !== undefined || message.commonLbConfig?.consistentHashingLbConfig !== undefined) {
    const what =
      "cannot be combined with partial fields (zone_aware_lb_config, locality_weighted_lb_config, consistent_hashing_lb_config) of common_lb_config";
    issues.push({ path: "load_balancing_policy", message: what });
  }
  return { ...decodeTyped(typed, "load_balancing_policy", issues), panicPercent };
}

function decodeOld(message: Cluster, issues: Issue[]): PolicyConfig {
  const policy = POLICIES[message.lbPolicy];
  if (message.lbPolicy === Cluster_LbPolicy.LOAD_BALANCING_POLICY_CONFIG) {
    issues.push({ path: "load_balancing_policy", message: "is missing" });
  } else if (policy === undefined) {
    const what = `${Cluster_LbPolicy[message.lbPolicy] ?? message.lbPolicy} is not supported yet`;
    issues.push({ path: "lb_policy", message: what });
  }
  const { lbConfig } = message;
  const base = {
    ...ROUND_ROBIN,
    policy: policy ?? "round_robin",
    locality: decodeCommonLocality(message.commonLbConfig, issues),
    hashing: decodeHashing(message, issues),
  };
  if (lbConfig.case === "roundRobinLbConfig") {
    const path = "round_robin_lb_config";
    const fields = ["slow_start_config"];
    issues.push(...refuseFields(Cluster_RoundRobinLbConfigSchema, lbConfig.value, fields, path));
    const at = joinPath(path, "slow_start_config");
    return { ...base, slowStart: decodeOldSlowStart(lbConfig.value.slowStartConfig, at, issues) };
  }
  if (lbConfig.case !== "leastRequestLbConfig") return base;
  const path = "least_request_lb_config";
  const fields = ["choice_count", "active_request_bias", "slow_start_config"];
  issues.push(...refuseFields(Cluster_LeastRequestLbConfigSchema, lbConfig.value, fields, path));
  const at = joinPath(path, "slow_start_config");
  return {
    ...base,
    slowStart: decodeOldSlowStart(lbConfig.value.slowStartConfig, at, issues),
    choiceCount: lbConfig.value.choiceCount ?? CHOICES,
    ...decodeBias(lbConfig.value.activeRequestBias, path, issues),
  };
}

/** Clusters that make their hosts themselves choose among them too, and no others may. */
export function checkProvided(
  { name, lbSubsetConfig }: Cluster,
  type: ClusterConfig["type"],
  policy: LbPolicy,
  issues: Issue[],
): void {
  const isProvided = policy === "cluster_provided";
  if (isProvided && lbSubsetConfig !== undefined) {
    const what = "cannot be combined with lb_policy CLUSTER_PROVIDED";
    issues.push({ path: "lb_subset_config", message: what });
  }
  // Of ORIGINAL_DST it is said with the type.
  const provides = type === "AGGREGATE" || type === "DYNAMIC_FORWARD_PROXY";
  if (type === "ORIGINAL_DST" || isProvided === provides) return;
  const what = isProvided
    ? `cluster provided LB specified but cluster '${name}' did not provide one. Check cluster documentation.`
    : `cluster provided LB not specified but cluster '${name}' provided one. Check cluster documentation.`;
  issues.push({ path: "lb_policy", message: what });
}

function decodeBias(
  message: RuntimeDouble | undefined,
  path: string,
  issues: Issue[],
): Pick<PolicyConfig, "activeRequestBias" | "activeRequestBiasKey"> {
  if (message === undefined) return { activeRequestBias: BIAS, activeRequestBiasKey: "" };
  const at = joinPath(path, "active_request_bias");
  const handled = ["default_value", "runtime_key"];
  issues.push(...refuseFields(RuntimeDoubleSchema, message, handled, at));
  return { activeRequestBias: message.defaultValue, activeRequestBiasKey: message.runtimeKey };
}

/** What some of the typed policies share. */
function decodeTypedParts(
  { slowStartConfig, localityLbConfig }: Pick<RoundRobin, "slowStartConfig" | "localityLbConfig">,
  path: string,
  issues: Issue[],
): Pick<PolicyConfig, "slowStart" | "locality"> {
  return {
    slowStart: decodeSlowStart(slowStartConfig, joinPath(path, "slow_start_config"), issues),
    locality: decodeLocality(localityLbConfig, joinPath(path, "locality_lb_config"), issues),
  };
}

const SIMPLE: readonly Extension<PolicyConfig>[] = [
  extension(RoundRobinSchema, (message, path, issues): PolicyConfig => {
    const fields = ["slow_start_config", "locality_lb_config"];
    issues.push(...refuseFields(RoundRobinSchema, message, fields, path));
    return { ...ROUND_ROBIN, ...decodeTypedParts(message, path, issues) };
  }),
  extension(RandomSchema, (message, path, issues): PolicyConfig => {
    issues.push(...refuseFields(RandomSchema, message, ["locality_lb_config"], path));
    const at = joinPath(path, "locality_lb_config");
    const locality = decodeLocality(message.localityLbConfig, at, issues);
    return { ...ROUND_ROBIN, policy: "random", locality };
  }),
  extension(LeastRequestSchema, (message, path, issues): PolicyConfig => {
    const fields = [
      "choice_count",
      "active_request_bias",
      "selection_method",
      "slow_start_config",
      "locality_lb_config",
    ];
    issues.push(...refuseFields(LeastRequestSchema, message, fields, path));
    const isFullScan = message.selectionMethod === LeastRequest_SelectionMethod.FULL_SCAN;
    return {
      ...ROUND_ROBIN,
      ...decodeTypedParts(message, path, issues),
      policy: "least_request",
      choiceCount: isFullScan ? Number.POSITIVE_INFINITY : (message.choiceCount ?? CHOICES),
      ...decodeBias(message.activeRequestBias, path, issues),
    };
  }),
  extension(ClusterProvidedSchema, (message, path, issues): PolicyConfig => {
    issues.push(...refuseFields(ClusterProvidedSchema, message, [], path));
    return { ...ROUND_ROBIN, policy: "cluster_provided" };
  }),
  extension(WrrLocalitySchema, (message, path, issues): PolicyConfig => {
    refuseWrrLocality(message, path, issues);
    return ROUND_ROBIN;
  }),
  extension(RingHashSchema, (message, path, issues): PolicyConfig => {
    const hashing = decodeRingHash(message, path, issues);
    const locality = decodeHashedLocality(message.localityWeightedLbConfig, path, issues);
    return { ...ROUND_ROBIN, policy: "ring_hash", hashing, locality };
  }),
  extension(MaglevSchema, (message, path, issues): PolicyConfig => {
    const hashing = decodeMaglev(message, path, issues);
    const locality = decodeHashedLocality(message.localityWeightedLbConfig, path, issues);
    return { ...ROUND_ROBIN, policy: "maglev", hashing, locality };
  }),
];

const ALL: readonly Extension<PolicyConfig>[] = [
  ...SIMPLE,
  extension(SubsetSchema, (message, path, issues): PolicyConfig => {
    const inner = decodeTyped(
      message.subsetLbPolicy,
      joinPath(path, "subset_lb_policy"),
      issues,
      SIMPLE,
    );
    return { ...inner, subsets: decodeSubsetExtension(message, path, issues) };
  }),
];

/** Envoy takes the first policy that it knows; one that it would take is refused when not built. */
const ENVOYS_OTHERS =
  /\.envoy\.extensions\.load_balancing_policies\.|\/envoy\.extensions\.load_balancing_policies\./;

function decodeTyped(
  message: LoadBalancingPolicy | undefined,
  path: string,
  issues: Issue[],
  known = ALL,
): PolicyConfig {
  for (const [at, policy] of (message?.policies ?? []).entries()) {
    const policyPath = joinPath(path, `policies[${at}]`);
    const fields = ["typed_extension_config"];
    issues.push(...refuseFields(LoadBalancingPolicy_PolicySchema, policy, fields, policyPath));
    const { name = "", typedConfig: any } = policy.typedExtensionConfig ?? {};
    const typeUrl = any?.typeUrl ?? "";
    if (!known.some((one) => one.typeUrl === typeUrl)) {
      if (!ENVOYS_OTHERS.test(typeUrl)) continue;
      issues.push({ path: policyPath, message: `policy ${name} is not supported yet` });
      return ROUND_ROBIN;
    }
    return decodeExtension(known, { name, any, path: policyPath }, issues) ?? ROUND_ROBIN;
  }
  const names = (message?.policies ?? []).map((one) => one.typedExtensionConfig?.name ?? "");
  const what = `Didn't find a registered load balancer factory with names from [${names.join(", ")}]`;
  issues.push({ path, message: what });
  return ROUND_ROBIN;
}
