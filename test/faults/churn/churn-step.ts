import { createPrng, type Prng } from "../../../src/base/prng.ts";
import {
  type ChurnState,
  HOSTS,
  type Host,
  type HostState,
  PATHS,
  type Rule,
  START_STATE,
  type Subsets,
  type Target,
  VERSIONS,
  type Version,
} from "./churn-state.ts";

/** One object is written or deleted (`undefined`, or `false` for a Service). */
export type Change =
  | { readonly on: Host; readonly rules: readonly Rule[] | undefined }
  | { readonly on: Host; readonly subsets: Subsets | undefined }
  | { readonly on: Host; readonly ready: readonly Version[] }
  | { readonly on: Host; readonly hasService: boolean };

/** What is written at once, and how long nothing follows. */
export interface Step {
  readonly changes: readonly Change[];
  /** `settled`: until every proxy has acknowledged it; else milliseconds. */
  readonly pause: "settled" | number;
}

const MOVES_MAX = 4;
const PAUSE_MS_MAX = 60;

/** What a state becomes by one step. */
export function applyStep(state: ChurnState, { changes }: Step): ChurnState {
  let next = state;
  for (const { on, ...fields } of changes) {
    next = { ...next, [on]: { ...next[on], ...(fields as Partial<HostState>) } };
  }
  return next;
}

/** The steps of one sequence, from the start state on; the same for the same numbers. */
export function createSequence(seed: number, index: number): readonly Step[] {
  const prng = createPrng((seed * 1_000_003 + index * 7919) >>> 0);
  const steps: Step[] = [];
  let state = START_STATE;
  // Work often stays with one service, so that what was routed to is what changes next.
  const focus = pick(prng, HOSTS);
  for (let move = 1 + pickIndex(prng, MOVES_MAX); move > 0; move--) {
    // What belongs together, in any order, in as many writes as chance will have it.
    const changes = shuffle(prng, createMove(prng, state, focus));
    while (changes.length > 0) {
      const step = {
        changes: changes.splice(0, prng.next() < 0.4 ? 3 : 1 + pickIndex(prng, changes.length)),
        pause: prng.next() < 0.4 ? "settled" : pickIndex(prng, PAUSE_MS_MAX),
      } as const;
      steps.push(step);
      state = applyStep(state, step);
    }
  }
  return steps;
}

/** One step in words, for the report of a failure. */
export function formatStep({ changes, pause }: Step): string {
  const after = pause === "settled" ? "until settled" : `for ${pause} ms`;
  // What is deleted shows as null; JSON leaves `undefined` out.
  const texts = changes.map((one) => JSON.stringify(one, (_, value: unknown) => value ?? null));
  return `${texts.join(" + ")}, then wait ${after}`;
}

/** What an author would do as one piece of work: several objects of one or two hosts. */
function createMove(prng: Prng, state: ChurnState, focus: Host): Change[] {
  const on = prng.next() < 0.8 ? focus : pick(prng, HOSTS);
  const kind = prng.next();
  if (kind < 0.25) return createShift(prng, on);
  if (kind < 0.5) return createHandover(prng, on, state);
  if (kind < 0.6)
    return [{ on, rules: state[on].rules === undefined ? someRules(prng) : undefined }];
  if (kind < 0.72) return [{ on, subsets: prng.next() < 0.3 ? undefined : someSubsets(prng) }];
  if (kind < 0.82) return [{ on, ready: pick(prng, READY) }];
  if (kind < 0.9) return [{ on, hasService: !state[on].hasService }];
  return [
    { on, rules: undefined },
    { on, subsets: undefined },
    { on: pick(prng, HOSTS), rules: someRules(prng) },
  ];
}

const BOTH = { v1: "v1", v2: "v2" } as const;
const READY = [["v1", "v2"], ["v1"], ["v2"], []] as const;

/** Traffic moves to one version, and the other one goes: its subset, its pod, or both. */
function createShift(prng: Prng, on: Host): Change[] {
  const to = pick(prng, VERSIONS);
  const from = prng.next() < 0.7 ? on : pick(prng, HOSTS);
  const connectTimeoutSeconds = 1 + pickIndex(prng, 3);
  return [
    { on: from, rules: [{ targets: [{ host: on, subset: to }] }] },
    { on, subsets: { versions: prng.next() < 0.5 ? { [to]: to } : BOTH, connectTimeoutSeconds } },
    { on, ready: prng.next() < 0.5 ? [to] : VERSIONS },
  ];
}

/** Traffic and the pods that answer it change from one version to the other. */
function createHandover(prng: Prng, on: Host, state: ChurnState): Change[] {
  const to = state[on].ready.includes("v2") ? "v1" : "v2";
  return [
    { on, rules: [{ targets: [{ host: on, subset: to }] }] },
    ...(state[on].subsets === undefined || prng.next() < 0.3
      ? [{ on, subsets: { versions: BOTH, connectTimeoutSeconds: 1 } }]
      : []),
    { on, ready: [to] },
  ];
}

function someRules(prng: Prng): readonly Rule[] {
  const rules: Rule[] = PATHS.filter(() => prng.next() < 0.4).map((prefix) => ({
    prefix,
    targets: someTargets(prng),
  }));
  return prng.next() < 0.8 || rules.length === 0
    ? [...rules, { targets: someTargets(prng) }]
    : rules;
}

function someTargets(prng: Prng): readonly Target[] {
  const targets = Array.from({ length: prng.next() < 0.7 ? 1 : 2 }, () => ({
    host: pick(prng, HOSTS),
    ...(prng.next() < 0.6 && { subset: pick(prng, ["v1", "v2", "v1", "v2", "other"]) }),
  }));
  const isTwice = targets.length === 2 && JSON.stringify(targets[0]) === JSON.stringify(targets[1]);
  return isTwice ? targets.slice(1) : targets;
}

function someSubsets(prng: Prng): Subsets {
  const names = ["v1", "v2", "other"].filter(() => prng.next() < 0.7);
  const versions = names.map((name) => {
    const own = VERSIONS.find((version) => version === name);
    return [name, prng.next() < 0.8 && own !== undefined ? own : pick(prng, VERSIONS)];
  });
  return {
    versions: Object.fromEntries(versions) as Subsets["versions"],
    connectTimeoutSeconds: 1 + pickIndex(prng, 3),
  };
}

function pick<T>(prng: Prng, from: readonly [T, ...T[]] | readonly T[]): T {
  return from[pickIndex(prng, from.length)] as T;
}

function pickIndex(prng: Prng, length: number): number {
  return Math.floor(prng.next() * length);
}

function shuffle<T>(prng: Prng, items: readonly T[]): T[] {
  const mixed = [...items];
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = pickIndex(prng, at + 1);
    [mixed[at], mixed[other]] = [mixed[other] as T, mixed[at] as T];
  }
  return mixed;
}
