import { type CelNode, childrenOf } from "./nodes.ts";

/** Fields of messages that Envoy has and nobody here keeps. */
const UNBUILT: readonly RegExp[] = [
  /^xds\.node\.(?!id$|cluster$|locality(?:\.zone)?$)/,
  /^xds\.\w+_metadata\.(?!filter_metadata(?:\.|$))/,
  /^xds\.upstream_host_locality_metadata(?:\.|$)/,
  /^metadata\.(?!filter_metadata(?:\.|$))/,
];

/** What can only be asked for something inside of it. */
const WHOLES = [
  /^(?:request|response|connection|upstream|source|destination|(?:upstream_)?filter_state|xds)$/,
  /^(?:upstream\.locality|xds\.node(?:\.locality)?)$/,
  /^(?:xds\.\w+_metadata|metadata)(?:\.filter_metadata)?$/,
];

/** Refuses attributes that are not kept, which would come to nothing. */
export function checkPaths(node: CelNode, tell: (message: string) => void): void {
  const path = pathOf(node);
  if (path !== undefined) {
    if (UNBUILT.some((unbuilt) => unbuilt.test(path))) tell(`${path} is not supported yet`);
    else if (WHOLES.some((one) => one.test(path)))
      tell(`${path} as a whole is not supported yet: name what is asked of it`);
    return;
  }
  const { exprKind: kind } = node;
  // Whether something is in a map is asked of the map.
  const isSearch = kind.case === "callExpr" && kind.value.function === "@in";
  for (const [at, child] of childrenOf(node).entries()) {
    if (!isSearch || at === 0 || pathOf(child) === undefined) checkPaths(child, tell);
  }
}

/** `a.b.c` of what is selected by names that are known before; `undefined` for anything else. */
function pathOf({ exprKind: kind }: CelNode): string | undefined {
  if (kind.case === "identExpr") return kind.value.name;
  if (kind.case === "selectExpr") {
    const { operand, field } = kind.value;
    const path = operand && pathOf(operand);
    return path && `${path}.${field}`;
  }
  if (kind.case !== "callExpr" || kind.value.function !== "_[_]") return undefined;
  const [operand, key] = kind.value.args;
  const path = operand && pathOf(operand);
  if (path === undefined || key?.exprKind.case !== "constExpr") return undefined;
  const { constantKind } = key.exprKind.value;
  return constantKind.case === "stringValue" ? `${path}.${constantKind.value}` : undefined;
}
