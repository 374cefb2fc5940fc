import type { parse } from "@bufbuild/cel";

/** A part of an expression. */
export type CelNode = ReturnType<typeof parse>["expr"];

/** Visits a node and all that it is made of. */
export function walk(node: CelNode, visit: (node: CelNode) => void): void {
  visit(node);
  for (const child of childrenOf(node)) walk(child, visit);
}

/** What a node is made of. */
export function childrenOf({ exprKind: kind }: CelNode): readonly CelNode[] {
  const all: (CelNode | undefined)[] = [];
  if (kind.case === "selectExpr") all.push(kind.value.operand);
  else if (kind.case === "callExpr") all.push(kind.value.target, ...kind.value.args);
  else if (kind.case === "listExpr") all.push(...kind.value.elements);
  else if (kind.case === "structExpr") {
    for (const { keyKind, value } of kind.value.entries) {
      all.push(keyKind.case === "mapKey" ? keyKind.value : undefined, value);
    }
  }
  return all.filter((one) => one !== undefined);
}
