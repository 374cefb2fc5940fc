import type { Result } from "../base/issue.ts";

/** RE2's bound of a counted repetition. */
const REPEAT_MAX = 1000;

/** What JavaScript would accept or read otherwise, and RE2 refuses. */
const REFUSED: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /^\(\?(?:=|!)/, what: "lookahead" },
  { pattern: /^\(\?<(?:=|!)/, what: "lookbehind" },
  { pattern: /^\\[1-9]/, what: "a back-reference" },
  { pattern: /^\\k/, what: "a named back-reference" },
  { pattern: /^[*+?}][+]/, what: "a possessive quantifier" },
];

/** What RE2 has and JavaScript has not: refused by name rather than read otherwise. */
const UNTRANSLATED: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /^\\[pP]/, what: "a Unicode class" },
  { pattern: /^\\[CQEaG]/, what: "this escape" },
  { pattern: /^\[\[:/, what: "a POSIX class" },
  { pattern: /^\(\?[imsU-]+[:)]/, what: "an inline flag that does not stand first" },
];

/**
 * Compiles an RE2 pattern that must match the whole value, as Envoy's `safe_regex`. What RE2
 * refuses is refused; so is the little of RE2 that JavaScript cannot express.
 */
export function compileRegex(pattern: string): Result<RegExp> {
  let flags = "";
  let source = pattern;
  const leading = /^\(\?([is]+)\)/.exec(pattern);
  if (leading !== null) {
    flags = [...new Set(leading[1])].join("");
    source = pattern.substring(leading[0].length);
  }
  const translated = translate(source);
  if (typeof translated !== "string") return refuse(pattern, translated.what);
  try {
    return { ok: true, value: new RegExp(`^(?:${translated})$`, flags) };
  } catch (error) {
    return refuse(pattern, error instanceof Error ? error.message : String(error));
  }
}

function translate(source: string): string | { readonly what: string } {
  let out = "";
  let isInClass = false;
  for (let at = 0; at < source.length; ) {
    const rest = source.substring(at);
    const refused = isInClass ? undefined : findRefused(rest);
    if (refused !== undefined) return { what: `${refused} is not part of RE2` };
    const untranslated = UNTRANSLATED.find(({ pattern }) => pattern.test(rest));
    if (untranslated !== undefined) return { what: `${untranslated.what} is not supported yet` };
    const step = translateAt(rest, isInClass);
    if (step.text === "[" && !isInClass) isInClass = true;
    else if (step.text === "]") isInClass = false;
    out += step.text;
    at += step.length;
  }
  return out;
}

function findRefused(rest: string): string | undefined {
  const count = /^\{(\d+)(?:,(\d*))?\}/.exec(rest);
  if (count !== null && Math.max(Number(count[1]), Number(count[2] ?? 0)) > REPEAT_MAX) {
    return `a repetition over ${REPEAT_MAX}`;
  }
  return REFUSED.find(({ pattern }) => pattern.test(rest))?.what;
}

function translateAt(rest: string, isInClass: boolean): { text: string; length: number } {
  if (!isInClass && rest.startsWith("(?P<")) return { text: "(?<", length: 4 };
  if (rest.startsWith("\\A")) return { text: "^", length: 2 };
  if (rest.startsWith("\\z")) return { text: "$", length: 2 };
  if (rest.startsWith("\\x{")) {
    const hex = /^\\x\{([0-9a-fA-F]{1,4})\}/.exec(rest);
    if (hex !== null)
      return { text: `\\u${(hex[1] ?? "").padStart(4, "0")}`, length: hex[0].length };
  }
  if (rest.startsWith("\\")) return { text: rest.substring(0, 2), length: 2 };
  return { text: rest.charAt(0), length: 1 };
}

function refuse(pattern: string, why: string): Result<RegExp> {
  return { ok: false, issues: [{ path: "", message: `invalid regex "${pattern}": ${why}` }] };
}
