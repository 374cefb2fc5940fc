import type { Issue } from "../../base/issue.ts";
import type { DestinationRule } from "../destination-rule.ts";
import { validateExportTo } from "../export-to.ts";
import { checkWildcardDomain, isHostLabel } from "../host.ts";
import { validateLabels } from "../metadata.ts";
import type { PolicySelector } from "../workload-selector.ts";
import { validateTrafficPolicy } from "./traffic-policy-rules.ts";

/** What Istio's webhook refuses about a DestinationRule beyond its schema. */
export function validateDestinationRule({ metadata, spec }: DestinationRule): readonly Issue[] {
  const namespace = metadata.namespace ?? "";
  const { workloadSelector } = spec;
  const hasWorkloadSelector = workloadSelector !== undefined;
  const wrong = checkWildcardDomain(spec.host);
  return [
    ...(wrong === undefined ? [] : [{ path: "spec.host", message: wrong }]),
    ...validateTrafficPolicy(spec.trafficPolicy, "spec.trafficPolicy", namespace),
    ...validateSubsets(spec.subsets ?? [], namespace),
    ...validateExportTo(spec.exportTo ?? [], { namespace, hasWorkloadSelector }),
    ...validatePolicySelector(workloadSelector, "spec.workloadSelector"),
  ];
}

/** Labels that select workloads: no wildcards, and some of them. */
export function validatePolicySelector(
  selector: PolicySelector | undefined,
  path: string,
): readonly Issue[] {
  if (selector === undefined) return [];
  const issues: Issue[] = [];
  const entries = Object.entries(selector.matchLabels ?? {});
  for (const [key, value] of entries) {
    const where = `${path}.matchLabels[${key}]`;
    if (key === "") issues.push({ path: where, message: "the key must not be empty" });
    if (key.includes("*") || value.includes("*")) {
      issues.push({ path: where, message: `must not have wildcards: got "${key}: ${value}"` });
    }
  }
  if (entries.length === 0) {
    const message = "has no labels: every workload of the namespace is selected";
    issues.push({ path, message, severity: "warning" });
  }
  return issues;
}

function validateSubsets(
  subsets: NonNullable<DestinationRule["spec"]["subsets"]>,
  namespace: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  const names = new Set<string>();
  for (const [at, { name, labels, trafficPolicy }] of subsets.entries()) {
    const path = `spec.subsets[${at}]`;
    if (!isHostLabel(name)) {
      issues.push({ path: `${path}.name`, message: `must be a DNS label: got "${name}"` });
    } else if (names.has(name)) {
      issues.push({ path: `${path}.name`, message: `duplicate of "${name}"` });
    }
    names.add(name);
    issues.push(...validateLabels(`${path}.labels`, labels));
    issues.push(...validateTrafficPolicy(trafficPolicy, `${path}.trafficPolicy`, namespace));
  }
  return issues;
}
