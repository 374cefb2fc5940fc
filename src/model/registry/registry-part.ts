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

/** Remembers arrays by key from one build to the next, so that equal ones are the same value. */
export class InputMemory {
  readonly #previous: ReadonlyMap<string, readonly unknown[]>;
  readonly #current = new Map<string, readonly unknown[]>();

  constructor(previous?: InputMemory) {
    this.#previous = previous === undefined ? new Map() : previous.#current;
  }

  /** The array of the build before under this key, if it held the same elements. */
  keep<T>(key: string, current: readonly T[]): readonly T[] {
    const earlier = this.#previous.get(key) as readonly T[] | undefined;
    const isSame =
      earlier?.length === current.length &&
      current.every((element, index) => element === earlier[index]);
    const kept = isSame ? earlier : current;
    this.#current.set(key, kept);
    return kept;
  }
}
