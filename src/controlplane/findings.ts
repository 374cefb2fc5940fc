import { formatIssue, type Issue, isError } from "../base/issue.ts";
import type { ObjectKey } from "../config/object.ts";
import type { ConfigOrigin } from "../source/source.ts";

/** One thing that is wrong with the configuration, for its author. */
export interface Finding {
  /** Absent for what did not come from a file. */
  readonly origin?: ConfigOrigin;
  /** `Kind/namespace/name`; absent when the input did not get so far. */
  readonly object?: string;
  /** The same for programs; absent for what stands in no place that could be told. */
  readonly key?: ObjectKey;
  /** Whether its source refused a version of the object, so that the one before, if any, stays in use. */
  readonly isRefused?: boolean;
  readonly issue: Issue;
}

/** How the findings differ from those before. */
export interface FindingsChange {
  readonly appeared: readonly Finding[];
  readonly resolved: readonly Finding[];
  /** All there are now. */
  readonly all: readonly Finding[];
}

/** `file:line: Kind/namespace/name: path: message`, of which what is not known is left out. */
export function formatFinding({ origin, object, issue }: Finding): string {
  const place = origin === undefined ? "" : `${origin.file}:${origin.line}: `;
  const subject = object === undefined ? "" : `${object}: `;
  return `${place}${subject}${formatIssue(issue)}`;
}

/** Remembers the findings of the last time. A moved line is no new finding. */
export class Findings {
  #current: ReadonlyMap<string, Finding> = new Map();

  /** All there are, errors first, then by text. */
  list(): readonly Finding[] {
    return [...this.#current.values()];
  }

  /** Replaces them all; what is the same as before is neither new nor gone. */
  replace(findings: readonly Finding[]): FindingsChange {
    const before = this.#current;
    const sorted = findings.toSorted(compareFindings);
    this.#current = new Map(sorted.map((finding) => [identityOf(finding), finding]));
    return {
      appeared: [...this.#current].filter(([id]) => !before.has(id)).map(([, finding]) => finding),
      all: this.list(),
      resolved: [...before].filter(([id]) => !this.#current.has(id)).map(([, finding]) => finding),
    };
  }
}

function identityOf({ origin, object, issue }: Finding): string {
  return JSON.stringify([origin?.file, object, issue.path, issue.message, isError(issue)]);
}

function compareFindings(left: Finding, right: Finding): number {
  if (isError(left.issue) !== isError(right.issue)) return isError(left.issue) ? -1 : 1;
  const [a, b] = [left, right].map(
    ({ origin }) => [origin?.file ?? "", origin?.line ?? 0] as const,
  );
  if (a !== undefined && b !== undefined) {
    if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
    if (a[1] !== b[1]) return a[1] - b[1];
  }
  return formatFinding(left) < formatFinding(right) ? -1 : 1;
}
