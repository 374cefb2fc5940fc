/**
 * Applies and deletes VirtualServices, DestinationRules, Services and endpoints in random order
 * while requests run through weft's proxy and Envoy, and holds every request to what the objects
 * say: `npm run churn -- [--sequences N] [--seed S] [--proxy weft|envoy|both]
 * [--variant sotw|delta|both] [--delay MS] [--rate N]`, or one sequence again with `--seed S --sequence I`. A sequence
 * that fails is printed as small as it can be made.
 */
import { parseArgs } from "node:util";
import { formatStep } from "../test/faults/churn/churn-step.ts";
import { type ChurnFailure, type ChurnReport, runChurn } from "../test/faults/churn/run-churn.ts";
import { shrinkSequence } from "../test/faults/churn/shrink-sequence.ts";
import { type Planes, planesOf, VARIANTS } from "../test/faults/planes.ts";
import { findProgram } from "../test/programs.ts";

const { values } = parseArgs({
  options: {
    sequences: { type: "string", default: "1000" },
    sequence: { type: "string" },
    seed: { type: "string" },
    proxy: { type: "string", default: "both" },
    variant: { type: "string", default: "both" },
    delay: { type: "string", default: "10" },
    rate: { type: "string", default: "200" },
    shrink: { type: "boolean", default: true },
  },
  allowNegative: true,
});

/** Sequences between two lines of progress. */
const PROGRESS_EVERY = 50;

function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  return process.exit(2);
}

function readNumber(
  flag: "sequences" | "sequence" | "seed" | "delay" | "rate",
  fallback: number,
): number {
  const text = values[flag];
  if (text === undefined) return fallback;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  return refuse(`--${flag} ${text}: give a whole number`);
}

function readPlanes(): Planes {
  const { proxy, variant } = values;
  if (!["weft", "envoy", "both"].includes(proxy)) {
    refuse(`--proxy ${proxy}: give weft, envoy or both`);
  }
  if (!["sotw", "delta", "both"].includes(variant)) {
    refuse(`--variant ${variant}: give sotw, delta or both`);
  }
  const envoy = proxy === "weft" ? undefined : findProgram("envoy");
  if (proxy !== "weft" && envoy === undefined) refuse("no Envoy: npm run envoy fetches it");
  return planesOf(
    (["weft", "envoy"] as const).filter((one) => proxy === "both" || proxy === one),
    VARIANTS.filter((one) => variant === "both" || variant === one),
    envoy,
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function printFailure({ index, steps, violations }: ChurnFailure): void {
  print(`sequence ${index} fails: npm run churn -- --seed ${seed} --sequence ${index}`);
  for (const [at, step] of steps.entries()) print(`  ${at + 1}. ${formatStep(step)}`);
  for (const { plane, what, expected, steps: between } of violations) {
    print(`  ${plane}, between step ${between.join(" and ")}: ${what}; expected ${expected}`);
  }
}

function summary({ sequences, steps, counts, waitsExpired, failures }: ChurnReport): string {
  return (
    `${sequences} sequences, ${steps} steps, ${counts.requests} requests: ` +
    `${counts.valid} valid before and after, ${counts.rightlyRefused} rightly refused, ` +
    `${counts.violations} wrong in ${failures.length} sequences; ${waitsExpired} waits ran out`
  );
}

const seed = readNumber("seed", Date.now() % 1_000_000);
const only = readNumber("sequence", -1);
const mesh = {
  planes: readPlanes(),
  delayMs: readNumber("delay", 10),
  connections: 8,
  perSecond: readNumber("rate", 200),
};
const startMs = performance.now();
// The sequence that runs ends, and with it every process that was started.
let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    isInterrupted = true;
  });
}
print(`seed ${seed}, ${Object.keys(mesh.planes).join(", ")}`);
const report = await runChurn({
  ...mesh,
  seed,
  sequences: only === -1 ? [0, readNumber("sequences", 1000)] : [only, only + 1],
  isOver: () => isInterrupted,
  onSequence: (soFar) => {
    if (soFar.sequences % PROGRESS_EVERY === 0) print(summary(soFar));
  },
});
const [first] = report.failures;
for (const failure of report.failures) printFailure(failure);
for (const error of report.errors) print(`the control plane logged: ${error}`);
if (first !== undefined && values.shrink && !isInterrupted) {
  print(`making sequence ${first.index} smaller`);
  const smaller = await shrinkSequence(mesh, first);
  if (smaller === undefined) print("it did not fail again");
  else printFailure(smaller);
}
print(`${summary(report)}; ${Math.round((performance.now() - startMs) / 1000)} s`);
process.exitCode = first === undefined && report.errors.length === 0 ? 0 : 1;
