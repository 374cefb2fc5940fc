import {
  type Cluster_CommonLbConfig,
  Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema,
  Cluster_CommonLbConfig_ZoneAwareLbConfigSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  LocalityLbConfig_ZoneAwareLbConfig_LocalityBasis as LocalityBasis,
  type LocalityLbConfig,
  type LocalityLbConfig_LocalityWeightedLbConfig,
  LocalityLbConfig_LocalityWeightedLbConfigSchema,
  type LocalityLbConfig_ZoneAwareLbConfig,
  LocalityLbConfig_ZoneAwareLbConfig_ForceLocalZoneSchema,
  LocalityLbConfig_ZoneAwareLbConfigSchema,
  LocalityLbConfigSchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.js";
import type { Percent } from "../../api/gen/envoy/type/v3/percent_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { LocalityMode, ZoneAwareConfig } from "../cluster/cluster-config.ts";

/** Envoy's defaults. */
const ENABLED_PERCENT = 100;
const CLUSTER_SIZE_MIN = 6;

const ZONE_AWARE_FIELDS = ["routing_enabled", "min_cluster_size", "fail_traffic_on_panic"];

/** What localities mean, in the old place; those of hash balancers count there too. */
export function decodeCommonLocality(
  common: Cluster_CommonLbConfig | undefined,
  issues: Issue[],
): LocalityMode {
  if (common === undefined) return { kind: "none" };
  const { case: kind, value } = common.localityConfigSpecifier;
  const path = "common_lb_config";
  if (kind === "zoneAwareLbConfig") {
    const at = joinPath(path, "zone_aware_lb_config");
    const schema = Cluster_CommonLbConfig_ZoneAwareLbConfigSchema;
    issues.push(...refuseFields(schema, value, ZONE_AWARE_FIELDS, at));
    return { kind: "zone_aware", ...decodeZoneAware(value) };
  }
  if (kind === "localityWeightedLbConfig") {
    const at = joinPath(path, "locality_weighted_lb_config");
    const schema = Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema;
    issues.push(...refuseFields(schema, value, [], at));
    return { kind: "weighted" };
  }
  return { kind: "none" };
}

/** The same in a typed policy. */
export function decodeLocality(
  message: LocalityLbConfig | undefined,
  path: string,
  issues: Issue[],
): LocalityMode {
  if (message === undefined) return { kind: "none" };
  const fields = ["zone_aware_lb_config", "locality_weighted_lb_config"];
  issues.push(...refuseFields(LocalityLbConfigSchema, message, fields, path));
  const { case: kind, value } = message.localityConfigSpecifier;
  if (kind === "zoneAwareLbConfig") {
    const at = joinPath(path, "zone_aware_lb_config");
    return { kind: "zone_aware", ...decodeTypedZoneAware(value, at, issues) };
  }
  if (kind === "localityWeightedLbConfig") {
    const at = joinPath(path, "locality_weighted_lb_config");
    const schema = LocalityLbConfig_LocalityWeightedLbConfigSchema;
    issues.push(...refuseFields(schema, value, [], at));
    return { kind: "weighted" };
  }
  // With neither it breaks a rule of the .proto file, which is checked after.
  return { kind: "none" };
}

/** What localities mean to a typed policy that hashes: their weights, or nothing. */
export function decodeHashedLocality(
  message: LocalityLbConfig_LocalityWeightedLbConfig | undefined,
  path: string,
  issues: Issue[],
): LocalityMode {
  if (message === undefined) return { kind: "none" };
  const at = joinPath(path, "locality_weighted_lb_config");
  const schema = LocalityLbConfig_LocalityWeightedLbConfigSchema;
  issues.push(...refuseFields(schema, message, [], at));
  return { kind: "weighted" };
}

/** What both messages have. */
interface ZoneAware {
  readonly routingEnabled?: Percent | undefined;
  readonly minClusterSize?: bigint | undefined;
  readonly failTrafficOnPanic: boolean;
}

function decodeZoneAware(message: ZoneAware): ZoneAwareConfig {
  const { routingEnabled: enabled, minClusterSize: sizeMin } = message;
  return {
    // Percents past 100 break a rule of the .proto file. Envoy counts whole ones only.
    enabledPercent: enabled === undefined ? ENABLED_PERCENT : Math.round(enabled.value),
    clusterSizeMin: sizeMin === undefined ? CLUSTER_SIZE_MIN : Number(sizeMin),
    failsOnPanic: message.failTrafficOnPanic,
    forceLocalMin: undefined,
    basis: "number",
  };
}

function decodeTypedZoneAware(
  message: LocalityLbConfig_ZoneAwareLbConfig,
  path: string,
  issues: Issue[],
): ZoneAwareConfig {
  const newer = ["force_local_zone", "force_locality_direct_routing", "locality_basis"];
  const schema = LocalityLbConfig_ZoneAwareLbConfigSchema;
  issues.push(...refuseFields(schema, message, [...ZONE_AWARE_FIELDS, ...newer], path));
  const { forceLocalZone: force } = message;
  if (force !== undefined) {
    const forceSchema = LocalityLbConfig_ZoneAwareLbConfig_ForceLocalZoneSchema;
    const at = joinPath(path, "force_local_zone");
    issues.push(...refuseFields(forceSchema, force, ["min_size"], at));
  }
  // The older way to say the same.
  const isDirect = message.forceLocalityDirectRouting;
  return {
    ...decodeZoneAware(message),
    forceLocalMin: force === undefined ? (isDirect ? 1 : undefined) : (force.minSize ?? 1),
    basis: message.localityBasis === LocalityBasis.HEALTHY_HOSTS_WEIGHT ? "weight" : "number",
  };
}
