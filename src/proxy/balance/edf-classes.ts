import { EdfSchedule } from "./edf.ts";

/** With more different weights a heap is faster. */
const CLASSES_MAX = 16;

/**
 * Chooses entries by weights that stay as they are, in the very order of an `EdfSchedule`: by a
 * function that gives the next one. There must be one; weights are above 0.
 */
export function fixedSchedule(weights: Float64Array): () => number {
  const classes = classesOf(weights);
  if (classes !== undefined) return () => pickOf(classes);
  const schedule = new EdfSchedule(weights.length, (at) => weights[at] ?? 1);
  return () => schedule.pick();
}

/**
 * Entries of one weight. They come round in turn, as each is due again as long after the last time
 * as the others: so only the next one need be compared, and what is read lies side by side.
 */
interface WeightClass {
  readonly interval: number;
  readonly entries: Int32Array;
  /** When the entry at each place was last put in, counted in picks; decides between equals. */
  readonly turns: Float64Array;
  /** The place of the one that is due next, and when that is. */
  next: number;
  due: number;
}

interface WeightClasses {
  readonly all: readonly WeightClass[];
  nextTurn: number;
}

/** `undefined` where there are too many different weights. */
function classesOf(weights: Float64Array): WeightClasses | undefined {
  const byWeight = new Map<number, number[]>();
  for (let entry = 0; entry < weights.length; entry++) {
    const weight = weights[entry] ?? 1;
    const same = byWeight.get(weight);
    if (same !== undefined) same.push(entry);
    else if (byWeight.size === CLASSES_MAX) return undefined;
    else byWeight.set(weight, [entry]);
  }
  const all = [...byWeight].map(([weight, entries]) => ({
    interval: 1 / weight,
    entries: new Int32Array(entries),
    turns: new Float64Array(entries),
    next: 0,
    due: 1 / weight,
  }));
  return { all, nextTurn: weights.length };
}

function pickOf(classes: WeightClasses): number {
  const { all } = classes;
  let first: WeightClass | undefined;
  for (let at = 0; at < all.length; at++) {
    const one = all[at];
    if (one !== undefined && (first === undefined || isBefore(one, first))) first = one;
  }
  if (first === undefined) return 0;
  const { entries, turns, next, interval } = first;
  turns[next] = classes.nextTurn++;
  if (next + 1 < entries.length) first.next = next + 1;
  else {
    first.next = 0;
    first.due += interval;
  }
  return entries[next] ?? 0;
}

function isBefore(one: WeightClass, other: WeightClass): boolean {
  if (one.due !== other.due) return one.due < other.due;
  return (one.turns[one.next] ?? 0) < (other.turns[other.next] ?? 0);
}
