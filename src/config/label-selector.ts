import type { Issue } from "../base/issue.ts";
import { own } from "./json.ts";
import { validateLabels } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, map, object, required, string } from "./schema.ts";

/** Which objects, by their labels; all requirements must hold, and an empty one selects all. */
export const labelSelectorSchema = object({
  matchLabels: map(string()),
  matchExpressions: array(
    object({
      key: required(string({ minLength: 1 })),
      operator: required(string({ enum: ["In", "NotIn", "Exists", "DoesNotExist"] })),
      values: array(string()),
    }),
  ),
});

/** metav1.LabelSelector. */
export type LabelSelector = Infer<typeof labelSelectorSchema>;

type Labels = Readonly<Record<string, string>>;

/** Whether labels satisfy every requirement of a selector. */
export function matchLabelSelector(selector: LabelSelector, labels: Labels = {}): boolean {
  return (
    matchLabels(selector.matchLabels, labels) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = own(labels, key);
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
      }
    })
  );
}

/** Whether labels have all that are wanted; no wish is fulfilled by every object. */
export function matchLabels(wanted: Labels | undefined, labels: Labels = {}): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => own(labels, key) === value);
}

/** As people write it after `-l`: `app=reviews,version in (v1,v2)`. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  const parts = Object.entries(selector?.matchLabels ?? {}).map(
    ([key, value]) => `${key}=${value}`,
  );
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    if (operator === "Exists") parts.push(key);
    else if (operator === "DoesNotExist") parts.push(`!${key}`);
    else parts.push(`${key} ${operator === "In" ? "in" : "notin"} (${values.join(",")})`);
  }
  return parts.join(",");
}

/** The rules of `matchLabels` and `matchExpressions`. */
export function validateLabelSelector(selector: LabelSelector, path: string): readonly Issue[] {
  const issues = [...validateLabels(`${path}.matchLabels`, selector.matchLabels)];
  for (const [at, { operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const isList = operator === "In" || operator === "NotIn";
    if (isList === values.length > 0) continue;
    issues.push({
      path: `${path}.matchExpressions[${at}].values`,
      message: isList ? `must not be empty for ${operator}` : `must be empty for ${operator}`,
    });
  }
  return issues;
}
