import { memoise } from "../base/memo.ts";
import { type KubeObject, keyOf, type ObjectKey } from "../config/object.ts";
import type { Labels } from "./labels.ts";
import type { ObjectIssue } from "./origin.ts";

/**
 * The label that asks for automatic scope, of a pod or of its namespace, with "true" or "false"; the
 * pod's counts before the namespace's, and without any a proxy sees what the mesh exports to it.
 */
const AUTOMATIC_SCOPE_LABEL = "weft.dev/automatic-scope";

/** What the namespaces of a mesh ask for. */
export interface NamespaceScopes {
  /** Those whose workloads are in automatic scope where their pods do not say otherwise. */
  readonly namespaces: ReadonlySet<string>;
  readonly issues: readonly ObjectIssue[];
}

/** Reads the labels of all namespaces. */
export const namespaceScopes = memoise((objects: readonly KubeObject[]): NamespaceScopes => {
  const namespaces = new Set<string>();
  const issues: ObjectIssue[] = [];
  for (const object of objects) {
    const labels = object.metadata.labels ?? {};
    if (readScopeLabel(labels) === "true") namespaces.add(object.metadata.name);
    issues.push(...scopeLabelIssues(keyOf(object), labels));
  }
  return { namespaces, issues };
});

/** What is wrong with the label of a namespace or a pod. */
function scopeLabelIssues(object: ObjectKey, labels: Labels): readonly ObjectIssue[] {
  const value = labels[AUTOMATIC_SCOPE_LABEL];
  if (value === undefined || readScopeLabel(labels) !== undefined) return [];
  const path = `metadata.labels[${AUTOMATIC_SCOPE_LABEL}]`;
  const message = `is "${value}" and counts for nothing: write "true" or "false"`;
  return [{ object, issue: { path, message, severity: "warning" } }];
}

/** What the label says of an object; `undefined` when it is not there, or says neither. */
export function readScopeLabel(labels: Labels): "true" | "false" | undefined {
  const value = labels[AUTOMATIC_SCOPE_LABEL];
  return value === "true" || value === "false" ? value : undefined;
}
