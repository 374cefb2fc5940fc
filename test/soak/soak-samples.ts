import { until } from "../controlplane/until.ts";
import type { SoakMemory } from "./soak-server.ts";

/** What `/metrics` says, by name with labels. */
export type Scrape = ReadonlyMap<string, number>;

/** One look at a control plane that has nothing to do. */
export interface SoakSample {
  /** Changes so far. */
  readonly changes: number;
  readonly scrape: Scrape;
}

const MIB = 1024 * 1024;

/** Queues and caches, and what holds each: nothing may ever be above that. */
export const BOUNDS: Readonly<Record<string, number>> = {
  weft_push_pending: 5000,
  weft_changes_pending: 1,
  weft_debug_pages_pending: 36,
  weft_xds_departed: 1000,
  weft_xds_names_kept: 200_000,
  weft_xds_joined_bytes: 16 * MIB,
  weft_metric_series_dropped: 0,
};

/** How much the figures may rise from one third of the way to the end. */
const RISES = {
  heap: { name: "nodejs_heap_size_used_bytes", share: 0.15, plus: 8 * MIB },
  external: { name: "nodejs_external_memory_bytes", share: 0.2, plus: 8 * MIB },
  resident: { name: "process_resident_memory_bytes", share: 0.35, plus: 48 * MIB },
  cells: { name: "weft_model_cells", share: 1, plus: 5000 },
  files: { name: "process_open_fds", share: 0, plus: 12 },
} as const;

/** Reads a control plane's `/metrics`. */
export async function scrape(url: string): Promise<Scrape> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return values;
}

/** The same with what the process said of its memory right after a collection of garbage. */
export function withMemory(values: Scrape, { heapUsed, external, rss }: SoakMemory): Scrape {
  return new Map([
    ...values,
    [RISES.heap.name, heapUsed],
    [RISES.external.name, external],
    [RISES.resident.name, rss],
  ]);
}

/** The sum of a metric over its labels. */
export function sumOf(values: Scrape, name: string): number {
  let sum = 0;
  for (const [series, value] of values) {
    if (series === name || series.startsWith(`${name}{`)) sum += value;
  }
  return sum;
}

/** Waits until everything that came in has gone out. */
export async function whenIdle(url: string): Promise<void> {
  const isIdle = async (): Promise<boolean> => {
    const values = await scrape(url);
    return ["weft_push_pending", "weft_changes_pending"].every((name) => sumOf(values, name) === 0);
  };
  await until(isIdle, "the control plane to have nothing to do", 60_000);
}

/** Waits until so many proxies are served: they may be slower to come back than changes are. */
export async function whenServed(url: string, proxies: number): Promise<void> {
  const isServed = async (): Promise<boolean> => sumOf(await scrape(url), "pilot_xds") >= proxies;
  await until(isServed, `${proxies} proxies to be served`, 60_000);
}

/** What is above its bound in one look. */
export function boundProblems({ changes, scrape: values }: SoakSample): readonly string[] {
  return Object.entries(BOUNDS)
    .filter(([name, bound]) => sumOf(values, name) > bound)
    .map(
      ([name, bound]) =>
        `${name} is ${sumOf(values, name)} after ${changes} changes, above ${bound}`,
    );
}

/** What has grown from the look at a third of the way to the last one. */
export function growthProblems(samples: readonly SoakSample[]): readonly string[] {
  const [first, last] = [samples[Math.floor(samples.length / 3)], samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  const grown = Object.values(RISES).flatMap(({ name, share, plus }) => {
    const [before, after] = [first, last].map(({ scrape: values }) => sumOf(values, name));
    if (before === undefined || after === undefined || after <= before * (1 + share) + plus)
      return [];
    return [
      `${name} rose from ${before} after ${first.changes} changes to ${after} after ${last.changes}`,
    ];
  });
  // Labels that hold names would make a series of each.
  const added = last.scrape.size - first.scrape.size;
  return added > 40 ? [...grown, `/metrics rose by ${added} series`] : grown;
}

const COLUMNS: readonly (readonly [string, (values: Scrape) => number])[] = [
  ["RSS MiB", (values) => sumOf(values, "process_resident_memory_bytes") / MIB],
  ["heap MiB", (values) => sumOf(values, "nodejs_heap_size_used_bytes") / MIB],
  ["ext MiB", (values) => sumOf(values, "nodejs_external_memory_bytes") / MIB],
  ["fds", (values) => sumOf(values, "process_open_fds")],
  ["proxies", (values) => sumOf(values, "pilot_xds")],
  ["departed", (values) => sumOf(values, "weft_xds_departed")],
  ["dep. MiB", (values) => sumOf(values, "weft_xds_departed_bytes") / MIB],
  ["joined", (values) => sumOf(values, "weft_xds_joined_bytes") / MIB],
  ["names", (values) => sumOf(values, "weft_xds_names_kept")],
  ["objects", (values) => sumOf(values, "weft_objects")],
  ["cells", (values) => sumOf(values, "weft_model_cells")],
  ["status", (values) => sumOf(values, "weft_status_writes_pending")],
  ["pushes", (values) => sumOf(values, "pilot_xds_pushes")],
  ["NACKs", (values) => sumOf(values, "pilot_total_xds_rejects")],
  ["series", (values) => values.size],
  ["CPU s", (values) => sumOf(values, "process_cpu_seconds_total")],
];

/** All looks as a table. */
export function formatSamples(samples: readonly SoakSample[]): string {
  const rows = [
    ["changes", ...COLUMNS.map(([title]) => title)],
    ...samples.map(({ changes, scrape: values }) => [
      String(changes),
      ...COLUMNS.map(([, read]) => String(Math.round(read(values)))),
    ]),
  ];
  return rows.map((row) => row.map((cell) => cell.padStart(9)).join("")).join("\n");
}
