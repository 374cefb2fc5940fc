import {
  type CharSet,
  charSet,
  classSet,
  escapeChar,
  perlClass,
  posixClass,
  unicodeClass,
} from "./char-set.ts";

/** What must be true between two characters. */
export type Assertion =
  | "text-start"
  | "text-end"
  | "line-start"
  | "line-end"
  | "word-edge"
  | "no-word-edge";

/** A part of an expression. */
export type Node =
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "choice"; readonly options: readonly Node[] }
  | {
      readonly kind: "repeat";
      readonly part: Node;
      readonly min: number;
      /** `undefined`: as often as it likes. */
      readonly max: number | undefined;
      /** Whether fewer times are preferred to more. */
      readonly isLazy: boolean;
    }
  /** What it finds is remembered under a number, from 1. */
  | { readonly kind: "group"; readonly part: Node; readonly index: number };

/** Why an expression cannot be read. */
export class SyntaxProblem extends Error {}

interface Flags {
  readonly ignoresCase: boolean;
  readonly isMultiline: boolean;
  readonly dotTakesNewline: boolean;
  readonly isUngreedy: boolean;
}

/** The most often that RE2 repeats, nested repetitions multiplied. */
const REPEAT_MAX = 1000;
const DEPTH_MAX = 1000;
const CODE_MAX = 0xff;

/**
 * Reads an expression as RE2 does (github.com/google/re2/wiki/Syntax) in the mode in which Envoy
 * has it: every byte of the expression and of the value is one character of Latin-1. Throws
 * `SyntaxProblem`.
 */
export function parseRegex(text: string): Node {
  return new Parser(Buffer.from(text, "utf8").toString("latin1")).parse();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #flags: Flags = {
    ignoresCase: false,
    isMultiline: false,
    dotTakesNewline: false,
    isUngreedy: false,
  };
  readonly #names = new Set<string>();
  #groups = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node {
    if (this.#text === "") throw new SyntaxProblem("it is empty");
    const node = this.#choice();
    if (this.#at < this.#text.length) throw new SyntaxProblem("a ) closes nothing");
    return node;
  }

  get #rest(): string {
    return this.#text.substring(this.#at);
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.#rest);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }

  #choice(): Node {
    const options = [this.#sequence()];
    while (this.#text[this.#at] === "|") {
      this.#at++;
      options.push(this.#sequence());
    }
    return options.length === 1 && options[0] !== undefined
      ? options[0]
      : { kind: "choice", options };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    /** Whether the last part may be repeated. */
    let mayRepeat = false;
    while (this.#at < this.#text.length) {
      const next = this.#text[this.#at];
      if (next === "|" || next === ")") break;
      const repetition = this.#take(/^(?:[*+?]|\{(\d+)(,(\d*))?\})/);
      if (repetition !== undefined) {
        const part = parts.pop();
        if (part === undefined || !mayRepeat) {
          throw new SyntaxProblem(`there is nothing to repeat before ${repetition[0]}`);
        }
        parts.push(this.#repeat(part, repetition));
        mayRepeat = false;
        continue;
      }
      const before = parts.length;
      this.#part(parts);
      mayRepeat = parts.length > before;
    }
    return { kind: "sequence", parts };
  }

  #repeat(part: Node, [operator, least, , most]: RegExpExecArray): Node {
    // A question mark changes nothing of whether there is a match, but where it ends.
    const isTurned = this.#text[this.#at] === "?";
    if (isTurned) this.#at++;
    const isLazy = isTurned !== this.#flags.isUngreedy;
    if (operator === "*") return { kind: "repeat", part, min: 0, max: undefined, isLazy };
    if (operator === "+") return { kind: "repeat", part, min: 1, max: undefined, isLazy };
    if (operator === "?") return { kind: "repeat", part, min: 0, max: 1, isLazy };
    const min = Number(least);
    const max = operator.includes(",") ? (most === "" ? undefined : Number(most)) : min;
    if (max !== undefined && max < min) {
      throw new SyntaxProblem(`${operator} ends before it starts`);
    }
    const times = Math.max(min, max ?? 0, 1);
    if (times * countRepetitions(part) > REPEAT_MAX) {
      throw new SyntaxProblem(`${operator} repeats more than ${REPEAT_MAX} times`);
    }
    return { kind: "repeat", part, min, max, isLazy };
  }

  #part(parts: Node[]): void {
    const next = this.#text[this.#at];
    if (next === "(") return this.#group(parts);
    if (next === "[") return void parts.push(this.#class());
    if (next === "\\") return this.#escape(parts);
    const { isMultiline, dotTakesNewline } = this.#flags;
    if (next === "^" || next === "$") {
      this.#at++;
      const [text, line] =
        next === "^"
          ? (["text-start", "line-start"] as const)
          : (["text-end", "line-end"] as const);
      parts.push({ kind: "assertion", assertion: isMultiline ? line : text });
    } else if (next === ".") {
      this.#at++;
      parts.push(this.#set(dotTakesNewline ? ANY : "[^\\n]"));
    } else {
      parts.push(this.#char(this.#takeChar()));
    }
  }

  #takeChar(): number {
    return this.#text.charCodeAt(this.#at++);
  }

  #char(code: number): Node {
    return { kind: "set", set: charSet(code, this.#flags.ignoresCase) };
  }

  #set(source: string): Node {
    return { kind: "set", set: classSet(source, this.#flags.ignoresCase) };
  }

  #group(parts: Node[]): void {
    const opening = this.#groupStart();
    if (opening === "flags") return;
    const outside = this.#flags;
    const index = opening === undefined ? ++this.#groups : 0;
    if (opening !== undefined) this.#flags = opening;
    if (++this.#depth > DEPTH_MAX) throw new SyntaxProblem("it is nested too deeply");
    const part = this.#choice();
    parts.push(index === 0 ? part : { kind: "group", part, index });
    this.#depth--;
    this.#flags = outside;
    if (this.#text[this.#at] !== ")") throw new SyntaxProblem("a ( is not closed");
    this.#at++;
  }

  /** The flags inside a group, or that it was no group but flags for what follows. */
  #groupStart(): Flags | "flags" | undefined {
    const name = this.#take(/^\(\?P?<([A-Za-z_]\w*)>/)?.[1];
    if (name !== undefined) {
      if (this.#names.has(name)) throw new SyntaxProblem(`two groups are named ${name}`);
      this.#names.add(name);
      return undefined;
    }
    const flags = this.#take(/^\(\?(?:([imsU]+(?:-[imsU]+)?|-[imsU]+)([:)])|:)/);
    if (flags !== undefined) {
      const changed = withFlags(this.#flags, flags[1] ?? "");
      if (flags[2] !== ")") return changed;
      this.#flags = changed;
      return "flags";
    }
    const around = /^\(\?<?[=!]/.exec(this.#rest);
    if (around !== null) throw new SyntaxProblem(`lookaround ${around[0]} is not part of it`);
    if (this.#rest.startsWith("(?")) {
      throw new SyntaxProblem(`the group ${this.#rest.substring(0, 3)} is not part of it`);
    }
    this.#at++;
    return undefined;
  }

  #escape(parts: Node[]): void {
    const literal = this.#take(/^\\Q((?:[^\\]|\\(?!E))*)(?:\\E|$)/);
    if (literal !== undefined) {
      for (const char of literal[1] ?? "") parts.push(this.#char(char.charCodeAt(0)));
      return;
    }
    const assertion = ASSERTIONS[this.#text[this.#at + 1] ?? ""];
    if (assertion !== undefined) {
      this.#at += 2;
      parts.push({ kind: "assertion", assertion });
      return;
    }
    // A character is a byte here, so this is any character.
    const source = this.#take(/^\\C/) === undefined ? this.#namedClass() : ANY;
    parts.push(source === undefined ? this.#char(this.#escapedChar()) : this.#set(source));
  }

  /** `\d`, `\pL`, `\p{Greek}` and their opposites. */
  #namedClass(): string | undefined {
    const perl = this.#take(/^\\([dDsSwW])/)?.[1];
    if (perl !== undefined) return perlClass(perl);
    const named = this.#take(/^\\([pP])(?:\{([^}]*)\}|([^{]))/);
    if (named === undefined) return undefined;
    const source = unicodeClass(named[2] ?? named[3] ?? "", named[1] === "P");
    if (source === undefined) throw new SyntaxProblem(`the class ${named[0]} is not known`);
    return source;
  }

  #escapedChar(): number {
    const hex = this.#take(/^\\x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/);
    if (hex !== undefined) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
      if (code <= CODE_MAX) return code;
      throw new SyntaxProblem(`${hex[0]} is more than one byte`);
    }
    const octal = this.#take(/^\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/);
    if (octal !== undefined) {
      const code = Number.parseInt(octal[1] ?? "", 8);
      if (code <= CODE_MAX) return code;
      throw new SyntaxProblem(`${octal[0]} is more than one byte`);
    }
    const plain = this.#take(/^\\([!-/:-@[-`{-~ ])/);
    if (plain !== undefined) return plain[1]?.charCodeAt(0) ?? 0;
    const control = CONTROLS[this.#text[this.#at + 1] ?? ""];
    if (control !== undefined) {
      this.#at += 2;
      return control;
    }
    const given = this.#rest.substring(0, 2);
    if (given === "\\") throw new SyntaxProblem("it ends in a lone \\");
    if (/^\\[1-9k]/.test(given)) {
      throw new SyntaxProblem(`the backreference ${given} is not part of it`);
    }
    throw new SyntaxProblem(`the escape ${given} is not part of it`);
  }

  #class(): Node {
    const start = this.#take(/^\[\^?/)?.[0] ?? "[";
    let source = start;
    // A `]` that stands first stands for itself.
    for (let isFirst = true; isFirst || this.#text[this.#at] !== "]"; isFirst = false) {
      if (this.#at >= this.#text.length) throw new SyntaxProblem("a [ is not closed");
      source += this.#classItem();
    }
    this.#at++;
    return this.#set(`${source}]`);
  }

  #classItem(): string {
    const posix = this.#take(/^\[:(\^?[^\]]*?):\]/);
    if (posix !== undefined) {
      const source = posixClass(posix[1] ?? "");
      if (source === undefined) throw new SyntaxProblem(`the class ${posix[0]} is not part of it`);
      return source;
    }
    const named = this.#namedClass();
    if (named !== undefined) return named;
    const low = this.#classChar();
    if (this.#take(/^-(?!\]|$)/) === undefined) return escapeChar(low);
    const high = this.#classChar();
    if (high < low) throw new SyntaxProblem("a range of a class is backwards");
    return `${escapeChar(low)}-${escapeChar(high)}`;
  }

  #classChar(): number {
    return this.#text[this.#at] === "\\" ? this.#escapedChar() : this.#takeChar();
  }
}

const ANY = "[\\x00-\\xff]";

const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: "text-start",
  z: "text-end",
  b: "word-edge",
  B: "no-word-edge",
};

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** `i-s` sets the one and clears the other. */
function withFlags(flags: Flags, letters: string): Flags {
  const [set = "", cleared = ""] = letters.split("-");
  const decide = (letter: string, before: boolean): boolean =>
    (before || set.includes(letter)) && !cleared.includes(letter);
  return {
    ignoresCase: decide("i", flags.ignoresCase),
    isMultiline: decide("m", flags.isMultiline),
    dotTakesNewline: decide("s", flags.dotTakesNewline),
    isUngreedy: decide("U", flags.isUngreedy),
  };
}

/** How often the innermost of it is repeated at most. */
function countRepetitions(node: Node): number {
  switch (node.kind) {
    case "set":
    case "assertion":
      return 1;
    case "sequence":
      return countMost(node.parts);
    case "choice":
      return countMost(node.options);
    case "group":
      return countRepetitions(node.part);
    case "repeat":
      return Math.max(node.min, node.max ?? 0, 1) * countRepetitions(node.part);
  }
}

function countMost(nodes: readonly Node[]): number {
  return nodes.reduce((most, node) => Math.max(most, countRepetitions(node)), 1);
}
