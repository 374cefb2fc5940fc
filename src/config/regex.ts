/** Envoy's default limit is 100 instructions of RE2 program; text is what its author sees. */
const REGEX_LENGTH_MAX = 1024;

/**
 * What is wrong with a regular expression for Envoy, which uses RE2, or `undefined`. RE2 has no
 * backreferences and no lookaround, because those cannot be matched in linear time.
 */
export function checkRegex(text: string): string | undefined {
  if (text.length > REGEX_LENGTH_MAX) {
    return `must have at most ${REGEX_LENGTH_MAX} characters: got ${text.length}`;
  }
  const unsupported = findUnsupported(text);
  if (unsupported !== undefined) {
    return `must be an RE2 regular expression: ${unsupported} is not part of it`;
  }
  try {
    new RegExp(toJavaScript(text), "u");
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^.*: /, "") : String(error);
    return `must be a regular expression: got ${JSON.stringify(text)} (${why.toLowerCase()})`;
  }
}

function findUnsupported(text: string): string | undefined {
  let isInClass = false;
  for (let at = 0; at < text.length; at++) {
    const rest = text.slice(at, at + 4);
    if (text[at] === "\\") {
      if (!isInClass && /^\\[1-9k]/.test(rest)) return `the backreference ${rest.slice(0, 2)}`;
      at++;
    } else if (isInClass) {
      if (text[at] === "]") isInClass = false;
    } else if (text[at] === "[") {
      isInClass = true;
      // "]" right after the start stands for itself.
      if (/^\[\^?\]/.test(rest)) at += rest[1] === "^" ? 2 : 1;
    } else if (/^\(\?(=|!|<=|<!)/.test(rest)) {
      return `lookaround ${/^\(\?<?[=!]/.exec(rest)?.[0]}`;
    } else if (/^\(\?[>#(|]/.test(rest)) {
      return rest.slice(0, 3);
    }
  }
  return undefined;
}

/**
 * RE2's spelling in JavaScript's, as far as syntax goes: flags like `(?i)` and `(?s:…)`, named
 * groups `(?P<name>…)`, `\A` and `\z`, POSIX classes, and escapes that JavaScript's `u` flag is
 * stricter about.
 */
function toJavaScript(text: string): string {
  return text
    .replace(/\(\?[imsU]+(?:-[imsU]+)?\)/g, "")
    .replace(/\(\?[imsU]*(?:-[imsU]+)?:/g, "(?:")
    .replace(/\(\?P</g, "(?<")
    .replace(/\[:\^?[a-z]+:\]/g, "a-z")
    .replace(/\\A/g, "^")
    .replace(/\\[zC]/g, "$")
    .replace(/\\Q(.*?)(?:\\E|$)/g, (_, literal: string) =>
      literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"),
    )
    .replace(/\\([-"#%&',:;<=>@_`~! a])/g, (_, char: string) =>
      char === "-" ? "\\x2d" : char === "a" ? "\\x07" : char,
    );
}
