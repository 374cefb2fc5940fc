import { holds, type Side, sideOf } from "./matcher.ts";
import type { Program } from "./program.ts";

/** Where groups begin and end: [begin 0, end 0, begin 1, …]; -1 for a group that took no part. */
export type Slots = readonly number[];

/** One way through the program so far. */
interface Thread {
  readonly place: number;
  readonly slots: Slots;
}

/**
 * Finds where an expression matches, and what its groups found: the match that begins first, and
 * of those the one that a backtracking engine would prefer, as RE2 has it. It walks all ways at
 * once (Pike's construction), so the time grows with the length of the text only.
 */
export class RegexFinder {
  readonly #program: Program;
  readonly #codes: readonly (readonly boolean[])[];
  readonly #seen: Uint32Array;
  #round = 0;

  constructor(program: Program) {
    this.#program = program;
    this.#seen = new Uint32Array(program.steps.length);
    this.#codes = program.sets.map((set) =>
      Array.from({ length: 256 }, (_, code) => set.has(code)),
    );
  }

  /** The first match at or after `from`; `undefined` when there is none. */
  find(text: string, from: number): Slots | undefined {
    const empty: Slots = Array.from({ length: this.#program.groupCount * 2 }, () => -1);
    let threads: Thread[] = [];
    let found: Slots | undefined;
    for (let at = from; at <= text.length; at++) {
      const round = ++this.#round;
      const next: Thread[] = [];
      for (const { place, slots } of threads) this.#follow(place, slots, { text, at, next, round });
      // A match that begins here is only worth looking for while none is found.
      if (found === undefined) {
        this.#follow(this.#program.start, set(empty, 0, at), { text, at, next, round });
      }
      threads = [];
      for (const { place, slots } of next) {
        const step = this.#program.steps[place];
        if (step?.kind === "match") {
          found = set(slots, 1, at);
          // Those behind it are preferred less.
          break;
        }
        if (step?.kind !== "set" || at === text.length) continue;
        if (this.#codes[step.set]?.[text.charCodeAt(at)] === true) {
          threads.push({ place: step.next, slots });
        }
      }
      if (threads.length === 0 && found !== undefined) return found;
    }
    return found;
  }

  /** Adds every step that can be reached without a character, the preferred ones first. */
  #follow(
    start: number,
    startSlots: Slots,
    to: { text: string; at: number; next: Thread[]; round: number },
  ): void {
    const { text, at, next, round } = to;
    const open: Thread[] = [{ place: start, slots: startSlots }];
    for (let thread = open.pop(); thread !== undefined; thread = open.pop()) {
      const { place, slots } = thread;
      const step = this.#program.steps[place];
      if (step === undefined || this.#seen[place] === round) continue;
      this.#seen[place] = round;
      if (step.kind === "fork") {
        for (let index = step.next.length - 1; index >= 0; index--) {
          open.push({ place: step.next[index] ?? 0, slots });
        }
      } else if (step.kind === "save") {
        open.push({ place: step.next, slots: set(slots, step.slot, at) });
      } else if (step.kind === "assertion") {
        const isTrue = holds(step.assertion, sideAt(text, at - 1), sideAt(text, at));
        if (isTrue) open.push({ place: step.next, slots });
      } else next.push(thread);
    }
  }
}

function sideAt(text: string, at: number): Side {
  return at < 0 || at >= text.length ? "edge" : sideOf(text.charCodeAt(at));
}

function set(slots: Slots, slot: number, at: number): Slots {
  const changed = [...slots];
  changed[slot] = at;
  return changed;
}
