import { ChurnMesh, type ChurnMeshOptions } from "./churn-mesh.ts";
import type { Step } from "./churn-step.ts";
import { type ChurnFailure, runSequence } from "./run-churn.ts";

/** Runs of one candidate: what depends on the moment does not fail every time. */
const RUNS_EACH = 4;

/** Candidates that are tried at most. */
const TRIES_MAX = 60;

/**
 * The fewest steps and changes found that still fail, over proxies of their own; `undefined` when
 * not even the whole sequence fails again.
 */
export async function shrinkSequence(
  options: ChurnMeshOptions,
  { index, steps }: ChurnFailure,
): Promise<ChurnFailure | undefined> {
  const mesh = await ChurnMesh.start(options);
  try {
    let best: ChurnFailure | undefined = await failureOf(mesh, index, steps);
    for (let tries = 0; best !== undefined && tries < TRIES_MAX; ) {
      let smaller: ChurnFailure | undefined;
      for (const candidate of smallerThan(best.steps)) {
        if (++tries > TRIES_MAX) break;
        smaller = await failureOf(mesh, index, candidate);
        if (smaller !== undefined) break;
      }
      if (smaller === undefined) break;
      best = smaller;
    }
    return best;
  } finally {
    await mesh.stop();
  }
}

async function failureOf(
  mesh: ChurnMesh,
  index: number,
  steps: readonly Step[],
): Promise<ChurnFailure | undefined> {
  for (let run = 0; run < RUNS_EACH; run++) {
    const violations = await runSequence(mesh, steps);
    if (violations.length > 0) return { index, steps, violations };
  }
  return undefined;
}

/** Halves first, then a step less, then a change less. */
function* smallerThan(steps: readonly Step[]): Generator<readonly Step[]> {
  if (steps.length > 3) {
    const middle = Math.ceil(steps.length / 2);
    yield steps.slice(middle);
    yield steps.slice(0, middle);
  }
  for (const at of steps.keys()) {
    if (steps.length > 1) yield steps.toSpliced(at, 1);
  }
  for (const [at, step] of steps.entries()) {
    if (step.changes.length < 2) continue;
    for (const which of step.changes.keys()) {
      yield steps.with(at, { ...step, changes: step.changes.toSpliced(which, 1) });
    }
  }
}
