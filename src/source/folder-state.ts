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
 * (except that what is broken now stays as it last was).
 */
export class FolderState {
  readonly #files = new Map<string, FileContent>();
  /** By key, what was handed on. */
  #effective: ReadonlyMap<string, PlacedObject> = new Map();

  /** A file was read. What it held before and what is broken in it now stays as it was. */
  setFile(file: string, content: FileContent): void {
    const kept = this.#stillGood(file, content);
    this.#files.set(file, { ...content, objects: [...content.objects, ...kept] });
  }

  /** Puts back the last good objects of a file from an earlier run, before the file is read. */
  restoreFile(file: string, objects: readonly PlacedObject[]): void {
    this.#files.set(file, { objects, problems: [] });
  }

  /** A file is gone, and its objects with it. */
  removeFile(file: string): void {
    this.#files.delete(file);
  }

  /** The files that are known, in no order. */
  files(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** The objects of each file as they are kept for the next run. */
  contents(): ReadonlyMap<string, readonly PlacedObject[]> {
    return new Map([...this.#files].map(([file, { objects }]) => [file, objects]));
  }

  /** The next batch is to have everything again; what was last good stays known. */
  startOver(): void {
    this.#effective = new Map();
  }

  /** What changed since the last call, and all that is refused now. */
  takeBatch(): ConfigBatch {
    const { effective, refused } = this.#merge();
    const events: ConfigEvent[] = [];
    const kept = new Map<string, PlacedObject>();
    for (const [text, placed] of effective) {
      const before = this.#effective.get(text);
      const isEqual = before !== undefined && isSameJson(before.object, placed.object);
      const isSame = isEqual && isSameOrigin(before.origin, placed.origin);
      // The same value keeps its identity, so that nothing derived from it is derived again.
      const next = isEqual ? { object: before.object, origin: placed.origin } : placed;
      kept.set(text, next);
      if (!isSame) events.push({ type: "set", object: next.object, origin: next.origin });
    }
    for (const [text, { object }] of this.#effective) {
      if (!kept.has(text)) events.push({ type: "delete", key: keyOf(object) });
    }
    this.#effective = kept;
    return { events, refused };
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

  /** All files together: of objects that stand in several, the first by name of file wins. */
  #merge(): { effective: Map<string, PlacedObject>; refused: RefusedInput[] } {
    const effective = new Map<string, PlacedObject>();
    const refused: RefusedInput[] = [];
    for (const file of [...this.#files.keys()].sort()) {
      const { objects, problems } = this.#files.get(file) ?? { objects: [], problems: [] };
      refused.push(...problems);
      for (const placed of objects) {
        const key = keyOf(placed.object);
        const first = effective.get(keyText(key));
        if (first === undefined) effective.set(keyText(key), placed);
        else refused.push(duplicate(key, first.origin, placed.origin));
      }
    }
    return { effective, refused };
  }
}

function duplicate(key: ObjectKey, first: ConfigOrigin, second: ConfigOrigin): RefusedInput {
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
