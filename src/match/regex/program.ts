import type { CharSet } from "./char-set.ts";
import type { Assertion, Node } from "./syntax.ts";
import { SyntaxProblem } from "./syntax.ts";

/** One step of a program; the numbers are indices of other steps. */
export type Step =
  | { readonly kind: "set"; readonly set: number; readonly next: number }
  | { readonly kind: "assertion"; readonly assertion: Assertion; readonly next: number }
  /** Goes on at each of them at once. */
  | { readonly kind: "fork"; readonly next: readonly number[] }
  | { readonly kind: "match" };

/** An expression as a nondeterministic automaton (Thompson's construction). */
export interface Program {
  readonly steps: readonly Step[];
  readonly sets: readonly CharSet[];
  readonly start: number;
  readonly hasAssertions: boolean;
}

/** A match takes time in proportion to the steps: as many as a long expression may need. */
const STEPS_MAX = 100_000;

/** Builds the program of an expression; throws `SyntaxProblem` when it would be too large. */
export function buildProgram(node: Node): Program {
  const builder = new Builder();
  const start = builder.build(node, builder.add({ kind: "match" }));
  const { steps, sets } = builder;
  const hasAssertions = steps.some(({ kind }) => kind === "assertion");
  return { steps, sets, start, hasAssertions };
}

class Builder {
  readonly steps: Step[] = [];
  readonly sets: CharSet[] = [];
  readonly #setAt = new Map<string, number>();

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
      case "repeat":
        return this.#buildRepeat(node, next);
    }
  }

  #buildRepeat({ part, min, max }: Node & { kind: "repeat" }, next: number): number {
    let at = next;
    if (max === undefined) {
      const loop: number[] = [];
      at = this.add({ kind: "fork", next: loop });
      loop.push(this.build(part, at), next);
    } else {
      for (let count = min; count < max; count++) {
        at = this.add({ kind: "fork", next: [this.build(part, at), next] });
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
