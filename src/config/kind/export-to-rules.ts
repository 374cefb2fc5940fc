import type { Issue } from "../../base/issue.ts";
import { isDnsLabel } from "../format.ts";

/** What differs between kinds about `exportTo`. */
export interface ExportToRules {
  readonly path: string;
  /** The object's own, which `.` stands for; not known when a file does not say. */
  readonly namespace: string | undefined;
  /** `~`, nobody at all, is for services only. */
  readonly isNobodyAllowed?: boolean;
}

/** Namespaces that see an object: names, `.` for its own, or `*` alone for all. */
export function validateExportTo(
  exportTo: readonly string[] = [],
  { path, namespace, isNobodyAllowed = false }: ExportToRules,
): readonly Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  for (const [at, entry] of exportTo.entries()) {
    const where = `${path}[${at}]`;
    const name = entry === "." ? (namespace ?? ".") : entry;
    if (seen.has(name)) {
      issues.push({ path: where, message: `duplicate of "${name}"` });
    } else if (entry === "~" && !isNobodyAllowed) {
      const message = '"~" is only for ServiceEntry: this kind is always for somebody';
      issues.push({ path: where, message });
    } else if (!["*", ".", "~"].includes(entry) && !isDnsLabel(entry)) {
      const message = `must be a namespace, "." or "*": got "${entry}"`;
      issues.push({ path: where, message });
    }
    seen.add(name);
  }
  if (exportTo.length > 1) {
    const alone = ["*", "~"].find((one) => seen.has(one));
    if (alone !== undefined) {
      issues.push({ path, message: `"${alone}" must stand alone: leave out the rest, or it` });
    }
  }
  return issues;
}
