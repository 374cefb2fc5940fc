/**
 * Lists that follow one another, so that what is computed of the next can be computed from what was
 * made of the last. Where nothing is known of a last one, or it is gone, it is computed from nothing:
 * the result is the same.
 */
const predecessors = new WeakMap<object, WeakRef<object>>();

/** Notes that a list took the place of another, of which it has most elements in the same places. */
export function noteSuccessor(last: readonly unknown[], next: readonly unknown[]): void {
  if (last.length === next.length) predecessors.set(next, new WeakRef(last));
}

/**
 * A function of a list, remembered by the list: `whole` computes it from nothing, `patch` from what
 * it was for the list before and the places in which that differs; both have to give the same.
 */
export function memoiseSuccessors<T, R>(
  whole: (list: readonly T[]) => R,
  patch: (last: readonly T[], result: R, next: readonly T[], places: readonly number[]) => R,
): (list: readonly T[]) => R {
  const results = new WeakMap<readonly T[], { readonly result: R }>();
  return (list) => {
    const known = results.get(list);
    if (known !== undefined) return known.result;
    const last = predecessors.get(list)?.deref() as readonly T[] | undefined;
    const before = last && results.get(last);
    const result =
      last === undefined || before === undefined
        ? whole(list)
        : patch(last, before.result, list, differing(last, list));
    results.set(list, { result });
    return result;
  };
}

function differing<T>(last: readonly T[], next: readonly T[]): readonly number[] {
  const places: number[] = [];
  for (let at = 0; at < next.length; at++) if (last[at] !== next[at]) places.push(at);
  return places;
}
