/** One place in a tree of arguments: what was computed there, and the next argument's places. */
interface MemoNode<R> {
  result?: { readonly value: R };
  objects?: WeakMap<object, MemoNode<R>>;
  values?: Map<unknown, MemoNode<R>>;
}

/**
 * The same function, which computes only once for the same arguments (objects by identity).
 *
 * For pure functions of immutable values, so that an unchanged input costs a look-up. A result
 * lives as long as the objects it was computed from: the first argument must be an object, and
 * text and numbers among the others should come from a small set.
 */
export function memoise<Args extends readonly [object, ...unknown[]], R>(
  compute: (...args: Args) => R,
): (...args: Args) => R {
  const root: MemoNode<R> = {};
  return (...args) => {
    let node = root;
    for (const arg of args) node = next(node, arg);
    if (node.result !== undefined) return node.result.value;
    depth += 1;
    try {
      node.result = { value: compute(...args) };
    } finally {
      depth -= 1;
    }
    return node.result.value;
  };
}

/** How many memoised functions are computing, one inside the other. */
let depth = 0;

/** Whether a memoised function is computing: all that it reads has to be among its arguments. */
export function isRemembering(): boolean {
  return depth > 0;
}

function next<R>(node: MemoNode<R>, arg: unknown): MemoNode<R> {
  if (typeof arg === "object" && arg !== null) {
    node.objects ??= new WeakMap();
    const known = node.objects.get(arg);
    if (known !== undefined) return known;
    const made: MemoNode<R> = {};
    node.objects.set(arg, made);
    return made;
  }
  node.values ??= new Map();
  const known = node.values.get(arg);
  if (known !== undefined) return known;
  const made: MemoNode<R> = {};
  node.values.set(arg, made);
  return made;
}

/** The earlier array when it holds the same elements, so that its identity says "unchanged". */
export function keepIdentity<T>(
  earlier: readonly T[] | undefined,
  current: readonly T[],
): readonly T[] {
  if (earlier?.length !== current.length) return current;
  return current.every((element, index) => element === earlier[index]) ? earlier : current;
}
