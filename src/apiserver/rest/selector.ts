import { isLabelKey, isLabelValue } from "../../config/format.ts";
import { isJsonObject, own } from "../../config/json.ts";
import type { Kind } from "../../config/kind.ts";
import type { KubeObject } from "../../config/object.ts";
import { ApiError } from "./status.ts";

/** Whether an object is among those that were asked for. */
export type Predicate = (object: KubeObject) => boolean;

/** Kubernetes' `labelSelector`: `app=reviews,version in (v1, v2),!canary`. */
export function parseLabelSelector(text: string): Predicate {
  const parts = splitOutside(text).map((part) => labelRequirement(part.trim(), text));
  return ({ metadata: { labels = {} } }) => parts.every((part) => part(labels));
}

type LabelPredicate = (labels: Readonly<Record<string, string>>) => boolean;

const REQUIREMENT =
  /^(!?)\s*([^\s=!,()]+)\s*(?:(==|=|!=)\s*([^\s=!,()]*)|(in|notin)\s*\(([^()]*)\))?$/;

function labelRequirement(part: string, text: string): LabelPredicate {
  const match = REQUIREMENT.exec(part);
  const [, not, key = "", operator, value = "", setOperator, list = ""] = match ?? [];
  const values = setOperator === undefined ? [value] : list.split(",").map((one) => one.trim());
  const hasOperator = operator !== undefined || setOperator !== undefined;
  const isWrong = match === null || !isLabelKey(key) || (not === "!" && hasOperator);
  if (isWrong || !values.every(isLabelValue)) {
    throw new ApiError("BadRequest", `unable to parse the label selector "${text}" at "${part}"`);
  }
  const isNegative = not === "!" || operator === "!=" || setOperator === "notin";
  return (labels) => {
    const found = own(labels, key);
    const holds = found !== undefined && (!hasOperator || values.includes(found));
    return isNegative ? !holds : holds;
  };
}

/** At commas that do not stand in brackets. */
function splitOutside(text: string): readonly string[] {
  if (text.trim() === "") return [];
  return text.split(/,(?![^(]*\))/);
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
export function parseFieldSelector(text: string, kind: Kind): Predicate {
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
