import type { Result } from "../base/issue.ts";
import { RegexFinder, type Slots } from "./regex/finder.ts";
import { RegexMatcher } from "./regex/matcher.ts";
import { buildProgram, type Program } from "./regex/program.ts";
import { parseRegex, SyntaxProblem } from "./regex/syntax.ts";

/** A regular expression that looks at whole values only. */
export interface CompiledRegex {
  /** `value` is text as it came over the wire: one character for each byte. */
  test(value: string): boolean;
}

/**
 * Compiles an RE2 pattern that must match the whole value, as Envoy's `safe_regex`. What RE2
 * refuses is refused.
 */
export function compileRegex(pattern: string): Result<CompiledRegex> {
  const program = compileProgram(pattern, false);
  return program.ok ? { ok: true, value: new RegexMatcher(program.value) } : program;
}

/**
 * Compiles the replacing of whatever a pattern finds in a text. In `substitution`, `\0` to `\9`
 * stand for what was found and for what its groups found, and `\\` for a backslash; one that names
 * a group that the pattern lacks, or has another escape, changes nothing, as with RE2.
 */
export function compileReplace(
  pattern: string,
  substitution: string,
): Result<(text: string) => string> {
  const program = compileProgram(pattern, true);
  if (!program.ok) return program;
  const parts = parseSubstitution(substitution, program.value.groupCount);
  if (parts === undefined) return { ok: true, value: (text) => text };
  const finder = new RegexFinder(program.value);
  return { ok: true, value: (text) => replaceAll(finder, parts, text) };
}

/** Compiles a pattern for the whole text that says what its groups found, from group 1 on. */
export function compileCapture(
  pattern: string,
): Result<(text: string) => readonly string[] | undefined> {
  const program = compileProgram(`^(?:${pattern})\\z`, true);
  if (!program.ok) return program;
  const finder = new RegexFinder(program.value);
  const { groupCount } = program.value;
  const indices = Array.from({ length: groupCount - 1 }, (_, index) => index + 1);
  return {
    ok: true,
    value: (text) => {
      const slots = finder.find(text, 0);
      return slots && indices.map((index) => groupText(text, slots, index));
    },
  };
}

/**
 * Compiles an RE2 pattern that may match anywhere: where the first match and its groups begin and
 * end, or `undefined` without a match.
 */
export function compileFinder(pattern: string): Result<(text: string) => Slots | undefined> {
  const program = compileProgram(pattern, true);
  if (!program.ok) return program;
  const finder = new RegexFinder(program.value);
  return { ok: true, value: (text) => finder.find(text, 0) };
}

function compileProgram(pattern: string, keepsGroups: boolean): Result<Program> {
  try {
    return { ok: true, value: buildProgram(parseRegex(pattern), keepsGroups) };
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    const message = `invalid regex "${pattern}": ${error.message}`;
    return { ok: false, issues: [{ path: "", message }] };
  }
}

/** Text, or the number of a group. */
type Part = string | number;

function parseSubstitution(text: string, groupCount: number): readonly Part[] | undefined {
  const parts: Part[] = [];
  for (const [piece] of text.matchAll(/\\[^]?|[^\\]+/g)) {
    if (!piece.startsWith("\\")) parts.push(piece);
    else if (piece === "\\\\") parts.push("\\");
    else if (/^\\\d$/.test(piece) && Number(piece[1]) < groupCount) parts.push(Number(piece[1]));
    else return undefined;
  }
  return parts;
}

function replaceAll(finder: RegexFinder, parts: readonly Part[], text: string): string {
  let result = "";
  let at = 0;
  let lastEnd = -1;
  while (at <= text.length) {
    const slots = finder.find(text, at);
    if (slots === undefined) break;
    const [begin = 0, end = 0] = slots;
    result += text.substring(at, begin);
    // Nothing right behind the last match is no match of its own.
    if (begin === lastEnd && begin === end) {
      result += text.substring(begin, begin + 1);
      at = begin + 1;
      continue;
    }
    for (const part of parts) {
      result += typeof part === "string" ? part : groupText(text, slots, part);
    }
    at = end;
    lastEnd = end;
  }
  return result + text.substring(at);
}

function groupText(text: string, slots: Slots, index: number): string {
  const begin = slots[index * 2] ?? -1;
  return begin === -1 ? "" : text.substring(begin, slots[index * 2 + 1]);
}
