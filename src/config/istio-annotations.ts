import type { Issue } from "../base/issue.ts";
import type { ObjectMeta } from "./object.ts";

/** Annotations that Istio's webhook refuses, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  "internal.istio.io/webhook-always-reject": "asks for the object to be refused",
  "internal.istio.io/parents": "is for objects that a control plane makes",
  "internal.istio.io/parent-namespace": "is for objects that a control plane makes",
};
const DRY_RUN = "istio.io/dry-run";

/** What Istio's webhook refuses about the metadata of all of its kinds. */
export function validateIstioAnnotations(
  { annotations = {} }: ObjectMeta,
  kind: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const name of Object.keys(annotations)) {
    const path = `metadata.annotations[${name}]`;
    const why = REFUSED[name];
    if (why !== undefined) issues.push({ path, message: why });
    if (name === DRY_RUN && kind !== "AuthorizationPolicy") {
      issues.push({ path, message: "is only for AuthorizationPolicy: remove it" });
    }
  }
  return issues;
}
