/** What stands for "nothing is remembered": a result may be `undefined`. */
const ABSENT = Symbol("absent");

/** What is remembered by one argument: a result by the last one, otherwise the level of the next. */
class Level<V> {
  #objects: WeakMap<object, V> | undefined;
  /** The first argument that is no object; there is seldom another. */
  #key: unknown = ABSENT;
  #value: V | undefined;
  #others: Map<unknown, V> | undefined;

  get(arg: unknown): V | typeof ABSENT {
    if (isObject(arg)) return found(this.#objects, arg);
    if (arg === this.#key) return this.#value as V;
    return found(this.#others, arg);
  }

  set(arg: unknown, value: V): void {
    if (isObject(arg)) {
      this.#objects ??= new WeakMap();
      this.#objects.set(arg, value);
    } else if (this.#key === ABSENT) {
      this.#key = arg;
      this.#value = value;
    } else {
      this.#others ??= new Map();
      this.#others.set(arg, value);
    }
  }
}

function isObject(arg: unknown): arg is object {
  return typeof arg === "object" && arg !== null;
}

function found<K, V>(
  map: { get(key: K): V | undefined; has(key: K): boolean } | undefined,
  key: K,
): V | typeof ABSENT {
  const value = map?.get(key);
  return value !== undefined || map?.has(key) === true ? (value as V) : ABSENT;
}

/**
 * The same function, which computes only once for the same arguments (objects by identity).
 *
 * For pure functions of immutable values, so that an unchanged input costs a look-up. A result
 * lives as long as the objects it was computed from: the first argument must be an object, and
 * text and numbers among the others should come from a small set. All arguments count: given to
 * `map` as it is, it would be called with the place and the list as well, and remember nothing.
 */
export function memoise<Args extends readonly [object, ...unknown[]], R>(
  compute: (...args: Args) => R,
): (...args: Args) => R {
  /** By the number of arguments. */
  const roots: Level<unknown>[] = [];
  return (...args) => {
    const last = args.length - 1;
    roots[last] ??= new Level();
    let level = roots[last];
    for (let index = 0; index < last; index++) level = nextLevel(level, args[index]);
    const known = level.get(args[last]);
    if (known !== ABSENT) return known as R;
    depth += 1;
    try {
      const result = compute(...args);
      level.set(args[last], result);
      return result;
    } finally {
      depth -= 1;
    }
  };
}

function nextLevel(level: Level<unknown>, arg: unknown): Level<unknown> {
  const known = level.get(arg);
  if (known !== ABSENT) return known as Level<unknown>;
  const made = new Level<unknown>();
  level.set(arg, made);
  return made;
}

/** How many memoised functions are computing, one inside the other. */
let depth = 0;

/** Whether a memoised function is computing: all that it reads has to be among its arguments. */
export function isRemembering(): boolean {
  return depth > 0;
}

/** The earlier array when it holds the same elements, so that its identity says "unchanged". */
export function keepIdentity<T>(
  earlier: readonly T[] | undefined,
  current: readonly T[],
): readonly T[] {
  if (earlier?.length !== current.length) return current;
  return current.every((element, index) => element === earlier[index]) ? earlier : current;
}
