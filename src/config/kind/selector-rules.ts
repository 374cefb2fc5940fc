import type { Issue } from "../../base/issue.ts";
import { validateLabels } from "../metadata.ts";

/**
 * The labels of a workload selector: they are exact, a `*` in them would match nothing. A selector
 * without any (`{}`) selects every workload, which its author may not have meant.
 */
export function validateSelector(
  labels: Readonly<Record<string, string>> = {},
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [key, value] of Object.entries(labels)) {
    const where = `${path}[${key}]`;
    if (key === "") {
      issues.push({ path, message: "the key of a label must not be empty" });
    } else if (key.includes("*")) {
      issues.push({ path: where, message: `wildcards are not allowed in a key: got "${key}"` });
    } else if (value.includes("*")) {
      issues.push({ path: where, message: `wildcards are not allowed in a value: got "${value}"` });
    } else {
      issues.push(...validateLabels(path, { [key]: value }));
    }
  }
  if (Object.keys(labels).length === 0) {
    const message = "selects every workload of the namespace: it has no labels";
    issues.push({ path, message, severity: "warning" });
  }
  return issues;
}
