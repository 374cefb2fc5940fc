import { type NamedResource, nameFields } from "./discovery-wire.ts";

/** Names that are asked for. */
export interface NameList {
  readonly list: readonly string[];
  readonly set: ReadonlySet<string>;
  /** As a request has them. */
  readonly bytes: Buffer;
}

const EMPTY: NameList = { list: [], set: new Set(), bytes: Buffer.alloc(0) };

/** Lists that were made before: clients that ask for the same share one. */
const known: NameList[] = [];
const KNOWN_MAX = 8;

/** What resources ask for in turn, in their order. */
export function nameList(found: readonly NamedResource[]): NameList {
  const list: string[] = [];
  for (const { asksFor } of found) for (const name of asksFor) list.push(name);
  if (list.length === 0) return EMPTY;
  const earlier = known.find((one) => isEqual(one.list, list));
  if (earlier !== undefined) return earlier;
  const made: NameList = { list, set: new Set(list), bytes: nameFields(list) };
  known.unshift(made);
  if (known.length > KNOWN_MAX) known.pop();
  return made;
}

function isEqual(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, at) => name === right[at]);
}

const foundNames = new WeakMap<readonly NamedResource[], ReadonlySet<string>>();
const NOTHING: ReadonlySet<string> = new Set();

/** What is missing still after these have come. */
export function withoutFound(
  missing: ReadonlySet<string>,
  found: readonly NamedResource[],
): ReadonlySet<string> {
  let names = foundNames.get(found);
  if (names === undefined) {
    names = new Set(found.map(({ name }) => name));
    foundNames.set(found, names);
  }
  if (names.size >= missing.size && isSubset(missing, names)) return NOTHING;
  return new Set([...missing].filter((name) => names?.has(name) !== true));
}

function isSubset(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  for (const name of some) if (!all.has(name)) return false;
  return true;
}

/** Resources after a change of some and the end of others. */
export function merge(
  before: readonly NamedResource[],
  changed: readonly NamedResource[],
  removed: readonly string[],
): readonly NamedResource[] {
  if (changed.length === 0 && removed.length === 0) return before;
  const byName = new Map(before.map((one) => [one.name, one]));
  for (const one of changed) byName.set(one.name, one);
  for (const name of removed) byName.delete(name);
  return [...byName.values()];
}
