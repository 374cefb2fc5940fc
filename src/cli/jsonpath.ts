import type { Result } from "../base/issue.ts";
import {
  type JsonPathNode,
  type Operand,
  type Path,
  parseJsonPath,
  type Step,
} from "./jsonpath-parse.ts";
import { sortNames } from "./sort-names.ts";

/** A template in kubectl's JSONPath, ready to be filled. */
export type JsonPathTemplate = (value: unknown) => string;

/**
 * Compiles what stands after `-o jsonpath=`: text, `{.paths[0].of['fields']}`, `[*]`, slices,
 * filters (`[?(@.name=="http")]`), `{range}…{end}` and quoted text. What is missing prints nothing,
 * several values stand beside each other with a space between, as kubectl has it.
 */
export function compileJsonPath(template: string): Result<JsonPathTemplate> {
  const parsed = parseJsonPath(template);
  if (!parsed.ok) return parsed;
  return { ok: true, value: (root) => fill(parsed.value, root, root) };
}

function fill(nodes: readonly JsonPathNode[], root: unknown, current: unknown): string {
  return nodes
    .map((node) => {
      switch (node.type) {
        case "text":
          return node.text;
        case "path":
          return walk(node.path, root, current).map(show).join(" ");
        case "range":
          return walk(node.path, root, current)
            .map((item) => fill(node.body, root, item))
            .join("");
      }
    })
    .join("");
}

function walk({ isFromRoot, steps }: Path, root: unknown, current: unknown): readonly unknown[] {
  let values: readonly unknown[] = [isFromRoot ? root : current];
  for (const step of steps) values = values.flatMap((value) => take(step, value, root));
  return values;
}

function take(step: Step, value: unknown, root: unknown): readonly unknown[] {
  switch (step.type) {
    case "field": {
      const isHolder = typeof value === "object" && value !== null && !Array.isArray(value);
      if (!isHolder || !Object.hasOwn(value, step.name)) return [];
      return [(value as Readonly<Record<string, unknown>>)[step.name]];
    }
    case "wildcard":
      if (Array.isArray(value)) return value;
      return typeof value === "object" && value !== null ? Object.values(value) : [];
    case "index":
      return Array.isArray(value) ? value.slice(step.at, step.at + 1 || undefined) : [];
    case "slice":
      return Array.isArray(value) ? value.slice(step.from, step.to) : [];
    case "union":
      return step.steps.flatMap((one) => take(one, value, root));
    case "filter":
      if (!Array.isArray(value)) return [];
      return value.filter((item) => {
        if (step.operator === undefined) return operand(step.left, root, item) !== undefined;
        return compare(
          operand(step.left, root, item),
          step.operator,
          operand(step.right, root, item),
        );
      });
  }
}

function operand(side: Operand, root: unknown, item: unknown): unknown {
  return side.type === "literal" ? side.value : walk(side.path, root, item)[0];
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (operator === "==") return left === right;
  if (operator === "!=") return left !== right;
  const isComparable =
    (typeof left === "number" && typeof right === "number") ||
    (typeof left === "string" && typeof right === "string");
  if (!isComparable) return false;
  if (operator === "<") return left < right;
  if (operator === "<=") return left <= right;
  if (operator === ">") return left > right;
  return left >= right;
}

function show(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(sortNames(value));
}
