import { type ChurnState, type Host, judge, type Path } from "./churn-state.ts";

/** Most violations of one sequence that are kept; all are counted. */
const KEPT_MAX = 20;

/** What came back; status 0: nothing did. */
export interface Outcome {
  readonly status: number;
  readonly text: string;
}

/** One request that is over. */
export interface Judged {
  readonly plane: string;
  readonly host: Host;
  readonly path: Path;
  readonly outcome: Outcome;
  /** `StateWindow.oldest` when it was sent. */
  readonly from: number;
}

/** A request that should not have ended as it did. */
export interface Violation {
  readonly plane: string;
  /** `GET a/x: 503 no healthy upstream`. */
  readonly what: string;
  /** What it had to come to. */
  readonly expected: string;
  /** After how many steps of the sequence it was sent, and came back. */
  readonly steps: readonly [from: number, to: number];
}

/** How many requests came to what. */
export interface Counts {
  requests: number;
  /** Valid by every state that the proxy could have had. */
  valid: number;
  /** Not valid by at least one of them, and not answered 200. */
  rightlyRefused: number;
  violations: number;
}

/**
 * The states that proxies may be in: from the last one that all are known to have, to the newest
 * one written. A request is held to those between its start and its end.
 */
export class StateWindow {
  readonly counts: Counts = { requests: 0, valid: 0, rightlyRefused: 0, violations: 0 };
  #violations: Violation[] = [];
  readonly #states: ChurnState[];
  #oldest = 0;
  /** The state that the running sequence began with. */
  #base = 0;

  constructor(first: ChurnState) {
    this.#states = [first];
  }

  /** The oldest state that a proxy may still have. */
  get oldest(): number {
    return this.#oldest;
  }

  get newest(): ChurnState {
    const state = this.#states.at(-1);
    if (state === undefined) throw new Error("there is always a state");
    return state;
  }

  /** Another state is about to be written. */
  push(state: ChurnState): void {
    this.#states.push(state);
  }

  /** Every proxy has the newest state. */
  settle(): void {
    this.#oldest = this.#states.length - 1;
  }

  /** A sequence begins: steps are counted from here. */
  begin(): void {
    this.#base = this.#states.length - 1;
  }

  /** What has gone wrong since the last time this was asked. */
  takeViolations(): readonly Violation[] {
    const taken = this.#violations;
    this.#violations = [];
    return taken;
  }

  /** Holds a request to the states that it may have met. */
  judge({ plane, host, path, outcome, from }: Judged): void {
    const { counts } = this;
    counts.requests += 1;
    const states = this.#states.slice(from);
    const verdicts = states.map((state) => judge(state, host, path));
    if (verdicts.some(({ isForeign }) => isForeign)) return;
    // Clusters come before the routes that name them, and go after: for a moment a proxy has the
    // routes of one state and the clusters of another.
    const pods = new Set(
      states.flatMap((routes) =>
        states.flatMap((clusters) => [...judge(routes, host, path, clusters).pods]),
      ),
    );
    const isValid = verdicts.every((verdict) => verdict.isValid);
    if (isValid) counts.valid += 1;
    const isAnswered = outcome.status === 200 && pods.has(outcome.text);
    if (isAnswered) return;
    if (!isValid && (outcome.status === 503 || outcome.status === 404)) {
      counts.rightlyRefused += 1;
      return;
    }
    counts.violations += 1;
    if (this.#violations.length >= KEPT_MAX) return;
    const allowed = [...pods].sort().join(" or ");
    this.#violations.push({
      plane,
      what: `GET ${host}${path}: ${outcome.status} ${outcome.text.slice(0, 200)}`,
      expected: isValid ? `200 by ${allowed}` : `503, 404${allowed && `, or 200 by ${allowed}`}`,
      steps: [from - this.#base, this.#states.length - 1 - this.#base],
    });
  }
}
