import type { Issue } from "../base/issue.ts";
import { isHostLabel } from "./host.ts";
import { array, string } from "./schema.ts";

/** `exportTo` of Istio's kinds: namespaces, `.` for the object's own, `*` for all. */
export const exportToSchema = array(string(), {
  description: 'Namespaces that see it; "." is its own, "*" is all. None is what the mesh says.',
});

/** What differs between kinds about `exportTo`. */
export interface ExportToRules {
  /** The object's own. */
  readonly namespace: string;
  /** A ServiceEntry may be seen by nobody, `~`. */
  readonly isServiceEntry?: boolean;
  /** A DestinationRule for some workloads stays in its namespace. */
  readonly hasWorkloadSelector?: boolean;
}

/** What Istio's webhook refuses about `spec.exportTo`. */
export function validateExportTo(
  exportTo: readonly string[],
  { namespace, isServiceEntry = false, hasWorkloadSelector = false }: ExportToRules,
): readonly Issue[] {
  const issues: Issue[] = [];
  const seen = new Map<string, number>();
  for (const [at, entry] of exportTo.entries()) {
    const path = `spec.exportTo[${at}]`;
    const key = entry === "." ? namespace : entry;
    const before = seen.get(key);
    if (before === undefined) seen.set(key, at);
    else issues.push({ path, message: `"${entry}" is the same as "${exportTo[before]}"` });
    const isNobody = entry === "~" && isServiceEntry;
    if (entry === "." || entry === "*" || isNobody) {
      if (entry === "." || exportTo.length === 1) continue;
      issues.push({ path, message: `"${entry}" must be the only entry` });
    } else if (!isHostLabel(entry)) {
      const message = `must be a namespace, "." or "*": got ${JSON.stringify(entry)}`;
      issues.push({ path, message });
    }
  }
  if (hasWorkloadSelector && exportTo.some((entry) => entry !== "." && entry !== namespace)) {
    const message = 'must be ["."] or absent beside a workloadSelector';
    issues.push({ path: "spec.exportTo", message });
  }
  return issues;
}
