import { isKept, saveBaseline } from "../baseline.ts";
import { pairedRatios, spread } from "../statistics.ts";
import type { CaseSample } from "./measure-case.ts";
import type { PlannedCase } from "./plan.ts";
import type { Samples } from "./report.ts";

/** CPU of both swings by a tenth and more from run to run. */
const WORSE_MAX = 1.2;

/** What is held against the baseline: CPU, as it depends least on what else runs. */
const MEASURES: Readonly<Record<string, (sample: CaseSample) => number>> = {
  "first configuration": ({ first }) => first.cpuMs,
  "virtual-service": ({ writes }) => middle(writes["virtual-service"].map(({ cpuMs }) => cpuMs)),
};

type Run = (planned: PlannedCase) => Promise<Samples>;

/** Makes the ratios to istiod the baseline. */
export async function saveControlPlane(cases: readonly PlannedCase[], run: Run): Promise<void> {
  const ratios: Record<string, number> = {};
  let pairs = 0;
  for (const planned of cases) {
    const samples = await run(planned);
    for (const [measure, of] of Object.entries(MEASURES)) {
      const made = ratiosOf(samples, of);
      pairs = made.length;
      ratios[nameOf(planned, measure)] = middle(made);
    }
  }
  saveBaseline("controlPlane", ratios, pairs);
}

/** Whether no ratio to istiod is worse than the baseline's. */
export async function compareControlPlane(
  cases: readonly PlannedCase[],
  run: Run,
): Promise<boolean> {
  let isGood = true;
  for (const planned of cases) {
    const samples = await run(planned);
    for (const [measure, of] of Object.entries(MEASURES)) {
      const again = async (): Promise<readonly number[]> => ratiosOf(await run(planned), of);
      const name = nameOf(planned, measure);
      const limits = { part: "controlPlane", worseMax: WORSE_MAX } as const;
      if (!(await isKept(name, ratiosOf(samples, of), again, limits))) isGood = false;
    }
  }
  return isGood;
}

function nameOf({ one: { services, clients, variant } }: PlannedCase, measure: string): string {
  return `${services} × ${clients}, ${variant}: ${measure}`;
}

function ratiosOf(samples: Samples, of: (sample: CaseSample) => number): readonly number[] {
  const [weft, istiod] = [samples.get("weft"), samples.get("istiod")];
  if (weft === undefined || istiod === undefined || weft.length !== istiod.length) {
    throw new Error("a comparison needs weft and istiod (`npm run istiod` builds one)");
  }
  return pairedRatios(weft.map(of), istiod.map(of));
}

function middle(values: readonly number[]): number {
  return spread(values).median;
}
