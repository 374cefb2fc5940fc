/** Characters, which are bytes, that one step of an expression takes. */
export interface CharSet {
  /** Equal for equal sets. */
  readonly key: string;
  has(code: number): boolean;
}

/**
 * A class in the syntax of JavaScript's `v` flag, with its brackets. Only letters of ASCII lose
 * their case in the Latin-1 mode of RE2.
 */
export function classSet(source: string, ignoresCase: boolean): CharSet {
  const regex = new RegExp(`^${source}$`, "v");
  const folded = ignoresCase ? new RegExp(`^${source}$`, "iv") : regex;
  return {
    key: `${ignoresCase ? "i" : "-"}${source}`,
    has: (code) => (code < 128 ? folded : regex).test(String.fromCharCode(code)),
  };
}

/** One character, in all its forms when case does not count. */
export function charSet(code: number, ignoresCase: boolean): CharSet {
  if (ignoresCase) return classSet(`[${escapeChar(code)}]`, true);
  return { key: `c${code}`, has: (other) => other === code };
}

/** How a character stands in a class. */
export function escapeChar(code: number): string {
  return `\\x${code.toString(16).padStart(2, "0")}`;
}

/** What RE2 means by `\d`, `\s` and `\w`: ASCII only. */
const PERL: Readonly<Record<string, string>> = {
  d: "[0-9]",
  s: "[\\t\\n\\f\\r ]",
  w: "[0-9A-Za-z_]",
};

/** The class of `\d` or `\W`, by its letter; `undefined` for another letter. */
export function perlClass(letter: string): string | undefined {
  const positive = PERL[letter.toLowerCase()];
  if (positive === undefined) return undefined;
  return letter === letter.toLowerCase() ? positive : `[^${positive}]`;
}

const POSIX: Readonly<Record<string, string>> = {
  alnum: "[0-9A-Za-z]",
  alpha: "[A-Za-z]",
  ascii: "[\\x00-\\x7f]",
  blank: "[\\t ]",
  cntrl: "[\\x00-\\x1f\\x7f]",
  digit: "[0-9]",
  graph: "[\\x21-\\x7e]",
  lower: "[a-z]",
  print: "[\\x20-\\x7e]",
  punct: "[\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e]",
  space: "[\\t-\\r ]",
  upper: "[A-Z]",
  word: "[0-9A-Za-z_]",
  xdigit: "[0-9A-Fa-f]",
};

/** The class of `[:alpha:]`, by its name without the colons; `^` turns it around. */
export function posixClass(name: string): string | undefined {
  const isNegated = name.startsWith("^");
  const positive = POSIX[isNegated ? name.substring(1) : name];
  return positive === undefined || !isNegated ? positive : `[^${positive}]`;
}

const CATEGORY = /^(?:C[cfos]|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/;

/** The class of `\pL` or `\p{Greek}`, by what stands after the `p`; `undefined` when unknown. */
export function unicodeClass(name: string, isNegated: boolean): string | undefined {
  const isTurned = name.startsWith("^");
  const positive = positiveUnicodeClass(isTurned ? name.substring(1) : name);
  if (positive === undefined) return undefined;
  return isTurned === isNegated ? positive : `[^${positive}]`;
}

function positiveUnicodeClass(name: string): string | undefined {
  if (name === "Any") return "[\\x00-\\xff]";
  // RE2's C is without the code points that nobody has assigned.
  if (name === "C") return "[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}]";
  if (CATEGORY.test(name)) return `[\\p{${name}}]`;
  // Scripts go by their long names only; JavaScript knows short ones too, of four letters.
  if (!/^[A-Z][A-Za-z_]{2,}$/.test(name)) return undefined;
  if (name.length === 4 && !FOUR_LETTER_SCRIPTS.has(name)) return undefined;
  const source = `[\\p{Script=${name}}]`;
  try {
    return new RegExp(source, "v").source;
  } catch {
    return undefined;
  }
}

const FOUR_LETTER_SCRIPTS: ReadonlySet<string> = new Set(["Cham", "Lisu", "Thai", "Modi", "Newa"]);
