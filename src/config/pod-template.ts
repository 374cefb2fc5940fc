import type { Issue } from "../base/issue.ts";
import { isSameJson } from "./json.ts";
import type { LabelSelector } from "./label-selector.ts";
import {
  formatLabelSelector,
  matchLabelSelector,
  validateLabelSelector,
} from "./label-selector.ts";
import { templateMetadataSchema, validateLabels } from "./metadata.ts";
import { podSpecSchema, validatePodSpec } from "./pod-spec.ts";
import type { Infer } from "./schema.ts";
import { object, required } from "./schema.ts";

/** What pods are made from. */
export const podTemplateSchema = object({
  metadata: templateMetadataSchema,
  spec: required(podSpecSchema),
});

/** core/v1 PodTemplateSpec. */
export type PodTemplate = Infer<typeof podTemplateSchema>;

interface PodMaker {
  readonly spec: { readonly selector: LabelSelector; readonly template: PodTemplate };
}

/** What `-o wide` shows of whatever makes pods. */
export const POD_TEMPLATE_COLUMNS = [
  {
    name: "Containers",
    type: "string",
    priority: 1,
    cell: ({ spec }: PodMaker) => spec.template.spec.containers.map((one) => one.name).join(","),
  },
  {
    name: "Images",
    type: "string",
    priority: 1,
    cell: ({ spec }: PodMaker) =>
      spec.template.spec.containers.map((one) => one.image ?? "").join(","),
  },
  {
    name: "Selector",
    type: "string",
    priority: 1,
    cell: ({ spec }: PodMaker) => formatLabelSelector(spec.selector),
  },
] as const;

/** The rules of `spec.selector` and `spec.template` of what makes pods. */
export function validatePodTemplate(
  selector: LabelSelector,
  template: PodTemplate,
): readonly Issue[] {
  const labels = template.metadata?.labels;
  const issues = [
    ...validateLabelSelector(selector, "spec.selector"),
    ...validateLabels("spec.template.metadata.labels", labels),
    ...validatePodSpec(template.spec, "spec.template.spec"),
  ];
  const isEmpty =
    Object.keys(selector.matchLabels ?? {}).length === 0 &&
    (selector.matchExpressions ?? []).length === 0;
  if (isEmpty) {
    issues.push({ path: "spec.selector", message: "must not be empty, it would select every pod" });
  } else if (!matchLabelSelector(selector, labels)) {
    issues.push({
      path: "spec.template.metadata.labels",
      message: `must satisfy spec.selector: got ${JSON.stringify(labels ?? {})}`,
    });
  }
  const { restartPolicy = "Always" } = template.spec;
  if (restartPolicy !== "Always") {
    issues.push({
      path: "spec.template.spec.restartPolicy",
      message: `must be Always: got "${restartPolicy}"`,
    });
  }
  return issues;
}

/** A selector may not change: pods of the old one would be nobody's. */
export function validateSelectorUpdate(
  selector: LabelSelector,
  old: LabelSelector,
): readonly Issue[] {
  if (isSameJson(selector, old)) return [];
  return [
    { path: "spec.selector", message: "may not be changed: delete the object and make it anew" },
  ];
}
