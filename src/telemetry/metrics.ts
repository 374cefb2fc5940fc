import { METRICS, type MetricName } from "./metric-names.ts";

/** Most label combinations that one metric keeps; later ones are dropped and counted. */
export const SERIES_MAX = 2000;

/** Values of a metric's labels. */
export type Labels = Readonly<Record<string, string>>;

interface HistogramSeries {
  readonly counts: number[];
  sum: number;
  count: number;
}

/**
 * Counters, gauges and histograms, written out as Prometheus text. Only names of the table can be
 * used, so that a metric has one meaning everywhere; each instance of a server has its own registry.
 */
export class MetricRegistry {
  readonly #values = new Map<MetricName, Map<string, number>>();
  readonly #histograms = new Map<MetricName, Map<string, HistogramSeries>>();
  readonly #collectors: (() => void)[] = [];
  #dropped = 0;

  /** Has `collect` set gauges each time somebody reads the text, and not before. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** Adds to a counter. */
  add(name: MetricName, labels: Labels = {}, by = 1): void {
    const series = seriesOf(this.#values, name);
    const key = formatLabels(labels);
    const before = series.get(key);
    if (before === undefined && this.#isFull(series)) return;
    series.set(key, (before ?? 0) + by);
  }

  /** Sets a gauge. */
  set(name: MetricName, value: number, labels: Labels = {}): void {
    const series = seriesOf(this.#values, name);
    const key = formatLabels(labels);
    if (!series.has(key) && this.#isFull(series)) return;
    series.set(key, value);
  }

  /** Sets all series of a gauge; those of before that are not among them are gone. */
  replace(name: MetricName, series: Iterable<readonly [Labels, number]>): void {
    this.#values.delete(name);
    for (const [labels, value] of series) this.set(name, value, labels);
  }

  /** Counts one value into a histogram's buckets. */
  observe(name: MetricName, value: number, labels: Labels = {}): void {
    const buckets = METRICS[name].buckets ?? [];
    const all = seriesOf(this.#histograms, name);
    const key = formatLabels(labels);
    let series = all.get(key);
    if (series === undefined) {
      if (this.#isFull(all)) return;
      series = { counts: buckets.map(() => 0), sum: 0, count: 0 };
      all.set(key, series);
    }
    const index = buckets.findIndex((bound) => value <= bound);
    if (index !== -1) series.counts[index] = (series.counts[index] ?? 0) + 1;
    series.sum += value;
    series.count += 1;
  }

  /** The value of a counter or gauge; 0 when it was never touched. */
  value(name: MetricName, labels: Labels = {}): number {
    return this.#values.get(name)?.get(formatLabels(labels)) ?? 0;
  }

  /** All of it in Prometheus' text format, version 0.0.4. */
  text(): string {
    for (const collect of this.#collectors) collect();
    if (this.#dropped > 0) this.set("weft_metric_series_dropped", this.#dropped);
    let text = "";
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const lines = [...this.#valueLines(name), ...this.#histogramLines(name)];
      if (lines.length === 0) continue;
      const { help, type } = METRICS[name];
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`;
    }
    return text;
  }

  *#valueLines(name: MetricName): Iterable<string> {
    for (const [labels, value] of this.#values.get(name) ?? []) {
      yield `${name}${braced(labels)} ${value}`;
    }
  }

  *#histogramLines(name: MetricName): Iterable<string> {
    const buckets = METRICS[name].buckets ?? [];
    for (const [labels, { counts, sum, count }] of this.#histograms.get(name) ?? []) {
      const outer = labels === "" ? "" : `${labels},`;
      let total = 0;
      for (const [index, bound] of buckets.entries()) {
        total += counts[index] ?? 0;
        yield `${name}_bucket{${outer}le="${bound}"} ${total}`;
      }
      yield `${name}_bucket{${outer}le="+Inf"} ${count}`;
      yield `${name}_sum${braced(labels)} ${sum}`;
      yield `${name}_count${braced(labels)} ${count}`;
    }
  }

  #isFull(series: ReadonlyMap<string, unknown>): boolean {
    if (series.size < SERIES_MAX) return false;
    this.#dropped += 1;
    return true;
  }
}

function seriesOf<T>(all: Map<MetricName, Map<string, T>>, name: MetricName): Map<string, T> {
  let series = all.get(name);
  if (series === undefined) {
    series = new Map();
    all.set(name, series);
  }
  return series;
}

function formatLabels(labels: Labels): string {
  const keys = Object.keys(labels);
  // Most have none or one, and are counted for every response.
  const [only] = keys;
  if (only === undefined) return "";
  if (keys.length === 1) return formatLabel(only, labels);
  return keys
    .sort()
    .map((key) => formatLabel(key, labels))
    .join(",");
}

function formatLabel(key: string, labels: Labels): string {
  return `${key}="${escapeValue(labels[key] ?? "")}"`;
}

function escapeValue(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}
