import type { Latency } from "./load.ts";
import type { LoadSample, MemorySample, Runs } from "./measure.ts";
import { PROXY_NAMES, type ProxyName } from "./peers.ts";
import type { CostScenario, LoadScenario, Scenario } from "./scenario.ts";
import { pairedRatios, type Spread, spread } from "./statistics.ts";

/** One line of a table, and of the JSON. */
export interface Row {
  readonly kind: Scenario["kind"];
  readonly scenario: string;
  readonly title: string;
  readonly proxy: ProxyName;
  /** Medians, by the names of the columns. */
  readonly values: Readonly<Record<string, number>>;
  /** Of the first value, over Envoy's of the same round. */
  readonly ratio?: Spread;
}

const MIB = "resident MiB";

export function loadRows(
  { name, title, mebibytes }: LoadScenario,
  runs: readonly Runs<LoadSample>[],
): readonly Row[] {
  const peer = runs.find(({ proxy }) => proxy.name === "envoy");
  const ofPeer = peer?.samples.map(({ cpuMicros }) => cpuMicros) ?? [];
  return runs.map(({ proxy, samples }) => {
    const own = samples.map(({ cpuMicros }) => cpuMicros);
    return {
      kind: "load",
      scenario: name,
      title,
      proxy: proxy.name,
      values: {
        [mebibytes === undefined ? "CPU µs/request" : "CPU µs/MiB"]: spread(own).median,
        [mebibytes === undefined ? "requests/s" : "MiB/s"]: spread(
          samples.map(({ perSecond }) => perSecond),
        ).median,
        [MIB]: spread(samples.map(({ residentMiB }) => residentMiB)).median,
      },
      ...(peer === undefined ? {} : { ratio: spread(pairedRatios(own, ofPeer)) }),
    };
  });
}

/** Rows of what something costs, of runs with it, each followed by those without it. */
export function costRows(
  { kind, name, title }: CostScenario,
  runs: readonly Runs<LoadSample>[],
): readonly Row[] {
  return PROXY_NAMES.flatMap((proxy) => {
    const [withIt, without] = runs.filter((each) => each.proxy.name === proxy);
    if (withIt === undefined || without === undefined) return [];
    const costs = withIt.samples.map(
      ({ cpuMicros }, round) => cpuMicros - (without.samples[round]?.cpuMicros ?? Number.NaN),
    );
    const { median, lower, upper } = spread(costs);
    const base = spread(without.samples.map(({ cpuMicros }) => cpuMicros)).median;
    const values = {
      "cost µs/request": median,
      "half from": lower,
      "half to": upper,
      "% of the rest": (median / base) * 100,
      "CPU µs without": base,
    };
    return [{ kind, scenario: name, title, proxy, values }];
  });
}

export function rateRows(
  { name, title }: Scenario,
  runs: readonly Runs<Latency>[],
): readonly Row[] {
  const peer = runs.find(({ proxy }) => proxy.name === "envoy");
  const ofPeer = peer?.samples.map(({ p99 }) => p99) ?? [];
  return runs.map(({ proxy, samples }) => {
    const middle = (of: (sample: Latency) => number): number => spread(samples.map(of)).median;
    return {
      kind: "rate",
      scenario: name,
      title,
      proxy: proxy.name,
      values: {
        "p99 µs": middle(({ p99 }) => p99),
        "p50 µs": middle(({ p50 }) => p50),
        "p99.9 µs": middle(({ p999 }) => p999),
        "max µs": middle(({ max }) => max),
        unanswered: samples.reduce((sum, { errors }) => sum + errors, 0),
      },
      ...(peer === undefined
        ? {}
        : {
            ratio: spread(
              pairedRatios(
                samples.map(({ p99 }) => p99),
                ofPeer,
              ),
            ),
          }),
    };
  });
}

export function memoryRows(
  { name, title }: Scenario,
  all: readonly { readonly proxy: ProxyName; readonly samples: readonly MemorySample[] }[],
): readonly Row[] {
  const peer = all.find(({ proxy }) => proxy === "envoy");
  const ofPeer = peer?.samples.map(({ residentMiB }) => residentMiB) ?? [];
  return all.map(({ proxy, samples }) => {
    const own = samples.map(({ residentMiB }) => residentMiB);
    const grown = samples.flatMap(({ growthKiB }) => growthKiB ?? []);
    return {
      kind: "memory",
      scenario: name,
      title,
      proxy,
      values: {
        [MIB]: spread(own).median,
        "proportional MiB": spread(samples.map(({ proportionalMiB }) => proportionalMiB)).median,
        ...(grown.length > 0 && { "KiB per million requests": spread(grown).median }),
      },
      ...(peer === undefined ? {} : { ratio: spread(pairedRatios(own, ofPeer)) }),
    };
  });
}

/** One Markdown table of rows that have the same columns. */
export function formatTable(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0]?.values ?? {});
  const hasRatio = rows.some(({ ratio }) => ratio !== undefined);
  const heads = ["work", "proxy", ...columns, ...(hasRatio ? ["ratio", "half of all"] : [])];
  const lines = [
    `| ${heads.join(" | ")} |`,
    `|---|---|${heads
      .slice(2)
      .map(() => "---:|")
      .join("")}`,
  ];
  for (const { title, proxy, values, ratio } of rows) {
    const cells = columns.map((column) => formatNumber(values[column] ?? Number.NaN));
    if (hasRatio) {
      cells.push(ratio === undefined ? "" : ratio.median.toFixed(3));
      cells.push(
        ratio === undefined || proxy === "envoy"
          ? ""
          : `${ratio.lower.toFixed(2)}–${ratio.upper.toFixed(2)}`,
      );
    }
    lines.push(`| ${[title, proxy, ...cells].join(" | ")} |`);
  }
  return lines.join("\n");
}

function formatNumber(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  if (value === 0) return "0";
  if (value < 1 && value > -1) return value.toFixed(2);
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
