import type { Issue } from "../../base/issue.ts";
import type { HttpMatch } from "../http-route.ts";

/** A rule as far as what it takes counts. */
interface Rule {
  readonly match?: readonly object[];
  /** Whether what it does not take in the end goes on to the next rule. */
  readonly delegate?: object;
}

/**
 * Rules and matches that nothing can reach, because one before them takes all that they would:
 * one without conditions, one with the same, or one with a shorter prefix beside the same. In
 * proportion to the number of matches.
 */
export function warnOfUnused(rules: readonly Rule[], path: string): readonly Issue[] {
  const issues: Issue[] = [];
  const taken = new TakenMatches();
  let taker: string | undefined;
  for (const [at, rule] of rules.entries()) {
    const where = `${path}[${at}]`;
    const { match = [] } = rule;
    if (taker !== undefined) {
      issues.push(unused(where, `${taker} takes every request before it`));
      continue;
    }
    const covers = match.map((one) => taken.find(one));
    for (const [index, cover] of covers.entries()) {
      if (cover !== undefined) {
        issues.push(unused(`${where}.match[${index}]`, `${cover} takes its requests before it`));
      }
    }
    // A delegate may take fewer requests than the rule that leads to it.
    if (rule.delegate !== undefined) continue;
    for (const [index, one] of match.entries()) taken.add(one, `${where}.match[${index}]`);
    if (match.length === 0 || match.some(isUnconditional)) taker = where;
  }
  return issues;
}

function unused(path: string, why: string): Issue {
  return { path, message: `is never used: ${why}`, severity: "warning" };
}

function isUnconditional(match: object): boolean {
  return Object.keys(match).every((key) => NAMES.has(key));
}

/** Fields of a match that are no condition. */
const NAMES = new Set(["name", "statPrefix"]);

/** The matches of the rules so far, by their conditions other than the path. */
class TakenMatches {
  readonly #same = new Map<string, string>();
  readonly #prefixes = new Map<string, Map<string, string>>();
  /** The lengths of all prefixes: those of a path are cut out of it, none is compared. */
  readonly #lengths = new Set<number>();

  /** The path of the match that takes all that this one would. */
  find(match: HttpMatch): string | undefined {
    const same = this.#same.get(conditionsOf(match, true));
    if (same !== undefined) return same;
    const uri = match.uri?.prefix ?? match.uri?.exact;
    const prefixes = this.#prefixes.get(conditionsOf(match, false));
    if (uri === undefined || prefixes === undefined) return undefined;
    for (const length of this.#lengths) {
      const found = length <= uri.length ? prefixes.get(uri.slice(0, length)) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  add(match: HttpMatch, path: string): void {
    const same = conditionsOf(match, true);
    if (!this.#same.has(same)) this.#same.set(same, path);
    const prefix = match.uri?.prefix;
    if (prefix === undefined) return;
    const others = conditionsOf(match, false);
    const prefixes = this.#prefixes.get(others) ?? new Map<string, string>();
    if (!prefixes.has(prefix)) prefixes.set(prefix, path);
    this.#prefixes.set(others, prefixes);
    this.#lengths.add(prefix.length);
  }
}

/** The conditions of a match as text, the same for any order of its fields. */
function conditionsOf(match: object, hasUri: boolean): string {
  const conditions = Object.entries(match).filter(
    ([name]) => !NAMES.has(name) && (hasUri || name !== "uri"),
  );
  return JSON.stringify(Object.fromEntries(conditions), (_, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const entries = Object.entries(value);
    return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}
