/**
 * Puts the entry at `from` where it belongs in a binary heap of indices, whose first has the least
 * `key`, and of equal keys the least `tie`. Nothing is allocated, and nothing is called back: it
 * runs at every weighted choice.
 */
export function sink(heap: Int32Array, key: Float64Array, tie: Float64Array, from: number): void {
  const sinking = heap[from] ?? 0;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] ?? 0, heap[child] ?? 0, key, tie)) {
      child++;
    }
    if (!isBefore(heap[child] ?? 0, sinking, key, tie)) break;
    heap[at] = heap[child] ?? 0;
    at = child;
  }
  heap[at] = sinking;
}

function isBefore(left: number, right: number, key: Float64Array, tie: Float64Array): boolean {
  const leftKey = key[left] ?? 0;
  const rightKey = key[right] ?? 0;
  return leftKey === rightKey ? (tie[left] ?? 0) < (tie[right] ?? 0) : leftKey < rightKey;
}
