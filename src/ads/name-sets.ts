import { hash } from "node:crypto";
import { digestOf } from "./digest.ts";

/** Names that a client asks for; never changed, and the same value for all who ask for the same. */
export interface NameSet {
  readonly names: ReadonlySet<string>;
  /** Of the names, in whatever order. */
  readonly digest: bigint;
}

/** Most names that are remembered in all sets together. */
const NAMES_MAX_DEFAULT = 200_000;

/** Bytes of a list from which on it pays to know it again without reading it. */
const LONG_LIST = 4096;

/** No name at all. */
export const NO_NAMES: NameSet = { names: new Set(), digest: 0n };

/**
 * Keeps one value for equal sets of names. A hundred proxies that name the same thousand clusters
 * then share the set, and with it whatever is computed of it. What was not used for longest is
 * forgotten: who still has it goes on with it, only nobody new shares it.
 */
export class NameSets {
  readonly #namesMax: number;
  /** By digest, or by the hash of a list as it came over the wire. Oldest first. */
  readonly #entries = new Map<bigint | string, NameSet>();
  #kept = 0;
  /** The long list that came last: the next one is mostly the same. */
  #last: { readonly bytes: Buffer; readonly set: NameSet } | undefined;

  constructor(namesMax = NAMES_MAX_DEFAULT) {
    this.#namesMax = namesMax;
  }

  /** How many names are remembered, in all sets together. */
  get kept(): number {
    return this.#kept;
  }

  /** The set of these names. */
  of(names: readonly string[]): NameSet {
    return this.with(NO_NAMES, names);
  }

  /** The list that came last, where it stands in some bytes from a place on. */
  lastAt(
    bytes: Buffer,
    start: number,
  ): { readonly set: NameSet; readonly end: number } | undefined {
    if (this.#last === undefined) return undefined;
    const end = start + this.#last.bytes.length;
    if (end > bytes.length || this.#last.bytes.compare(bytes, start, end) !== 0) return undefined;
    return { set: this.#last.set, end };
  }

  /** The set of a list that came as bytes; `decode` is called when these bytes are new. */
  ofBytes(bytes: Uint8Array, decode: () => readonly string[]): NameSet {
    if (bytes.length === 0) return NO_NAMES;
    const key = hash("sha256", bytes, "base64");
    const known = this.#find(key);
    const set = known ?? this.of(decode());
    if (known === undefined) this.#keep(key, set);
    if (bytes.length >= LONG_LIST) this.#last = { bytes: Buffer.from(bytes), set };
    return set;
  }

  /** A set and some names more. */
  with(set: NameSet, added: readonly string[]): NameSet {
    const fresh = new Set(added.filter((name) => !set.names.has(name)));
    if (fresh.size === 0) return set;
    let { digest } = set;
    for (const name of fresh) digest ^= digestOf(name);
    return this.#intern(digest, () => new Set([...set.names, ...fresh].sort()));
  }

  /** A set without some of its names. */
  without(set: NameSet, removed: readonly string[]): NameSet {
    const gone = new Set(removed.filter((name) => set.names.has(name)));
    if (gone.size === 0) return set;
    let { digest } = set;
    for (const name of gone) digest ^= digestOf(name);
    return this.#intern(digest, () => new Set([...set.names].filter((name) => !gone.has(name))));
  }

  #intern(digest: bigint, make: () => ReadonlySet<string>): NameSet {
    const known = digest === 0n ? NO_NAMES : this.#find(digest);
    if (known !== undefined) return known;
    const set: NameSet = { names: make(), digest };
    this.#keep(digest, set);
    return set;
  }

  #find(key: bigint | string): NameSet | undefined {
    const set = this.#entries.get(key);
    if (set === undefined) return undefined;
    // The latest used stands last.
    this.#entries.delete(key);
    this.#entries.set(key, set);
    return set;
  }

  #keep(key: bigint | string, set: NameSet): void {
    this.#entries.set(key, set);
    this.#kept += set.names.size;
    for (const [oldest, { names }] of this.#entries) {
      if (this.#kept <= this.#namesMax) break;
      this.#entries.delete(oldest);
      this.#kept -= names.size;
    }
  }
}
