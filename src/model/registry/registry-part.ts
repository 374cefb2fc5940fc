import { isSameList } from "../../base/cells.ts";
import type { ServiceEndpoints } from "../endpoint.ts";
import type { ObjectIssue } from "../origin.ts";
import type { Service } from "../service.ts";

/**
 * What one registry (Kubernetes, ServiceEntries, …) knows. Several stand side by side: see
 * `joinParts`.
 */
export interface RegistryPart {
  /** The oldest object's first where order matters. */
  readonly services: readonly KnownService[];
  readonly issues: readonly ObjectIssue[];
}

/** A service with those who answer for it. */
export interface KnownService {
  readonly service: Service;
  readonly endpoints: ServiceEndpoints;
}

/**
 * Remembers from one build to the next what was made of what, so that what is equal is the same
 * value. Entries that a build does not touch are dropped at its end.
 */
export class InputMemory {
  readonly #entries = new Map<string, MemoryEntry>();
  #build = 0;
  #touched = 0;

  /** A build begins. */
  begin(): void {
    this.#build += 1;
    this.#touched = 0;
  }

  /** A build is done: what it did not ask for is forgotten. */
  end(): void {
    if (this.#touched === this.#entries.size) return;
    for (const [key, entry] of this.#entries) {
      if (entry.build !== this.#build) this.#entries.delete(key);
    }
  }

  /** What is remembered under a key. */
  entry(key: string): MemoryEntry {
    let found = this.#entries.get(key);
    if (found === undefined) {
      found = new MemoryEntry();
      this.#entries.set(key, found);
    }
    if (found.build !== this.#build) {
      found.build = this.#build;
      this.#touched += 1;
    }
    return found;
  }

  /** What is remembered of a part with things of its own, of which some builds ask for the changed alone. */
  part(key: string): InputMemory {
    return this.entry(key).remember("part", [], () => new InputMemory());
  }

  /** The array of the build before under this key, if it held the same elements. */
  keep<T>(key: string, current: readonly T[]): readonly T[] {
    return this.entry(key).keep("", current);
  }
}

/** What is remembered of one thing. */
export class MemoryEntry {
  /** The last build that asked for it. */
  build = 0;
  readonly #lists = new Map<string, readonly unknown[]>();
  readonly #values = new Map<string, { inputs: readonly unknown[]; value: unknown }>();

  /** The last array of that name, if it held the same elements. */
  keep<T>(name: string, current: readonly T[]): readonly T[] {
    const earlier = this.#lists.get(name) as readonly T[] | undefined;
    if (earlier !== undefined && isSameList(earlier, current)) return earlier;
    this.#lists.set(name, current);
    return current;
  }

  /**
   * A value that is made of a list, from the last one where only some of its elements differ:
   * `compute` is given the last list and value with the places that differ, unless `inputs`, the
   * length or what `keyOf` says of an element differ too. What it returns may depend on nothing else,
   * and not on which of the two ways it was made.
   */
  patch<T, R>(
    name: string,
    { inputs, list, keyOf }: PatchInput<T>,
    compute: (change: ListChange<T, R> | undefined) => R,
  ): R {
    const last = this.#values.get(name) as
      | { inputs: readonly unknown[]; list: readonly T[]; value: R }
      | undefined;
    const changed =
      last !== undefined && isSameList(last.inputs, inputs)
        ? changedPlaces(last.list, list, keyOf)
        : undefined;
    if (last !== undefined && changed?.length === 0) return last.value;
    const change =
      last === undefined || changed === undefined
        ? undefined
        : { list: last.list, value: last.value, changed };
    const value = compute(change);
    const kept: { inputs: readonly unknown[]; value: unknown; list: readonly T[] } = {
      inputs,
      value,
      list,
    };
    this.#values.set(name, kept);
    return value;
  }

  /**
   * The last value of that name, if it was made of the same inputs, which are all that `compute` may
   * look at.
   */
  remember<T>(name: string, inputs: readonly unknown[], compute: () => T): T {
    const last = this.#values.get(name);
    if (last !== undefined && isSameList(last.inputs, inputs)) return last.value as T;
    const value = compute();
    this.#values.set(name, { inputs, value });
    return value;
  }
}

/** What `MemoryEntry.patch` makes a value of. */
export interface PatchInput<T> {
  readonly inputs: readonly unknown[];
  readonly list: readonly T[];
  /** What has to stay the same of an element for only its own part of the value to differ. */
  readonly keyOf: (element: T) => unknown;
}

/** A list and what was made of it, and where the next list has another element. */
export interface ListChange<T, R> {
  readonly list: readonly T[];
  readonly value: R;
  readonly changed: readonly number[];
}

/** Where two lists differ; `undefined` when one has other things in it, or in another order. */
function changedPlaces<T>(
  last: readonly T[],
  next: readonly T[],
  keyOf: (element: T) => unknown,
): readonly number[] | undefined {
  if (last.length !== next.length) return undefined;
  const changed: number[] = [];
  for (let place = 0; place < next.length; place++) {
    const [before, after] = [last[place] as T, next[place] as T];
    if (before === after) continue;
    if (keyOf(before) !== keyOf(after)) return undefined;
    changed.push(place);
  }
  return changed;
}

/** A list with other elements in some places; the same one when there are none. */
export function replaced<T>(
  list: readonly T[],
  places: readonly number[],
  elementAt: (place: number) => T,
): readonly T[] {
  const next = list.slice();
  let isSame = true;
  for (const place of places) {
    const element = elementAt(place);
    if (element !== next[place]) isSame = false;
    next[place] = element;
  }
  return isSame ? list : next;
}
