import { ChurnMesh, type ChurnMeshOptions } from "./churn-mesh.ts";
import { START_STATE } from "./churn-state.ts";
import { applyStep, createSequence, type Step } from "./churn-step.ts";
import type { Counts, Violation } from "./state-window.ts";

/** Sequences that fail before a run ends. */
const FAILURES_MAX = 10;

/** What a run tries. */
export interface ChurnOptions extends ChurnMeshOptions {
  readonly seed: number;
  /** Which sequences of the seed: from the first to before the last. */
  readonly sequences: readonly [first: number, end: number];
  /** Asked between sequences. */
  readonly isOver?: () => boolean;
  /** Told after each sequence. */
  readonly onSequence?: (report: ChurnReport) => void;
}

/** A sequence in which something failed that may not. */
export interface ChurnFailure {
  readonly index: number;
  readonly steps: readonly Step[];
  readonly violations: readonly Violation[];
}

/** What came of a run. */
export interface ChurnReport {
  readonly sequences: number;
  readonly steps: number;
  readonly counts: Readonly<Counts>;
  /** Steps of pushes that went on without a proxy's answer. */
  readonly waitsExpired: number;
  readonly failures: readonly ChurnFailure[];
  /** What the control plane logged as an error. */
  readonly errors: readonly string[];
}

/** Runs sequences one after the other under load, over the same proxies. */
export async function runChurn(options: ChurnOptions): Promise<ChurnReport> {
  const { seed, sequences, isOver = () => false, onSequence } = options;
  const mesh = await ChurnMesh.start(options);
  const failures: ChurnFailure[] = [];
  let [steps, done] = [0, 0];
  const report = (): ChurnReport => ({
    sequences: done,
    steps,
    counts: { ...mesh.window.counts },
    waitsExpired: mesh.waitsExpired,
    failures,
    errors: mesh.errors,
  });
  try {
    for (let index = sequences[0]; index < sequences[1]; index++) {
      if (isOver() || failures.length >= FAILURES_MAX) break;
      const sequence = createSequence(seed, index);
      const violations = await runSequence(mesh, sequence);
      if (violations.length > 0) failures.push({ index, steps: sequence, violations });
      steps += sequence.length;
      done += 1;
      onSequence?.(report());
    }
    return report();
  } finally {
    await mesh.stop();
  }
}

/** One sequence, from the start state and back to it; what failed meanwhile. */
export async function runSequence(
  mesh: ChurnMesh,
  steps: readonly Step[],
): Promise<readonly Violation[]> {
  mesh.window.begin();
  for (const step of steps) {
    mesh.write(applyStep(mesh.window.newest, step));
    if (step.pause === "settled") await mesh.settled();
    else await new Promise((resolve) => setTimeout(resolve, Number(step.pause)));
  }
  await mesh.settled();
  await mesh.askForAll();
  mesh.write(START_STATE);
  await mesh.settled();
  return mesh.window.takeViolations();
}
