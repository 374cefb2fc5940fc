/**
 * Values that are computed from others, remembered with what they read, and computed anew only when
 * that changed. Inputs are set from outside; everything else is a pure function that reads inputs and
 * other cells, and what it reads is recorded while it runs. Nothing is declared, so nothing can be
 * forgotten.
 *
 * A change marks what depends on it, which costs as much as it touches; values are computed when
 * somebody asks. One that comes out the same stops the change there (early cut-off, as in
 * https://docs.rs/salsa and Istio's `krt`).
 */
import { isRemembering } from "./memo.ts";

/** How far a cell can be trusted. */
type State = "clean" | "unsure" | "dirty";

/** Cells that nobody depends on are dropped when they were not asked for in this many turns. */
const TURNS_KEPT = 8;

/** Tells whether a value is the same as the last to those who read it. (As a method: a cell of a list may be read as one of a read-only list.) */
type Equality<T> = { isSame(last: T, next: T): boolean }["isSame"];

/** What a value is read from. */
export interface Readable<T> {
  /** The value as it is now; recorded when another cell is being computed. */
  get(): T;
}

/** All cells of one computation. Several graphs know nothing of each other. */
export class CellGraph {
  /** The cell that is being computed, innermost. */
  active: Cell<unknown> | undefined;
  /** Rises with every change of an input. */
  revision = 1;
  /** Rises with every `turn`. */
  turns = 0;
  /** Cells that exist. */
  size = 0;
  /** How often something was computed; to look a key up in a map again is no computation. */
  computations = 0;
  readonly orphans = new Set<Cell<unknown>>();

  /** A value that is set from outside. */
  input<T>(value: T): Input<T> {
    return new Input(this, value);
  }

  /** A value that is computed; one that is equal to the last counts as the same, and the last stays. */
  cell<T>(compute: () => T, isEqual?: Equality<NoInfer<T>>): Cell<T> {
    return new Cell(this, compute, isEqual);
  }

  /** A value for every key. */
  family<K, T>(compute: (key: K) => T, isEqual?: Equality<NoInfer<T>>): Family<K, T> {
    return new Family(this, compute, isEqual);
  }

  /**
   * Another round of questions begins: cells that nobody depends on and nobody asked for in the last
   * rounds are dropped.
   */
  turn(): void {
    this.turns += 1;
    // Dropping one may make orphans of others, which are in the set then and have their turn too.
    for (const cell of this.orphans) {
      if (cell.askedAt + TURNS_KEPT < this.turns) cell.drop();
    }
  }
}

/** Who depends on a cell: usually one, so that a set is made for more only. */
class Dependents {
  #one: Cell<unknown> | undefined;
  #many: Set<Cell<unknown>> | undefined;

  get isEmpty(): boolean {
    return this.#one === undefined && (this.#many === undefined || this.#many.size === 0);
  }

  add(cell: Cell<unknown>): void {
    if (this.#many !== undefined) this.#many.add(cell);
    else if (this.#one === undefined || this.#one === cell) this.#one = cell;
    else {
      this.#many = new Set([this.#one, cell]);
      this.#one = undefined;
    }
  }

  delete(cell: Cell<unknown>): void {
    if (this.#one === cell) this.#one = undefined;
    else this.#many?.delete(cell);
  }

  mark(state: State): void {
    this.#one?.mark(state);
    if (this.#many !== undefined) for (const cell of this.#many) cell.mark(state);
  }
}

/** A value that is set from outside. */
export class Input<T> implements Readable<T> {
  /** The revision in which the value became what it is. */
  changedAt: number;
  readonly dependents = new Dependents();
  readonly #graph: CellGraph;
  #value: T;

  constructor(graph: CellGraph, value: T) {
    this.#graph = graph;
    this.#value = value;
    this.changedAt = graph.revision;
  }

  get(): T {
    record(this.#graph, this);
    return this.#value;
  }

  /** Sets another value; the same one is no change. */
  set(value: T): void {
    if (value === this.#value) return;
    if (this.#graph.active !== undefined) throw new Error("an input is set from outside alone");
    this.#value = value;
    this.#graph.revision += 1;
    this.changedAt = this.#graph.revision;
    this.dependents.mark("dirty");
  }

  /** Is what it was set to. */
  refresh(): void {}

  release(cell: Cell<unknown>): void {
    this.dependents.delete(cell);
  }
}

type Source = Input<unknown> | Cell<unknown>;

/** A value that is computed from others. */
export class Cell<T> implements Readable<T> {
  changedAt = 0;
  /** The turn in which somebody last asked for it who is no cell. */
  askedAt: number;
  /** Called when the cell is dropped. */
  onDrop: (() => void) | undefined;
  /** Whether it only looks a key up. */
  isLookup = false;
  /** Whether it is made for one reader, and goes with it. */
  isOfReader = false;
  readonly dependents = new Dependents();
  readonly #graph: CellGraph;
  readonly #compute: () => T;
  readonly #isEqual: Equality<T> | undefined;
  #state: State = "dirty";
  #verifiedAt = 0;
  #sources: Source[] = [];
  /** What was read so far by the computation that runs. */
  #reads: Source[] | undefined;
  #isDropped = false;
  #value: T | undefined;

  constructor(graph: CellGraph, compute: () => T, isEqual?: Equality<T>) {
    this.#graph = graph;
    this.#compute = compute;
    this.#isEqual = isEqual;
    this.askedAt = graph.turns;
    graph.size += 1;
    graph.orphans.add(this as Cell<unknown>);
  }

  get(): T {
    if (this.#state !== "clean") this.refresh();
    if (this.#graph.active === undefined) this.askedAt = this.#graph.turns;
    record(this.#graph, this as Cell<unknown>);
    return this.#value as T;
  }

  /** Makes the value right; costs nothing when it is. What the computation throws is thrown on. */
  refresh(): void {
    if (this.#reads !== undefined) throw new Error("a value is computed from itself");
    if (this.#state === "unsure" && !this.#isOutdated()) this.#state = "clean";
    if (this.#state !== "clean") {
      this.#state = "dirty";
      this.#run();
    }
    this.#verifiedAt = this.#graph.revision;
  }

  /** Something that it was computed from changed, or may have. */
  mark(state: State): void {
    const before = this.#state;
    if (before === "dirty" || before === state) return;
    this.#state = state;
    if (before === "clean") this.dependents.mark("unsure");
  }

  note(source: Source): void {
    const reads = this.#reads ?? [];
    // Most values are read once; what is read again and again is mostly read in a row.
    if (reads.at(-1) !== source) reads.push(source);
  }

  /** One that read it does so no more; with `askedAt`, because nobody asked for that one since. */
  release(cell: Cell<unknown>, askedAt = this.#graph.turns): void {
    this.dependents.delete(cell);
    if (!this.dependents.isEmpty) return;
    this.askedAt = Math.max(this.askedAt, askedAt);
    this.#graph.orphans.add(this as Cell<unknown>);
  }

  /** Forgets the value; it would be computed again if somebody asked. */
  drop(): void {
    this.#graph.orphans.delete(this as Cell<unknown>);
    if (this.#isDropped || !this.dependents.isEmpty) return;
    // What only it had read is not kept for longer than it was itself, however deep that goes.
    for (const source of this.#sources) {
      source.release(this as Cell<unknown>, this.askedAt);
      // Looked up again in no time, and there may be one for every name that was ever asked for.
      if (source instanceof Cell && (source.isLookup || source.isOfReader)) source.drop();
    }
    this.#sources = [];
    this.#value = undefined;
    // There is no last value any more that a next one could be the same as.
    this.changedAt = 0;
    this.#state = "dirty";
    this.#isDropped = true;
    this.#graph.size -= 1;
    this.onDrop?.();
  }

  /** Whether something that it read is another value now; asked in the order in which it was read. */
  #isOutdated(): boolean {
    for (const source of this.#sources) {
      try {
        source.refresh();
      } catch {
        // It may not be read any more; if it is, this computation throws too.
        return true;
      }
      if (source.changedAt > this.#verifiedAt) return true;
    }
    return false;
  }

  /** Somebody kept it and asks after all: it counts again, and may be dropped again. */
  #join(): void {
    if (!this.#isDropped) return;
    this.#isDropped = false;
    this.#graph.size += 1;
    if (this.dependents.isEmpty) this.#graph.orphans.add(this as Cell<unknown>);
  }

  #run(): void {
    const graph = this.#graph;
    this.#join();
    const outer = graph.active;
    graph.active = this as Cell<unknown>;
    this.#reads = [];
    if (!this.isLookup) graph.computations += 1;
    try {
      const next = this.#compute();
      const isSame =
        this.changedAt > 0 &&
        (next === this.#value || this.#isEqual?.(this.#value as T, next) === true);
      if (!isSame) {
        this.#value = next;
        this.changedAt = graph.revision;
      }
      this.#state = "clean";
    } finally {
      graph.active = outer;
      this.#connect(this.#reads);
      this.#reads = undefined;
    }
  }

  /** Depends on what was read this time, and on nothing else. */
  #connect(reads: Source[]): void {
    const before = this.#sources;
    this.#sources = reads;
    const isSame =
      before.length === reads.length && before.every((source, index) => source === reads[index]);
    if (isSame) return;
    const kept = new Set(reads);
    for (const source of reads) source.dependents.add(this as Cell<unknown>);
    for (const source of before) {
      if (!kept.has(source)) source.release(this as Cell<unknown>);
    }
  }
}

/**
 * A value for every key, each a cell of its own that comes and goes with those who ask for it. A key
 * may be an object: what is computed for it is found by its identity.
 */
export class Family<K, T> {
  /** Whether its cells only look their keys up. */
  isLookup = false;
  readonly #graph: CellGraph;
  readonly #compute: (key: K) => T;
  readonly #isEqual: Equality<T> | undefined;
  readonly #cells = new Map<K, Cell<T>>();

  constructor(graph: CellGraph, compute: (key: K) => T, isEqual?: Equality<T>) {
    this.#graph = graph;
    this.#compute = compute;
    this.#isEqual = isEqual;
  }

  get(key: K): T {
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = this.#graph.cell(() => this.#compute(key), this.#isEqual);
      cell.onDrop = () => this.#cells.delete(key);
      cell.isLookup = this.isLookup;
      this.#cells.set(key, cell);
    }
    return cell.get();
  }

  /** Forgets the value of a key that nobody asks for any more. */
  forget(key: K): void {
    this.#cells.get(key)?.drop();
  }
}

/** Whether two lists hold the same elements, for cells whose lists are made anew each time. */
export function isSameList(last: readonly unknown[], next: readonly unknown[]): boolean {
  return last.length === next.length && last.every((element, index) => element === next[index]);
}

/** Whether two maps hold the same values under the same keys, in whatever order. */
export function isSameMap<V>(last: ReadonlyMap<string, V>, next: ReadonlyMap<string, V>): boolean {
  if (last.size !== next.size) return false;
  for (const [key, value] of last) if (next.get(key) !== value) return false;
  return true;
}

function record(graph: CellGraph, source: Source): void {
  // Its result would be used again without anybody knowing what it came from.
  if (isRemembering()) throw new Error("a memoised function reads what only its arguments may say");
  if (graph.active === undefined) return;
  if (source instanceof Cell) graph.orphans.delete(source);
  graph.active.note(source);
}
