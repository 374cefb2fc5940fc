import type { Result } from "../base/issue.ts";

/** A piece of a template. */
export type JsonPathNode =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "path"; readonly path: Path }
  | { readonly type: "range"; readonly path: Path; readonly body: readonly JsonPathNode[] };

/** A way through a value, from the root (`$`) or from where a range or filter stands (`@`). */
export interface Path {
  readonly isFromRoot: boolean;
  readonly steps: readonly Step[];
}

/** One step of a path. A negative index counts from the end. */
export type Step =
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "wildcard" }
  | { readonly type: "index"; readonly at: number }
  | { readonly type: "slice"; readonly from: number; readonly to: number | undefined }
  | { readonly type: "union"; readonly steps: readonly Step[] }
  | {
      readonly type: "filter";
      readonly left: Operand;
      /** Absent: the left side only has to be there. */
      readonly operator: string | undefined;
      readonly right: Operand;
    };

/** One side of a filter. */
export type Operand =
  | { readonly type: "path"; readonly path: Path }
  | { readonly type: "literal"; readonly value: string | number | boolean | undefined };

/** Templates are written by hand: what is deeper than this is a mistake. */
const DEPTH_MAX = 20;

class JsonPathError extends Error {}

/** Takes a template apart; the issue's message has the place, counted in characters from 1. */
export function parseJsonPath(template: string): Result<readonly JsonPathNode[]> {
  try {
    return { ok: true, value: new Parser(template).template() };
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    return { ok: false, issues: [{ path: "", message: error.message }] };
  }
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  template(): readonly JsonPathNode[] {
    if (!this.#text.includes("{")) this.#fail('a template needs braces, as in "{.metadata.name}"');
    const nodes = this.#nodes(0);
    if (this.#at < this.#text.length) this.#fail("{end} without {range}");
    return nodes;
  }

  #nodes(depth: number): readonly JsonPathNode[] {
    if (depth > DEPTH_MAX) this.#fail(`ranges nested deeper than ${DEPTH_MAX}`);
    const nodes: JsonPathNode[] = [];
    while (this.#at < this.#text.length) {
      const open = this.#text.indexOf("{", this.#at);
      const text = this.#text.slice(this.#at, open === -1 ? undefined : open);
      if (text !== "") nodes.push({ type: "text", text });
      if (open === -1) {
        this.#at = this.#text.length;
        return nodes;
      }
      this.#at = open + 1;
      this.#spaces();
      if (this.#takes(/end\s*\}/y) !== undefined) {
        if (depth > 0) return nodes;
        this.#at = open;
        this.#fail("{end} without {range}");
      }
      if (this.#takes(/range\s+/y) !== undefined) nodes.push(this.#range(depth));
      else nodes.push(...this.#expressions());
    }
    if (depth > 0) this.#fail("{range} without {end}");
    return nodes;
  }

  #range(depth: number): JsonPathNode {
    const path = this.#path(0);
    this.#spaces();
    this.#expect("}");
    const body = this.#nodes(depth + 1);
    if (!/\{\s*end\s*\}$/.test(this.#text.slice(0, this.#at))) this.#fail("{range} without {end}");
    return { type: "range", path, body };
  }

  /** What stands in one pair of braces: paths and quoted texts. */
  #expressions(): readonly JsonPathNode[] {
    const nodes: JsonPathNode[] = [];
    for (;;) {
      this.#spaces();
      if (this.#takes(/\}/y) !== undefined) return nodes;
      const next = this.#text[this.#at];
      if (next === '"' || next === "'") nodes.push({ type: "text", text: this.#quoted() });
      else nodes.push({ type: "path", path: this.#path(0) });
    }
  }

  #path(depth: number): Path {
    const start = this.#takes(/[$@]/y);
    const steps: Step[] = [];
    for (;;) {
      if (this.#takes(/\.\./y) !== undefined)
        this.#fail('".." (recursive descent) is not supported');
      if (this.#takes(/\.?\[/y) !== undefined) {
        steps.push(this.#brackets(depth));
      } else if (this.#takes(/\./y) !== undefined) {
        if (this.#takes(/\*/y) !== undefined) steps.push({ type: "wildcard" });
        else {
          const name = this.#takes(/(?:\\.|[^\s.[\]{}()'"=!<>,|&?*\\])+/y);
          if (name !== undefined) steps.push({ type: "field", name: name.replace(/\\(.)/g, "$1") });
          // A dot alone is the value itself.
          else if (steps.length > 0) this.#fail("a field's name is missing");
        }
      } else {
        if (start === undefined && steps.length === 0 && this.#text[this.#at - 1] !== ".") {
          this.#fail("a path begins with . or [ or $ or @");
        }
        return { isFromRoot: start === "$", steps };
      }
    }
  }

  #brackets(depth: number): Step {
    if (depth > DEPTH_MAX) this.#fail(`filters nested deeper than ${DEPTH_MAX}`);
    if (this.#takes(/\?\s*\(/y) !== undefined) return this.#filter(depth);
    const steps: Step[] = [];
    do {
      this.#spaces();
      steps.push(this.#selector());
      this.#spaces();
    } while (this.#takes(/,/y) !== undefined);
    this.#expect("]");
    const only = steps.length === 1 ? steps[0] : undefined;
    return only ?? { type: "union", steps };
  }

  #selector(): Step {
    if (this.#takes(/\*/y) !== undefined) return { type: "wildcard" };
    const next = this.#text[this.#at];
    if (next === '"' || next === "'") return { type: "field", name: this.#quoted() };
    const from = this.#takes(/-?\d+/y);
    if (this.#takes(/:/y) !== undefined) {
      const to = this.#takes(/-?\d+/y);
      if (this.#takes(/:/y) !== undefined) this.#fail("slices with a step are not supported");
      return { type: "slice", from: Number(from ?? 0), to: to === undefined ? to : Number(to) };
    }
    if (from === undefined) return this.#fail("expected a number, a quoted name or *");
    return { type: "index", at: Number(from) };
  }

  #filter(depth: number): Step {
    const left = this.#operand(depth);
    const operator = this.#takes(/==|!=|<=|>=|<|>/y);
    if (this.#takes(/=~|&&|\|\|/y) !== undefined) {
      this.#fail("=~, && and || in filters are not supported");
    }
    const right: Operand =
      operator === undefined ? { type: "literal", value: undefined } : this.#operand(depth);
    if (this.#takes(/&&|\|\|/y) !== undefined) this.#fail("&& and || in filters are not supported");
    this.#expect(")");
    this.#spaces();
    this.#expect("]");
    return { type: "filter", left, operator, right };
  }

  #operand(depth: number): Operand {
    this.#spaces();
    const next = this.#text[this.#at];
    let operand: Operand;
    if (next === '"' || next === "'") operand = { type: "literal", value: this.#quoted() };
    else {
      const word = this.#takes(/-?\d+(?:\.\d+)?|true\b|false\b/y);
      if (word === undefined) operand = { type: "path", path: this.#path(depth + 1) };
      else if (word === "true" || word === "false") {
        operand = { type: "literal", value: word === "true" };
      } else operand = { type: "literal", value: Number(word) };
    }
    this.#spaces();
    return operand;
  }

  #quoted(): string {
    const quoted = this.#takes(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y);
    if (quoted === undefined) return this.#fail("a quoted text does not end");
    return quoted.slice(1, -1).replace(/\\(.)/g, (_, character: string) => {
      if (character === "n") return "\n";
      return character === "t" ? "\t" : character;
    });
  }

  #spaces(): void {
    this.#takes(/\s+/y);
  }

  #takes(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[0];
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) this.#fail(`expected "${character}"`);
    this.#at += 1;
  }

  #fail(message: string): never {
    throw new JsonPathError(`jsonpath at character ${this.#at + 1}: ${message}`);
  }
}
