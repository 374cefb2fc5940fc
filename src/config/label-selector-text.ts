import type { Result } from "../base/issue.ts";
import { type LabelSelector, validateLabelSelector } from "./label-selector.ts";

const KEY = String.raw`[\w./-]+`;
const REQUIREMENT = new RegExp(
  String.raw`^(?:!\s*(?<absent>${KEY})|(?<key>${KEY})(?:\s*(?<sign>==?|!=)\s*(?<value>[\w.-]*)|\s+(?<operator>in|notin)\s*\((?<values>[^()]*)\))?)$`,
);

/**
 * A selector as command lines and queries write it: `app=x,version!=v1,tier in (a,b),!old`. All
 * parts must hold; an empty text selects everything.
 */
export function parseLabelSelector(text: string): Result<LabelSelector> {
  const matchExpressions: NonNullable<LabelSelector["matchExpressions"]>[number][] = [];
  // Commas inside parentheses separate values, not requirements.
  for (const part of text.split(/,(?![^()]*\))/)) {
    if (part.trim() === "") continue;
    const groups = REQUIREMENT.exec(part.trim())?.groups;
    if (groups === undefined) {
      const message = `"${part.trim()}" is no requirement: KEY=VALUE, KEY!=VALUE, KEY in (A,B), KEY notin (A,B), KEY or !KEY`;
      return { ok: false, issues: [{ path: "", message }] };
    }
    matchExpressions.push(toExpression(groups));
  }
  const selector: LabelSelector = { matchExpressions };
  const issues = validateLabelSelector(selector, "");
  return issues.length === 0 ? { ok: true, value: selector } : { ok: false, issues };
}

function toExpression(
  groups: Readonly<Record<string, string | undefined>>,
): NonNullable<LabelSelector["matchExpressions"]>[number] {
  const { absent, key = "", sign, value = "", operator, values = "" } = groups;
  if (absent !== undefined) return { key: absent, operator: "DoesNotExist" };
  if (sign !== undefined) return { key, operator: sign === "!=" ? "NotIn" : "In", values: [value] };
  if (operator === undefined) return { key, operator: "Exists" };
  return {
    key,
    operator: operator === "in" ? "In" : "NotIn",
    values: values.split(",").map((one) => one.trim()),
  };
}
