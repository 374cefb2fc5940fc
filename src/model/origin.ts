import type { Issue } from "../base/issue.ts";
import { memoise } from "../base/memo.ts";
import type { KubeObject, ObjectKey } from "../config/object.ts";

/** The object that made something, and the place inside it; "" for the whole object. */
export interface Origin {
  readonly key: ObjectKey;
  readonly path: string;
}

/** One thing that is wrong with an object, or that it asks for in vain. */
export interface ObjectIssue {
  readonly object: ObjectKey;
  readonly issue: Issue;
  /** The listener for what goes out on which an older service has the object's place, if it is that. */
  readonly takenListener?: string;
}

/**
 * Orders objects as conflicts are settled: the oldest first. Objects of the same second are
 * ordered by `name.namespace`, which is arbitrary but the same everywhere (as istiod has it).
 */
export function compareAge(a: KubeObject, b: KubeObject): number {
  return compareText(ageText(a), ageText(b));
}

/** All that is compared, as one text, which no two objects of a kind share; names hold nothing below "!". */
export const ageText = memoise(
  (object: KubeObject): string => `${created(object)} ${ageName(object)}`,
);

/** An object that was not created yet is younger than every other. */
function created({ metadata }: KubeObject): string {
  return metadata.creationTimestamp ?? "~";
}

function ageName({ metadata }: KubeObject): string {
  return `${metadata.name}.${metadata.namespace ?? ""}`;
}

/** By code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
