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
