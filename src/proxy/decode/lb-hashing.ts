import {
  type Cluster,
  Cluster_CommonLbConfig_ConsistentHashingLbConfigSchema,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  Cluster_MaglevLbConfigSchema,
  Cluster_RingHashLbConfig_HashFunction,
  Cluster_RingHashLbConfigSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  type ConsistentHashingLbConfig,
  ConsistentHashingLbConfigSchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.js";
import {
  type Maglev,
  MaglevSchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.js";
import {
  type RingHash,
  RingHash_HashFunction,
  RingHashSchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { localityName } from "../balance/host-set.ts";
import type { Assignment, HashingConfig } from "../cluster/cluster-config.ts";

/** Envoy's defaults. */
const DEFAULTS: HashingConfig = {
  ringSizeMin: 1024,
  ringSizeMax: 8_388_608,
  hashFunction: "xx_hash",
  tableSize: 65_537,
  usesHostname: false,
  balanceFactorPercent: 0,
};

/** Decodes how a cluster hashes by its old fields; `undefined` where its policy does not. */
export function decodeHashing(message: Cluster, issues: Issue[]): HashingConfig | undefined {
  const { lbConfig, lbPolicy, commonLbConfig } = message;
  const common = commonLbConfig?.consistentHashingLbConfig;
  if (common !== undefined) {
    const schema = Cluster_CommonLbConfig_ConsistentHashingLbConfigSchema;
    const path = "common_lb_config.consistent_hashing_lb_config";
    issues.push(...refuseFields(schema, common, COMMON_FIELDS, path));
    if (common.useHostnameForHashing) checkNames(message, path, issues);
  }
  let config = { ...DEFAULTS, ...commonOf(common) };
  // Like Envoy, what is said of a policy that the cluster does not have is passed over.
  if (lbConfig.case === "ringHashLbConfig") {
    const { value } = lbConfig;
    const path = "ring_hash_lb_config";
    const fields = ["minimum_ring_size", "maximum_ring_size", "hash_function"];
    issues.push(...refuseFields(Cluster_RingHashLbConfigSchema, value, fields, path));
    const isMurmur = value.hashFunction === Cluster_RingHashLbConfig_HashFunction.MURMUR_HASH_2;
    config = { ...config, ...ringOf(value, isMurmur) };
  } else if (lbConfig.case === "maglevLbConfig") {
    const { value } = lbConfig;
    const path = "maglev_lb_config";
    issues.push(...refuseFields(Cluster_MaglevLbConfigSchema, value, ["table_size"], path));
    config = { ...config, ...tableOf(value) };
  }
  if (lbPolicy === Cluster_LbPolicy.RING_HASH)
    return checkRing(config, "ring_hash_lb_config", issues);
  if (lbPolicy === Cluster_LbPolicy.MAGLEV) return checkTable(config, "maglev_lb_config", issues);
  return undefined;
}

/** In its old place it is only for names that stay, which are those of STRICT_DNS. */
function checkNames({ clusterDiscoveryType }: Cluster, path: string, issues: Issue[]): void {
  const { case: kind, value } = clusterDiscoveryType;
  const type = kind === "type" ? value : Cluster_DiscoveryType.STATIC;
  if (type === Cluster_DiscoveryType.STRICT_DNS) return;
  const name = `envoy.cluster.${Cluster_DiscoveryType[type].toLowerCase()}`;
  const what = `Cannot use hostname for consistent hashing loadbalancing for cluster of type: '${name}'`;
  issues.push({ path: joinPath(path, "use_hostname_for_hashing"), message: what });
}

/** Decodes the ring hash policy as an extension. */
export function decodeRingHash(message: RingHash, path: string, issues: Issue[]): HashingConfig {
  const fields = [
    "hash_function",
    "minimum_ring_size",
    "maximum_ring_size",
    "use_hostname_for_hashing",
    "hash_balance_factor",
    "consistent_hashing_lb_config",
    // Decoded with the policy.
    "locality_weighted_lb_config",
  ];
  issues.push(...refuseFields(RingHashSchema, message, fields, path));
  const isMurmur = message.hashFunction === RingHash_HashFunction.MURMUR_HASH_2;
  const common = message.consistentHashingLbConfig;
  refuseCommon(common, path, issues);
  // The new field takes the place of both old ones, whatever it says.
  const config = { ...DEFAULTS, ...ringOf(message, isMurmur), ...commonOf(common ?? message) };
  return checkRing(config, path, issues);
}

/** Decodes the Maglev policy as an extension. */
export function decodeMaglev(message: Maglev, path: string, issues: Issue[]): HashingConfig {
  const fields = ["table_size", "consistent_hashing_lb_config", "locality_weighted_lb_config"];
  issues.push(...refuseFields(MaglevSchema, message, fields, path));
  const common = message.consistentHashingLbConfig;
  refuseCommon(common, path, issues);
  return checkTable({ ...DEFAULTS, ...tableOf(message), ...commonOf(common) }, path, issues);
}

const COMMON_FIELDS = ["use_hostname_for_hashing", "hash_balance_factor"];

function refuseCommon(
  message: ConsistentHashingLbConfig | undefined,
  path: string,
  issues: Issue[],
): void {
  if (message === undefined) return;
  const at = joinPath(path, "consistent_hashing_lb_config");
  issues.push(...refuseFields(ConsistentHashingLbConfigSchema, message, COMMON_FIELDS, at));
}

function commonOf(
  message: Pick<ConsistentHashingLbConfig, "useHostnameForHashing" | "hashBalanceFactor"> = {
    useHostnameForHashing: false,
  },
): Pick<HashingConfig, "usesHostname" | "balanceFactorPercent"> {
  return {
    usesHostname: message.useHostnameForHashing,
    balanceFactorPercent: message.hashBalanceFactor ?? 0,
  };
}

function ringOf(
  { minimumRingSize, maximumRingSize }: Pick<RingHash, "minimumRingSize" | "maximumRingSize">,
  isMurmur: boolean,
): Pick<HashingConfig, "ringSizeMin" | "ringSizeMax" | "hashFunction"> {
  return {
    ringSizeMin: Number(minimumRingSize ?? DEFAULTS.ringSizeMin),
    ringSizeMax: Number(maximumRingSize ?? DEFAULTS.ringSizeMax),
    hashFunction: isMurmur ? "murmur_hash_2" : "xx_hash",
  };
}

function tableOf({ tableSize }: Pick<Maglev, "tableSize">): Pick<HashingConfig, "tableSize"> {
  return { tableSize: Number(tableSize ?? DEFAULTS.tableSize) };
}

/** The largest uint32. */
const WEIGHTS_MAX = 4_294_967_295;

/**
 * Checks what fixed endpoints weigh together, which only policies that hash bound: those of one
 * priority, whatever their localities, and their localities.
 */
export function checkWeights(assignment: Assignment, issues: Issue[]): void {
  const hosts = new Map<number, number>();
  const localities = new Map<number, Map<string, number>>();
  for (const { priority, weight, locality } of assignment.endpoints) {
    hosts.set(priority, (hosts.get(priority) ?? 0) + weight);
    const byName = localities.get(priority) ?? new Map<string, number>();
    localities.set(priority, byName.set(localityName(locality), locality.weight));
  }
  const refuse = (what: string): void => {
    const message = `The sum of weights of all ${what} exceeds ${WEIGHTS_MAX}`;
    issues.push({ path: "load_assignment", message });
  };
  for (const [priority, weight] of hosts) {
    if (weight > WEIGHTS_MAX) refuse("upstream hosts in a locality");
    let total = 0;
    for (const own of localities.get(priority)?.values() ?? []) total += own;
    if (total > WEIGHTS_MAX) refuse("localities at the same priority");
  }
}

function checkRing(config: HashingConfig, path: string, issues: Issue[]): HashingConfig {
  const { ringSizeMin: min, ringSizeMax: max } = config;
  if (min <= max) return config;
  const what = `ring hash: minimum_ring_size (${min}) > maximum_ring_size (${max})`;
  issues.push({ path, message: what });
  return config;
}

function checkTable(config: HashingConfig, path: string, issues: Issue[]): HashingConfig {
  if (isPrime(config.tableSize)) return config;
  issues.push({ path, message: "The table size of maglev must be prime number" });
  return config;
}

function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false;
  }
  return true;
}
