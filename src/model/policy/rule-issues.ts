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

/** Fields that mean nothing without another, or that no proxy is told of. */
function fieldsWithoutEffect(policy: TrafficPolicyObject, path: string): readonly Issue[] {
  const { loadBalancer = {}, outlierDetection, retryBudget, connectionPool } = policy;
  const locality = loadBalancer.localityLbSetting;
  const { simple, warmup, warmupDurationSecs } = loadBalancer;
  const found: (readonly [field: string, isSet: boolean, why: string])[] = [];
  for (const field of ["failover", "failoverPriority"] as const) {
    const isSet = locality?.[field] !== undefined && outlierDetection === undefined;
    found.push([
      `loadBalancer.localityLbSetting.${field}`,
      isSet,
      "has no effect without outlierDetection beside it, which finds out what has failed",
    ]);
  }
  const isWarm = warmup !== undefined || warmupDurationSecs !== undefined;
  const cannotWarm =
    loadBalancer.consistentHash !== undefined || simple === "RANDOM" || simple === "PASSTHROUGH";
  found.push(
    [
      `loadBalancer.${warmup === undefined ? "warmupDurationSecs" : "warmup"}`,
      isWarm && cannotWarm,
      "has an effect with ROUND_ROBIN and LEAST_REQUEST only",
    ],
    [
      "outlierDetection.outlierDetectionHttpErrorCodes",
      (outlierDetection?.outlierDetectionHttpErrorCodes ?? []).length > 0,
      "is not built: all answers of 5xx count as errors",
    ],
    [
      "outlierDetection.consecutiveLocalOriginFailures",
      outlierDetection?.consecutiveLocalOriginFailures !== undefined &&
        outlierDetection.splitExternalLocalOriginErrors !== true,
      "has no effect without splitExternalLocalOriginErrors: true",
    ],
    [
      "retryBudget.budgetInterval",
      retryBudget?.budgetInterval !== undefined,
      "has no effect: proxies count the requests under way, over no span of time",
    ],
    [
      "connectionPool.http.http2KeepAlive",
      connectionPool?.http?.http2KeepAlive?.interval === undefined &&
        connectionPool?.http?.http2KeepAlive !== undefined,
      "has no effect without an interval",
    ],
  );
  return found.flatMap(([field, isSet, why]) => (isSet ? [warning(`${path}.${field}`, why)] : []));
}

function warning(path: string, message: string): Issue {
  return { path, message, severity: "warning" };
}
