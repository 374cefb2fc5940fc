import { formatIssue } from "../../base/issue.ts";
import { isJsonObject, own } from "../../config/json.ts";
import type { Kind } from "../../config/kind.ts";
import { matchLabelSelector } from "../../config/label-selector.ts";
import { parseLabelSelector } from "../../config/label-selector-text.ts";
import type { KubeObject } from "../../config/object.ts";
import { ApiError } from "./status.ts";

/** Whether an object is among those that were asked for. */
export type Predicate = (object: KubeObject) => boolean;

/** Kubernetes' `labelSelector`: `app=reviews,version in (v1, v2),!canary`. */
export function labelPredicate(text: string): Predicate {
  const selector = parseLabelSelector(text);
  if (!selector.ok) {
    const why = selector.issues.map(formatIssue).join("; ");
    throw new ApiError("BadRequest", `unable to parse the label selector "${text}": ${why}`);
  }
  return ({ metadata }) => matchLabelSelector(selector.value, metadata.labels);
}

const FIELDS_OF_ALL = ["metadata.name", "metadata.namespace"];

/** The fields that may be selected by, by kind; Kubernetes knows no others either. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
  ],
  Event: [
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.resourceVersion",
    "involvedObject.uid",
    "reason",
    "reportingComponent",
    "source",
    "type",
  ],
  Namespace: ["status.phase"],
  Node: ["spec.unschedulable"],
  ReplicaSet: ["status.replicas"],
  Secret: ["type"],
  Service: ["spec.clusterIP", "spec.type"],
};

/** Kubernetes' `fieldSelector`: `status.phase!=Running,spec.nodeName=weft`. */
export function fieldPredicate(text: string, kind: Kind): Predicate {
  const known = [...FIELDS_OF_ALL, ...(FIELDS[kind.kind] ?? [])];
  const parts = (text.trim() === "" ? [] : text.split(",")).map((part): Predicate => {
    const match = /^([^=!]+?)\s*(==|=|!=)\s*(.*)$/.exec(part.trim());
    const [, field = "", operator, value] = match ?? [];
    if (match === null) {
      throw new ApiError("BadRequest", `unable to parse the field selector "${text}" at "${part}"`);
    }
    if (!known.includes(field)) {
      const message = `field label not supported: ${field} (known: ${known.join(", ")})`;
      throw new ApiError("BadRequest", message);
    }
    const path = field.split(".");
    return (object) => (textAt(object, path) === value) === (operator !== "!=");
  });
  return (object) => parts.every((part) => part(object));
}

/** The scalar at a path as text; "" where there is none. */
function textAt(object: KubeObject, path: readonly string[]): string {
  let value: unknown = object;
  for (const name of path) value = isJsonObject(value) ? own(value, name) : undefined;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : "";
}
