import type { CharSet } from "./char-set.ts";
import type { Assertion, Node } from "./syntax.ts";
import { SyntaxProblem } from "./syntax.ts";

/** One step of a program; the numbers are indices of other steps. */
export type Step =
  | { readonly kind: "set"; readonly set: number; readonly next: number }
  | { readonly kind: "assertion"; readonly assertion: Assertion; readonly next: number }
  /** Remembers the place in the text: where a group begins (even) or ends (odd). */
  | { readonly kind: "save"; readonly slot: number; readonly next: number }
  /** Goes on at each of them at once; those that come first are preferred. */
  | { readonly kind: "fork"; readonly next: readonly number[] }
  | { readonly kind: "match" };

/** An expression as a nondeterministic automaton (Thompson's construction). */
export interface Program {
  readonly steps: readonly Step[];
  readonly sets: readonly CharSet[];
  readonly start: number;
  readonly hasAssertions: boolean;
  /** How many groups are remembered; group 0 is all of it. */
  readonly groupCount: number;
}

/** A match takes time in proportion to the steps: as many as a long expression may need. */
const STEPS_MAX = 100_000;

/**
 * Builds the program of an expression; throws `SyntaxProblem` when it would be too large. Groups
 * are remembered only if `keepsGroups`: whether there is a match does not depend on them.
 */
export function buildProgram(node: Node, keepsGroups: boolean): Program {
  const builder = new Builder(keepsGroups);
  const start = builder.build(node, builder.add({ kind: "match" }));
  const { steps, sets, groupCount } = builder;
  const hasAssertions = steps.some(({ kind }) => kind === "assertion");
  return { steps, sets, start, hasAssertions, groupCount };
}

class Builder {
  readonly steps: Step[] = [];
  readonly sets: CharSet[] = [];
  groupCount = 1;
  readonly #keepsGroups: boolean;
  readonly #setAt = new Map<string, number>();

  constructor(keepsGroups: boolean) {
    this.#keepsGroups = keepsGroups;
  }

  add(step: Step): number {
    if (this.steps.length >= STEPS_MAX) throw new SyntaxProblem("it is too large");
    this.steps.push(step);
    return this.steps.length - 1;
  }

  /** The first step of a part that goes on at `next`. */
  build(node: Node, next: number): number {
    switch (node.kind) {
      case "set":
        return this.add({ kind: "set", set: this.#indexOf(node.set), next });
      case "assertion":
        return this.add({ kind: "assertion", assertion: node.assertion, next });
      case "sequence":
        return node.parts.reduceRight((after, part) => this.build(part, after), next);
      case "choice":
        return this.add({
          kind: "fork",
          next: node.options.map((option) => this.build(option, next)),
        });
      case "group":
        return this.#buildGroup(node, next);
      case "repeat":
        return this.#buildRepeat(node, next);
    }
  }

  #buildGroup({ part, index }: Node & { kind: "group" }, next: number): number {
    if (!this.#keepsGroups) return this.build(part, next);
    this.groupCount = Math.max(this.groupCount, index + 1);
    const end = this.add({ kind: "save", slot: index * 2 + 1, next });
    return this.add({ kind: "save", slot: index * 2, next: this.build(part, end) });
  }

  #buildRepeat({ part, min, max, isLazy }: Node & { kind: "repeat" }, next: number): number {
    const either = (more: number): number[] => (isLazy ? [next, more] : [more, next]);
    let at = next;
    if (max === undefined) {
      const loop: number[] = [];
      at = this.add({ kind: "fork", next: loop });
      loop.push(...either(this.build(part, at)));
    } else {
      for (let count = min; count < max; count++) {
        at = this.add({ kind: "fork", next: either(this.build(part, at)) });
      }
    }
    for (let count = 0; count < min; count++) at = this.build(part, at);
    return at;
  }

  #indexOf(set: CharSet): number {
    const known = this.#setAt.get(set.key);
    if (known !== undefined) return known;
    this.sets.push(set);
    this.#setAt.set(set.key, this.sets.length - 1);
    return this.sets.length - 1;
  }
}
