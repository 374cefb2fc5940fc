import type { Program, Step } from "./program.ts";
import type { Assertion } from "./syntax.ts";

/** What stands on one side of a place in the text, as far as assertions ask. */
export type Side = "edge" | "newline" | "word" | "other";

/** Characters that no set of the expression tells apart. */
interface CharClass {
  readonly index: number;
  readonly side: Side;
  /** By set: whether it has these characters. */
  readonly isIn: readonly boolean[];
}

/** Where the automaton can be after some text: every such place at once. */
interface State {
  readonly places: readonly number[];
  readonly before: Side;
  /** By class of the next character. */
  readonly next: (State | undefined)[];
  /** Whether the text may end here; looked up once. */
  accepts: boolean | undefined;
}

/** States kept; then all are forgotten and found again, so that memory has a bound. */
const STATES_MAX = 2000;
const PLACES_MAX = 500_000;

/**
 * Runs a program over whole values, in time that grows with the length of the value and never
 * faster: the states of a deterministic automaton are made as they are met and kept (as RE2 does).
 * JavaScript's own engine tries alternatives one after the other, and a value can be made for
 * which that takes for ever.
 */
export class RegexMatcher {
  readonly #program: Program;
  readonly #classes = new Map<string, CharClass>();
  readonly #bytes: readonly CharClass[];
  readonly #states = new Map<string, State>();
  #placeCount = 0;
  readonly #seen: Uint32Array;
  #round = 0;

  constructor(program: Program) {
    this.#program = program;
    this.#seen = new Uint32Array(program.steps.length);
    this.#bytes = Array.from({ length: 256 }, (_, code) => this.#classify(code));
  }

  /** `value` has one character for each byte. */
  test(value: string): boolean {
    let state = this.#stateOf([this.#program.start], "edge");
    for (let at = 0; at < value.length; at++) {
      const charClass = this.#bytes[value.charCodeAt(at)];
      if (charClass === undefined) return false;
      state = state.next[charClass.index] ?? this.#advance(state, charClass);
      if (state.places.length === 0) return false;
    }
    return this.#accepts(state);
  }

  #classify(code: number): CharClass {
    const side = this.#program.hasAssertions ? sideOf(code) : "other";
    const isIn = this.#program.sets.map((set) => set.has(code));
    const key = side + isIn.map(Number).join("");
    const known = this.#classes.get(key);
    if (known !== undefined) return known;
    const charClass = { index: this.#classes.size, side, isIn };
    this.#classes.set(key, charClass);
    return charClass;
  }

  #advance(state: State, { index, side, isIn }: CharClass): State {
    const reached = new Set<number>();
    this.#follow(state, side, (step) => {
      if (step.kind === "set" && isIn[step.set] === true) reached.add(step.next);
    });
    const places = [...reached].sort((left, right) => left - right);
    const next = this.#stateOf(places, this.#program.hasAssertions ? side : "edge");
    state.next[index] = next;
    return next;
  }

  #accepts(state: State): boolean {
    if (state.accepts === undefined) {
      let accepts = false;
      this.#follow(state, "edge", (step) => {
        if (step.kind === "match") accepts = true;
      });
      state.accepts = accepts;
    }
    return state.accepts;
  }

  /** Visits every step that can be reached without a character, what stands behind being `after`. */
  #follow({ places, before }: State, after: Side, visit: (step: Step) => void): void {
    const { steps } = this.#program;
    const round = ++this.#round;
    const open = [...places];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      const step = steps[place];
      if (step === undefined || this.#seen[place] === round) continue;
      this.#seen[place] = round;
      visit(step);
      if (step.kind === "fork") open.push(...step.next);
      else if (step.kind === "assertion" && holds(step.assertion, before, after)) {
        open.push(step.next);
      }
    }
  }

  #stateOf(places: readonly number[], before: Side): State {
    const key = before + places.join();
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    if (this.#states.size >= STATES_MAX || this.#placeCount > PLACES_MAX) {
      this.#states.clear();
      this.#placeCount = 0;
    }
    const state: State = { places, before, next: [], accepts: undefined };
    this.#states.set(key, state);
    this.#placeCount += places.length;
    return state;
  }
}

/** The side on which a character stands. */
export function sideOf(code: number): Side {
  if (code === 10) return "newline";
  return /\w/.test(String.fromCharCode(code)) ? "word" : "other";
}

/** Whether an assertion is true between two sides. */
export function holds(assertion: Assertion, before: Side, after: Side): boolean {
  switch (assertion) {
    case "text-start":
      return before === "edge";
    case "text-end":
      return after === "edge";
    case "line-start":
      return before === "edge" || before === "newline";
    case "line-end":
      return after === "edge" || after === "newline";
    case "word-edge":
      return (before === "word") !== (after === "word");
    case "no-word-edge":
      return (before === "word") === (after === "word");
  }
}
