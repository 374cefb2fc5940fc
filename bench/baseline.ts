import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { spread } from "./statistics.ts";

const FILE = fileURLToPath(new URL("baseline.json", import.meta.url));

/** So much worse than the baseline may the ratio be. */
const WORSE_MAX = 1.05;
/** So often is a case that looks worse measured again before it is called worse. */
const REPEATS_MAX = 2;

/** The parts that have a baseline: proxies beside Envoy, control planes beside istiod. */
type Part = "proxy" | "controlPlane";

/** The file: what is about proxies stands in it by itself, the rest by name. */
type BaselineFile = Partial<Baseline> & { readonly controlPlane?: Baseline };

/** Ratios to a peer that a change is held against, by scenario. */
interface Baseline {
  readonly conditions: {
    readonly node: string;
    readonly cpu: string;
    readonly pairs: number;
    /** Before the first run: above the number of cores, others took part of what was measured. */
    readonly loadAverage: number;
  };
  readonly ratios: Readonly<Record<string, number>>;
}

const [loadAverage = 0] = loadavg();

/** Writes what was just measured as the new baseline. */
export function saveBaseline(
  part: Part,
  ratios: Readonly<Record<string, number>>,
  pairs: number,
): void {
  const conditions = {
    node: process.version,
    cpu: cpus()[0]?.model ?? "",
    pairs,
    loadAverage: Number(loadAverage.toFixed(1)),
  };
  const rounded = Object.fromEntries(
    Object.entries(ratios).map(([name, ratio]) => [name, Number(ratio.toFixed(3))]),
  );
  const baseline: Baseline = { conditions, ratios: rounded };
  const file: BaselineFile =
    part === "proxy" ? { ...readFile(), ...baseline } : { ...readFile(), [part]: baseline };
  writeFileSync(FILE, `${JSON.stringify(file, undefined, 2)}\n`);
}

/** The scenarios that the baseline knows. */
export function baselineScenarios(): readonly string[] {
  return Object.keys(readBaseline("proxy")?.ratios ?? {});
}

function readFile(): BaselineFile {
  return JSON.parse(readFileSync(FILE, "utf8")) as BaselineFile;
}

function readBaseline(part: Part): Baseline | undefined {
  const file = readFile();
  if (part !== "proxy") return file[part];
  const { conditions, ratios } = file;
  return conditions === undefined || ratios === undefined ? undefined : { conditions, ratios };
}

/**
 * Whether a scenario is no more than 5 % worse than the baseline, or what else is said. The rule against noise: a median
 * beyond the limit is measured again, twice at most, and only the median of all the pairs together
 * counts. A change that is really slower stays slower; a slow moment of the machine does not.
 */
export async function isKept(
  scenario: string,
  first: readonly number[],
  measureAgain: () => Promise<readonly number[]>,
  {
    part = "proxy",
    worseMax = WORSE_MAX,
  }: { readonly part?: Part; readonly worseMax?: number } = {},
): Promise<boolean> {
  const baseline = readBaseline(part);
  const known = baseline?.ratios[scenario];
  if (baseline === undefined || known === undefined) {
    process.stdout.write(`${scenario}: has no baseline, nothing to compare with\n`);
    return true;
  }
  const { conditions } = baseline;
  if (Math.max(loadAverage, conditions.loadAverage) > cpus().length) {
    process.stderr.write(
      `the load average was ${loadAverage.toFixed(1)}, the baseline's ${conditions.loadAverage}: ` +
        "a busy machine makes weft look better than a quiet one\n",
    );
  }
  const limit = known * worseMax;
  let pairs = first;
  for (let repeat = 0; spread(pairs).median > limit && repeat < REPEATS_MAX; repeat++) {
    pairs = [...pairs, ...(await measureAgain())];
  }
  const { median, lower, upper } = spread(pairs);
  const isGood = median <= limit;
  process.stdout.write(
    `${scenario}: ratio ${median.toFixed(3)} (half of ${pairs.length} pairs ${lower.toFixed(3)} to ` +
      `${upper.toFixed(3)}), baseline ${known}, limit ${limit.toFixed(3)}: ${isGood ? "kept" : "WORSE"}\n`,
  );
  return isGood;
}
