import { isError } from "../base/issue.ts";
import { formatKey, type KubeObject, keyOf, keyText, type ObjectKey } from "../config/object.ts";
import type { ConfigBatch, ConfigEvent, ConfigOrigin, RefusedInput } from "./source.ts";

/** An object and where it stands. */
export interface PlacedObject {
  readonly object: KubeObject;
  readonly origin: ConfigOrigin;
}

/** What was read of one file: the objects that are good, and what is wrong with the rest. */
export interface FileContent {
  readonly objects: readonly PlacedObject[];
  readonly problems: readonly RefusedInput[];
}

/**
 * What a folder of configuration files holds, in its last good form. Pure: told of files, it says
 * which objects changed. The result depends on the files' contents only, not on their order in time
 * (except that what is broken now stays as it last was). What it costs depends on what changed, not
 * on how much there is.
 */
export class FolderState {
  readonly #files = new Map<string, FileContent>();
  /** By key, all that define it; the first counts. */
  readonly #definers = new Map<string, readonly PlacedObject[]>();
  /** Keys that were defined in a file which changed since the last batch. */
  readonly #touched = new Set<string>();
  /** Files with problems, and keys that more than one object has: where refusals come from. */
  readonly #flawed = new Set<string>();
  readonly #contested = new Set<string>();
  /** By key, what was handed on. */
  readonly #effective = new Map<string, PlacedObject>();

  /** A file was read. What it held before and what is broken in it now stays as it was. */
  setFile(file: string, content: FileContent): void {
    const kept = this.#stillGood(file, content);
    this.#replace(file, { ...content, objects: [...content.objects, ...kept] });
  }

  /** Puts back the last good objects of a file from an earlier run, before the file is read. */
  restoreFile(file: string, objects: readonly PlacedObject[]): void {
    this.#replace(file, { objects, problems: [] });
  }

  /** A file is gone, and its objects with it. */
  removeFile(file: string): void {
    this.#replace(file, undefined);
  }

  /** Whether a file is known. */
  hasFile(file: string): boolean {
    return this.#files.has(file);
  }

  /** The files that are known, in no order. */
  files(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** The objects of a file as they are kept for the next run; `undefined` when it is gone. */
  objectsOf(file: string): readonly PlacedObject[] | undefined {
    return this.#files.get(file)?.objects;
  }

  /** The next batch is to have everything again; what was last good stays known. */
  startOver(): void {
    this.#effective.clear();
    for (const text of this.#definers.keys()) this.#touched.add(text);
  }

  /** What changed since the last call, and all that is refused now. */
  takeBatch(): ConfigBatch {
    const sets: (PlacedObject & { readonly type: "set" })[] = [];
    const deletes: ConfigEvent[] = [];
    for (const text of this.#touched) {
      const before = this.#effective.get(text);
      const [placed] = this.#definers.get(text) ?? [];
      if (placed === undefined) {
        this.#effective.delete(text);
        if (before !== undefined) deletes.push({ type: "delete", key: keyOf(before.object) });
        continue;
      }
      const isEqual = before !== undefined && isSameJson(before.object, placed.object);
      // The same value keeps its identity, so that nothing derived from it is derived again.
      const next = isEqual ? { object: before.object, origin: placed.origin } : placed;
      this.#effective.set(text, next);
      if (isEqual && isSameOrigin(before.origin, placed.origin)) continue;
      sets.push({ type: "set", object: next.object, origin: next.origin });
    }
    this.#touched.clear();
    sets.sort((left, right) => compareOrigin(left.origin, right.origin));
    return { events: [...sets, ...deletes], refused: this.#refused() };
  }

  #replace(file: string, content: FileContent | undefined): void {
    const touched = new Map<string, readonly PlacedObject[]>();
    for (const { object } of this.#files.get(file)?.objects ?? []) {
      const text = keyText(keyOf(object));
      const others = this.#definers.get(text)?.filter(({ origin }) => origin.file !== file);
      touched.set(text, others ?? []);
    }
    for (const placed of content?.objects ?? []) {
      const text = keyText(keyOf(placed.object));
      const others = touched.get(text) ?? this.#definers.get(text) ?? [];
      touched.set(text, [...others, placed]);
    }
    for (const [text, definers] of touched) this.#define(text, definers);
    if (content === undefined) this.#files.delete(file);
    else this.#files.set(file, content);
    if (content === undefined || content.problems.length === 0) this.#flawed.delete(file);
    else this.#flawed.add(file);
  }

  /** Of objects that stand in several files, the first by name of file wins; in a file, the first. */
  #define(text: string, definers: readonly PlacedObject[]): void {
    this.#touched.add(text);
    if (definers.length === 0) this.#definers.delete(text);
    else {
      const byFile = (left: PlacedObject, right: PlacedObject): number =>
        compareText(left.origin.file, right.origin.file);
      this.#definers.set(text, definers.length === 1 ? definers : definers.toSorted(byFile));
    }
    if (definers.length > 1) this.#contested.add(text);
    else this.#contested.delete(text);
  }

  /** Objects that stood in the file before, and of which nobody can say now that they are gone. */
  #stillGood(file: string, content: FileContent): readonly PlacedObject[] {
    const errors = content.problems.filter(({ issue }) => isError(issue));
    if (errors.length === 0) return [];
    const present = new Set(content.objects.map(({ object }) => keyText(keyOf(object))));
    const broken = new Set(errors.map(({ object }) => object));
    // A document that does not parse may hold any of them.
    const mayHideAny = broken.has(undefined);
    return (this.#files.get(file)?.objects ?? []).filter(({ object }) => {
      const key = keyOf(object);
      return !present.has(keyText(key)) && (mayHideAny || broken.has(formatKey(key)));
    });
  }

  /** By file: its problems, then its objects that others have taken the name of. */
  #refused(): readonly RefusedInput[] {
    const duplicates: (RefusedInput & { readonly origin: ConfigOrigin })[] = [];
    for (const text of this.#contested) {
      const [first, ...others] = this.#definers.get(text) ?? [];
      for (const { object, origin } of others) {
        if (first !== undefined) duplicates.push(duplicate(keyOf(object), first.origin, origin));
      }
    }
    duplicates.sort((left, right) => compareOrigin(left.origin, right.origin));
    const byFile = new Map<string, RefusedInput[]>();
    for (const file of this.#flawed) byFile.set(file, [...(this.#files.get(file)?.problems ?? [])]);
    for (const one of duplicates) {
      const all = byFile.get(one.origin.file);
      if (all === undefined) byFile.set(one.origin.file, [one]);
      else all.push(one);
    }
    return [...byFile]
      .sort(([left], [right]) => compareText(left, right))
      .flatMap(([, all]) => all);
  }
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function compareOrigin(left: ConfigOrigin, right: ConfigOrigin): number {
  return compareText(left.file, right.file) || left.line - right.line;
}

function duplicate(
  key: ObjectKey,
  first: ConfigOrigin,
  second: ConfigOrigin,
): RefusedInput & { readonly origin: ConfigOrigin } {
  const at = `${first.file}:${first.line}`;
  const message = `is defined at ${at} already, which wins: remove one of the two`;
  return { origin: second, object: formatKey(key), issue: { path: "", message } };
}

function isSameOrigin(left: ConfigOrigin, right: ConfigOrigin): boolean {
  return left.file === right.file && left.line === right.line;
}

function isSameJson(left: KubeObject, right: KubeObject): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}
