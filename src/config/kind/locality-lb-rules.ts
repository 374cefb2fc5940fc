import type { Issue } from "../../base/issue.ts";
import type { LocalityLbSetting } from "../locality-lb-setting.ts";

/** Labels of a node that say what a locality says too. */
const TOPOLOGY_LABELS = [
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.istio.io/subzone",
];

/** `localityLbSetting` of a load balancer, and of the mesh. */
export function validateLocalityLbSetting(
  setting: LocalityLbSetting | undefined,
  path: string,
  hasOutlierDetection: boolean,
): readonly Issue[] {
  if (setting === undefined) return [];
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  const issues: Issue[] = [];
  if (distribute.length > 0 && failover.length > 0) {
    issues.push({ path: `${path}.failover`, message: "must not stand beside distribute" });
  }
  for (const [at, label] of failoverPriority.entries()) {
    if (failover.length === 0 || !TOPOLOGY_LABELS.includes(label)) continue;
    const message = `"${label}" must not stand beside failover`;
    issues.push({ path: `${path}.failoverPriority[${at}]`, message });
  }
  if (failover.length + failoverPriority.length > 0 && !hasOutlierDetection) {
    const message = "has no failover without outlierDetection: no endpoint is ever unhealthy";
    issues.push({ path, message, severity: "warning" });
  }
  return [
    ...issues,
    ...validateDistribute(distribute, `${path}.distribute`),
    ...failover.flatMap((one, at) => validateFailover(one, `${path}.failover[${at}]`)),
  ];
}

function validateDistribute(
  distribute: NonNullable<LocalityLbSetting["distribute"]>,
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [at, { to = {} }] of distribute.entries()) {
    const where = `${path}[${at}].to`;
    let sum = 0;
    for (const [locality, weight] of Object.entries(to)) {
      sum += weight;
      if (weight >= 1 && weight <= 100) continue;
      const message = `must be between 1 and 100: got ${weight}`;
      issues.push({ path: `${where}[${locality}]`, message });
    }
    if (sum !== 100) {
      issues.push({ path: where, message: `the weights must add up to 100: got ${sum}` });
    }
    const names = Object.keys(to);
    issues.push(...validateLocalities(names, (name) => `${where}[${names[name]}]`));
  }
  const from = distribute.map((one) => one.from ?? "");
  return [...issues, ...validateLocalities(from, (at) => `${path}[${at}].from`)];
}

/** Localities in one list may not cover each other, whatever their order. */
function validateLocalities(
  localities: readonly string[],
  pathOf: (at: number) => string,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [at, locality] of localities.entries()) {
    const path = pathOf(at);
    const wrong = checkLocality(locality);
    if (wrong !== undefined) {
      issues.push({ path, message: wrong });
      continue;
    }
    const other = localities
      .slice(0, at)
      .find((one) => isWithin(one, locality) || isWithin(locality, one));
    if (other !== undefined) {
      issues.push({ path, message: `"${locality}" overlaps with "${other}"` });
    }
  }
  return issues;
}

function checkLocality(locality: string): string | undefined {
  const star = locality.indexOf("*");
  if (star !== -1 && star !== locality.length - 1) {
    return `"*" must be the last character: got "${locality}"`;
  }
  if (locality.split("/", 3).every((part) => part !== "")) return undefined;
  return `must be region, region/zone or region/zone/sub-zone: got "${locality}"`;
}

/** Whether a locality is one of those that another stands for: `a/b` of `a`, `a/*` and `*`. */
function isWithin(inner: string, outer: string): boolean {
  const prefix = outer.replace(/\/?\*$/, "");
  return prefix === "" || inner === prefix || inner.startsWith(`${prefix}/`);
}

function validateFailover(
  { from = "", to = "" }: NonNullable<LocalityLbSetting["failover"]>[number],
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  if (from === to) {
    issues.push({ path: `${path}.to`, message: `must be another region than from: got "${to}"` });
  }
  for (const [field, region] of [["from", from] as const, ["to", to] as const]) {
    if (!/[*/]/.test(region)) continue;
    const message = `must be a region, without "/" and "*": got "${region}"`;
    issues.push({ path: `${path}.${field}`, message });
  }
  return issues;
}
