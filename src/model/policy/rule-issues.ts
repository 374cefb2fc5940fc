import type { Issue } from "../../base/issue.ts";
import { formatKey, keyText, type ObjectKey } from "../../config/object.ts";
import type { TrafficPolicy as TrafficPolicyObject } from "../../config/traffic-policy.ts";
import { type DestinationRule, type MergedRule, mergedRules } from "../destination-rule.ts";
import type { Service } from "../service.ts";

/**
 * What a DestinationRule says in vain, whoever asks: what a rule that is merged with it says first,
 * ports that no service has, and fields that need others. `services` are those of its host.
 */
export function ruleIssues(
  rule: DestinationRule,
  neighbours: readonly DestinationRule[],
  services: readonly Service[],
): readonly Issue[] {
  const { trafficPolicy, subsets = [] } = rule.object.spec;
  const issues: Issue[] = [...overruled(rule, neighbours)];
  const policies = [
    { policy: trafficPolicy, path: "spec.trafficPolicy" },
    ...subsets.map((subset, at) => ({
      policy: subset.trafficPolicy,
      path: `spec.subsets[${at}].trafficPolicy`,
    })),
  ];
  const ports = new Set(services.flatMap((service) => service.ports.map(({ number }) => number)));
  for (const { policy, path } of policies) {
    if (policy === undefined) continue;
    issues.push(...unknownPorts(policy, path, ports), ...fieldsWithoutEffect(policy, path));
    for (const [at, ofPort] of (policy.portLevelSettings ?? []).entries()) {
      issues.push(...fieldsWithoutEffect(ofPort, `${path}.portLevelSettings[${at}]`));
    }
  }
  return issues;
}

/** Of rules that are one, the oldest that says something of the host or of a subset counts. */
function overruled(
  rule: DestinationRule,
  neighbours: readonly DestinationRule[],
): readonly Issue[] {
  const part = partOf(rule, neighbours);
  if (part === undefined) return [];
  const { trafficPolicy, subsets = [] } = rule.object.spec;
  const issues: Issue[] = [];
  const owner = part.written?.origin.key;
  if (trafficPolicy !== undefined && owner !== undefined && !isSame(owner, rule)) {
    const message = `has no effect: ${formatKey(owner)} is for the same host and older, and its policy counts`;
    issues.push(warning("spec.trafficPolicy", message));
  }
  for (const [at, { name }] of subsets.entries()) {
    const known = part.subsets.find((subset) => subset.name === name)?.origin.key;
    if (known === undefined || isSame(known, rule)) continue;
    const message = `subset "${name}" of ${rule.host} is defined by ${formatKey(known)}, which is older and counts`;
    issues.push(warning(`spec.subsets[${at}].name`, message));
  }
  return issues;
}

function isSame(key: ObjectKey, rule: DestinationRule): boolean {
  return keyText(key) === keyText(rule.key);
}

function partOf(
  rule: DestinationRule,
  neighbours: readonly DestinationRule[],
): MergedRule | undefined {
  return mergedRules(neighbours).find(({ rules }) => rules.some(({ key }) => isSame(key, rule)));
}

function unknownPorts(
  { portLevelSettings = [] }: TrafficPolicyObject,
  path: string,
  ports: ReadonlySet<number>,
): readonly Issue[] {
  if (ports.size === 0) return [];
  return portLevelSettings.flatMap(({ port }, at) => {
    const number = port?.number;
    if (number === undefined || ports.has(number)) return [];
    const known = [...ports].join(", ");
    const message = `no service of the host has port ${number}: they have ${known}`;
    return [warning(`${path}.portLevelSettings[${at}].port.number`, message)];
  });
}

/** A field that has no effect beside what else is said, or that no proxy is told of. */
interface VainField {
  readonly field: string;
  readonly why: string;
  readonly isVain: (policy: TrafficPolicyObject) => boolean;
}

const WITHOUT_DETECTION =
  "has no effect without outlierDetection beside it, which finds out what has failed";
const WITHOUT_WARMUP = "has an effect with ROUND_ROBIN and LEAST_REQUEST only";

const VAIN_FIELDS: readonly VainField[] = [
  {
    field: "loadBalancer.localityLbSetting.failover",
    why: WITHOUT_DETECTION,
    isVain: ({ loadBalancer, outlierDetection }) =>
      loadBalancer?.localityLbSetting?.failover !== undefined && outlierDetection === undefined,
  },
  {
    field: "loadBalancer.localityLbSetting.failoverPriority",
    why: WITHOUT_DETECTION,
    isVain: ({ loadBalancer, outlierDetection }) =>
      loadBalancer?.localityLbSetting?.failoverPriority !== undefined &&
      outlierDetection === undefined,
  },
  {
    field: "loadBalancer.warmup",
    why: WITHOUT_WARMUP,
    isVain: (policy) => policy.loadBalancer?.warmup !== undefined && cannotWarm(policy),
  },
  {
    field: "loadBalancer.warmupDurationSecs",
    why: WITHOUT_WARMUP,
    isVain: (policy) => policy.loadBalancer?.warmupDurationSecs !== undefined && cannotWarm(policy),
  },
  {
    field: "outlierDetection.outlierDetectionHttpErrorCodes",
    why: "is not built: all answers of 5xx count as errors",
    isVain: ({ outlierDetection }) =>
      (outlierDetection?.outlierDetectionHttpErrorCodes ?? []).length > 0,
  },
  {
    field: "outlierDetection.consecutiveLocalOriginFailures",
    why: "has no effect without splitExternalLocalOriginErrors: true",
    isVain: ({ outlierDetection: detection }) =>
      detection?.consecutiveLocalOriginFailures !== undefined &&
      detection.splitExternalLocalOriginErrors !== true,
  },
  {
    field: "retryBudget.budgetInterval",
    why: "has no effect: proxies count the requests under way, over no span of time",
    isVain: ({ retryBudget }) => retryBudget?.budgetInterval !== undefined,
  },
  {
    field: "connectionPool.http.http2KeepAlive",
    why: "has no effect without an interval",
    isVain: ({ connectionPool }) => {
      const keepAlive = connectionPool?.http?.http2KeepAlive;
      return keepAlive !== undefined && keepAlive.interval === undefined;
    },
  },
];

function cannotWarm({ loadBalancer = {} }: TrafficPolicyObject): boolean {
  const { simple, consistentHash } = loadBalancer;
  return consistentHash !== undefined || simple === "RANDOM" || simple === "PASSTHROUGH";
}

function fieldsWithoutEffect(policy: TrafficPolicyObject, path: string): readonly Issue[] {
  return VAIN_FIELDS.flatMap(({ field, why, isVain }) =>
    isVain(policy) ? [warning(`${path}.${field}`, why)] : [],
  );
}

function warning(path: string, message: string): Issue {
  return { path, message, severity: "warning" };
}
