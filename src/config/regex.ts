/** As Istio has it. */
const REGEX_LENGTH_MAX = 1024;
/**
 * How large a program may become, in steps as estimated here. RE2 ends at about 350,000 of its
 * own, and a match takes time in proportion.
 */
const STEPS_MAX = 100_000;
/** The most often that RE2 repeats, nested repetitions multiplied: `(x{10}){100}`. */
const REPEAT_MAX = 1000;

/**
 * What is wrong with a regular expression for Envoy, which uses RE2, or `undefined`. RE2 has no
 * backreferences and no lookaround, because those cannot be matched in linear time.
 *
 * Nothing passes that RE2 refuses: a proxy refuses all of its routes for one such expression.
 * A few rare things that RE2 takes (octal escapes, most scripts' names) are refused too. Envoy has
 * RE2 look at bytes, so that an escape stands for no more than one.
 */
export function checkRegex(text: string): string | undefined {
  if (text.length > REGEX_LENGTH_MAX) {
    return `must have at most ${REGEX_LENGTH_MAX} characters: got ${text.length}`;
  }
  const problem = text === "" ? "it is empty" : new Scanner(text).scan();
  if (problem === undefined) return undefined;
  return `must be an RE2 regular expression: got ${JSON.stringify(text)} (${problem})`;
}

/** What may follow a backslash outside of a class, and inside of one. */
const ESCAPE = /^\\(?:x\{0*[0-9a-fA-F]{1,2}\}|x[0-9a-fA-F]{2}|[ -/:-@[-`{-~]|[AzbBCdDsSwWafnrtv])/;
const CLASS_SET =
  /^(?:\\[dDsSwW]|\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\])/;
const CLASS_CHAR =
  /^(?:\\(?:x\{0*[0-9a-fA-F]{1,2}\}|x[0-9a-fA-F]{2}|[ -/:-@[-`{-~]|[afnrtv])|[^\\])/u;
const UNICODE_CLASS =
  /^\\[pP](?:[CLMNPSZ](?![a-z])|\{\^?(?:C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|Arabic|Cyrillic|Devanagari|Greek|Han|Hangul|Hebrew|Hiragana|Katakana|Latin|Thai)\})/;
const GROUP =
  /^\(\?(?:P?<([A-Za-z_]\w*)>|([imsU]+(?:-[imsU]+)?|-[imsU]+)?:|(?:[imsU]+(?:-[imsU]+)?|-[imsU]+)(\)))/;
const REPETITION = /^(?:[*+?]|\{(\d+)(,(\d*))?\})/;

/** What was estimated of a part of an expression. */
interface Part {
  /** How often the innermost of it is repeated at most. */
  readonly times: number;
  readonly steps: number;
}

const CHAR: Part = { times: 1, steps: 1 };
const ANY_CHAR: Part = { times: 1, steps: 10 };
const CLASS: Part = { times: 1, steps: 50 };
const UNICODE: Part = { times: 1, steps: 600 };

/** Two parts in a row. */
function join(left: Part, right: Part): Part {
  return { times: Math.max(left.times, right.times), steps: left.steps + right.steps };
}

/** Walks over an expression once; answers what is wrong, in words. */
class Scanner {
  readonly #text: string;
  #at = 0;
  /** What stands right before, if it may be repeated. */
  #atom: Part | undefined;
  /** All before it that stands in the same group. */
  #before: Part = CHAR;
  /** What stands before each open group. */
  readonly #open: Part[] = [];
  readonly #names = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  scan(): string | undefined {
    while (this.#at < this.#text.length) {
      const problem = this.#step(this.#text.slice(this.#at));
      if (problem !== undefined) return problem;
    }
    if (this.#open.length > 0) return "a ( is not closed";
    return this.#whole().steps > STEPS_MAX ? "it is too large" : undefined;
  }

  #step(rest: string): string | undefined {
    switch (rest.charAt(0)) {
      case "\\":
        return this.#escape(rest);
      case "[":
        return this.#class(rest);
      case "(":
        return this.#group(rest);
      case ")": {
        const outside = this.#open.pop();
        if (outside === undefined) return "a ) closes nothing";
        const inside = this.#whole();
        this.#before = outside;
        this.#atom = undefined;
        return this.#take(1, inside);
      }
      case "|":
        return this.#take(1, undefined);
      case ".":
        return this.#take(1, ANY_CHAR);
      default: {
        const match = REPETITION.exec(rest);
        // A brace that starts no repetition stands for itself.
        return match === null ? this.#take(1, CHAR) : this.#repeat(match, rest);
      }
    }
  }

  /** Moves on by a part, or by what is nothing that could be repeated. */
  #take(length: number, atom: Part | undefined): undefined {
    this.#at += length;
    this.#before = this.#whole();
    this.#atom = atom;
  }

  /** All of the group so far. */
  #whole(): Part {
    return this.#atom === undefined ? this.#before : join(this.#before, this.#atom);
  }

  #repeat([operator, min, , max]: RegExpExecArray, rest: string): string | undefined {
    if (this.#atom === undefined) return `there is nothing to repeat before ${operator}`;
    const least = Number(min ?? 1);
    const most = max === undefined || max === "" ? least : Number(max);
    if (most < least) return `${operator} ends before it starts`;
    const factor = Math.max(1, most);
    const repeated = { times: this.#atom.times * factor, steps: this.#atom.steps * factor };
    if (repeated.times > REPEAT_MAX) return `${operator} repeats more than ${REPEAT_MAX} times`;
    // A further `?` makes it lazy; anything else that repeats would repeat a repetition.
    const isLazy = rest[operator.length] === "?";
    this.#at += operator.length + (isLazy ? 1 : 0);
    this.#before = join(this.#before, repeated);
    this.#atom = undefined;
    return undefined;
  }

  #escape(rest: string): string | undefined {
    if (rest === "\\") return "it ends in a lone \\";
    if (/^\\[1-9k]/.test(rest)) return `the backreference ${rest.slice(0, 2)} is not part of it`;
    if (rest.startsWith("\\Q")) {
      const end = rest.indexOf("\\E");
      const literal = end === -1 ? rest.length : end + 2;
      const isEmpty = literal <= (end === -1 ? 2 : 4);
      return this.#take(literal, isEmpty ? undefined : { times: 1, steps: literal });
    }
    const unicode = UNICODE_CLASS.exec(rest);
    if (unicode !== null) return this.#take(unicode[0].length, UNICODE);
    const known = ESCAPE.exec(rest);
    if (known === null) return `the escape ${rest.slice(0, 2)} is not part of it`;
    return this.#take(known[0].length, /^\\[dDsSwWC]/.test(rest) ? ANY_CHAR : CHAR);
  }

  #group(rest: string): string | undefined {
    if (!rest.startsWith("(?")) {
      return this.#enter(1);
    }
    const around = /^\(\?<?[=!]/.exec(rest);
    if (around !== null) return `lookaround ${around[0]} is not part of it`;
    const match = GROUP.exec(rest);
    if (match === null) return `the group ${rest.slice(0, 3)} is not part of it`;
    const [opening, name, , closing] = match;
    if (name !== undefined) {
      if (this.#names.has(name)) return `two groups are named ${name}`;
      this.#names.add(name);
    }
    return closing === undefined
      ? this.#enter(opening.length)
      : this.#take(opening.length, undefined);
  }

  #enter(length: number): undefined {
    this.#open.push(this.#whole());
    this.#at += length;
    this.#before = CHAR;
    this.#atom = undefined;
  }

  #class(rest: string): string | undefined {
    let at = rest.startsWith("[^") ? 2 : 1;
    // A `]` that stands first stands for itself.
    for (let isFirst = true; isFirst || rest[at] !== "]"; isFirst = false) {
      const set = CLASS_SET.exec(rest.slice(at)) ?? UNICODE_CLASS.exec(rest.slice(at));
      if (set !== null) {
        at += set[0].length;
        continue;
      }
      if (rest.startsWith("[:", at)) return `the class ${rest.slice(at, at + 8)} is not part of it`;
      const low = CLASS_CHAR.exec(rest.slice(at))?.[0];
      if (low === undefined)
        return at < rest.length
          ? "a class has an escape that is not part of it"
          : "a [ is not closed";
      at += low.length;
      if (rest[at] !== "-" || rest[at + 1] === "]" || at + 1 >= rest.length) continue;
      const high = CLASS_CHAR.exec(rest.slice(at + 1))?.[0];
      if (high === undefined) return "a range of a class ends in what is no character";
      if (codeOf(high) < codeOf(low)) return `the range ${low}-${high} is backwards`;
      at += 1 + high.length;
    }
    return this.#take(at + 1, /\\[pP]/.test(rest.slice(0, at)) ? UNICODE : CLASS);
  }
}

const CONTROL: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** The code point of a character of a class, however it is written. */
function codeOf(char: string): number {
  if (!char.startsWith("\\") || char === "\\") return char.codePointAt(0) ?? 0;
  const name = char.charAt(1);
  if (name === "x") return Number.parseInt(char.replace(/[\\x{}]/g, ""), 16);
  return CONTROL[name] ?? name.charCodeAt(0);
}
