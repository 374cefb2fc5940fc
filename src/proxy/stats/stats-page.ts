import type { Result } from "../../base/issue.ts";
import { compileFinder } from "../../match/regex.ts";
import { wireText } from "../../match/wire-text.ts";
import { collectHistograms, collectStats, type Stat, type StatSources } from "./collect.ts";
import { countsUpTo, type HistogramView, QUANTILES, quantilesOf } from "./histogram.ts";
import { renderPrometheus } from "./prometheus.ts";
import { boundsOf, type StatsConfig } from "./stats-config.ts";

/** An answer of the admin port. */
export interface StatsAnswer {
  readonly status?: number;
  /** An object is sent as JSON in one line. */
  readonly body: string | object;
  readonly contentType?: string;
}

const TYPES = ["All", "Counters", "Gauges", "Histograms", "TextReadouts"];
const BUCKETS = ["", "none", "cumulative", "disjoint", "detailed", "summary"];

/** What a request asks for. */
interface StatsQuery {
  readonly format: "html" | "json" | "prometheus" | "text";
  readonly type: string;
  readonly buckets: string;
  readonly isUsedOnly: boolean;
  readonly isWanted: (name: string) => boolean;
}

/** Numbers that a request asks for. */
export interface Selected {
  readonly stats: readonly Stat[];
  readonly histograms: readonly (readonly [name: string, histogram: HistogramView])[];
}

/** Answers `/stats` and `/stats/prometheus` (`format` is given for the latter). */
export function statsPage(
  sources: StatSources,
  config: StatsConfig,
  params: URLSearchParams,
  format = params.get("format") ?? "text",
): StatsAnswer {
  const query = readQuery(params, format);
  if (typeof query === "string") return { status: 400, body: query };
  const selected = select(sources, config, query);
  if (query.format === "prometheus") {
    return { body: renderPrometheus(selected, config, query.buckets === "summary") };
  }
  if (query.format === "json") return { body: { stats: renderJson(selected, config, query) } };
  const text = renderText(selected, config, query);
  return query.format === "text" ? { body: text } : { body: renderHtml(text), contentType: HTML };
}

const HTML = "text/html; charset=UTF-8";

/** For browsers; Envoy's own page has a form around it. */
function renderHtml(text: string): string {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<!DOCTYPE html>\n<title>weft: stats</title>\n<pre>\n${escaped}</pre>\n`;
}

/** A text says what is wrong with the request, in Envoy's words. */
function readQuery(params: URLSearchParams, format: string): StatsQuery | string {
  if (format !== "text" && format !== "json" && format !== "prometheus" && format !== "html") {
    // The page that renews itself is Envoy's own.
    return "usage: /stats?format=(html|json|prometheus|text)\n\n";
  }
  const type = TYPES.find(
    (one) => one.toLowerCase() === (params.get("type") ?? "All").toLowerCase(),
  );
  if (type === undefined) return "invalid &type= param";
  const buckets = params.get("histogram_buckets") ?? "";
  if (!BUCKETS.includes(buckets)) {
    return "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)\n\n";
  }
  if (format === "prometheus" && (buckets === "disjoint" || buckets === "detailed")) {
    return "unsupported prometheus histogram bucket mode";
  }
  const filter = compileFilter(params.get("filter") ?? "");
  if (!filter.ok) return filter.issues[0]?.message ?? "";
  const isWanted = params.has("invert_filter")
    ? (name: string): boolean => !filter.value(name)
    : filter.value;
  return { format, type, buckets, isUsedOnly: params.has("usedonly"), isWanted };
}

function compileFilter(pattern: string): Result<(name: string) => boolean> {
  if (pattern === "") return { ok: true, value: () => true };
  const compiled = compileFinder(pattern);
  if (compiled.ok)
    return { ok: true, value: (name) => compiled.value(wireText(name)) !== undefined };
  const what = compiled.issues[0]?.message ?? "";
  return { ok: false, issues: [{ path: "", message: `Invalid re2 regex: ${what}` }] };
}

function select(
  sources: StatSources,
  { isKept }: StatsConfig,
  { type, isWanted, isUsedOnly }: StatsQuery,
): Selected {
  const isShown = (name: string): boolean => isKept(name) && isWanted(name);
  const stats = collectStats(sources)
    .map(sources.sinceReset)
    .filter(({ name, isGauge }) => {
      return isShown(name) && (type === "All" || type === (isGauge ? "Gauges" : "Counters"));
    })
    .filter(({ value }) => !isUsedOnly || value !== 0)
    .sort((one, two) => (one.name < two.name ? -1 : 1));
  if (type !== "All" && type !== "Histograms") return { stats, histograms: [] };
  const histograms = [...collectHistograms(sources)]
    .filter(([name, histogram]) => isShown(name) && (!isUsedOnly || !histogram.isEmpty))
    .sort(([one], [two]) => (one < two ? -1 : 1));
  return { stats, histograms };
}

function renderText(
  { stats, histograms }: Selected,
  config: StatsConfig,
  query: StatsQuery,
): string {
  let text = "";
  for (const { name, value } of stats) text += `${name}: ${value}\n`;
  for (const [name, histogram] of histograms) {
    text += `${name}: ${histogramText(name, histogram, config, query.buckets)}\n`;
  }
  return text;
}

function histogramText(
  name: string,
  histogram: HistogramView,
  config: StatsConfig,
  buckets: string,
): string {
  const [interval, all] = [histogram.interval(), histogram.cumulative()];
  if (all.count === 0) return "No recorded values";
  if (buckets === "cumulative" || buckets === "disjoint") {
    const bounds = boundsOf(config, name);
    const isDisjoint = buckets === "disjoint";
    const [recent, ever] = [interval, all].map((one) => bucketCounts(one, bounds, isDisjoint));
    return bounds.map((bound, at) => `B${short(bound)}(${recent?.[at]},${ever?.[at]})`).join(" ");
  }
  const [recent, ever] = [quantilesOf(interval), quantilesOf(all)];
  const quantiles = QUANTILES.map(
    (percent, at) => `P${percent}(${short(recent[at] ?? 0)},${short(ever[at] ?? 0)})`,
  ).join(" ");
  if (buckets !== "detailed") return quantiles;
  const totals = all.bins.map((bin) => `${short(bin.start)},${short(bin.width)}:${bin.count}`);
  return `totals=${totals.join(", ")} summary=${quantiles}`;
}

function bucketCounts(
  recorded: Parameters<typeof countsUpTo>[0],
  bounds: readonly number[],
  isDisjoint: boolean,
): number[] {
  const counts = countsUpTo(recorded, bounds);
  return isDisjoint ? counts.map((count, at) => count - (counts[at - 1] ?? 0)) : counts;
}

/** Six digits, as C prints `%g`. */
function short(value: number): string {
  if (Number.isNaN(value)) return "nan";
  const text = String(Number(value.toPrecision(6)));
  if (Math.abs(value) < 1e6) return text;
  return Number(value.toPrecision(6))
    .toExponential()
    .replace(/e\+(\d)$/, "e+0$1");
}

function renderJson(
  { stats, histograms }: Selected,
  config: StatsConfig,
  { buckets }: StatsQuery,
): object[] {
  const list: object[] = stats.map(({ name, value }) => ({ name, value }));
  if (histograms.length === 0) return list;
  if (buckets === "cumulative" || buckets === "disjoint") {
    const isDisjoint = buckets === "disjoint";
    const all = histograms.map(([name, histogram]) => {
      const bounds = boundsOf(config, name);
      const interval = bucketCounts(histogram.interval(), bounds, isDisjoint);
      const cumulative = bucketCounts(histogram.cumulative(), bounds, isDisjoint);
      const entries = bounds.map((upper_bound, at) => ({
        upper_bound,
        interval: interval[at],
        cumulative: cumulative[at],
      }));
      return { name, buckets: entries };
    });
    return [...list, { histograms: all }];
  }
  const computed = histograms.map(([name, histogram]) => ({ name, ...jsonOf(histogram, buckets) }));
  const [quantiles, entries] =
    buckets === "detailed"
      ? ["supported_percentiles", "details"]
      : ["supported_quantiles", "computed_quantiles"];
  return [...list, { histograms: { [quantiles]: QUANTILES, [entries]: computed } }];
}

function jsonOf(histogram: HistogramView, buckets: string): object {
  const [interval, all] = [histogram.interval(), histogram.cumulative()];
  const [recent, ever] = [quantilesOf(interval), quantilesOf(all)];
  const values = QUANTILES.map((_, at) => ({
    cumulative: number(ever[at]),
    interval: number(recent[at]),
  }));
  if (buckets !== "detailed") return { values };
  const [totals, intervals] = [all, interval].map(({ bins }) =>
    bins.map(({ start, width, count }) => ({ lower_bound: number(start), width, count })),
  );
  return { totals, intervals, percentiles: values };
}

function number(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Number(value.toPrecision(12));
}
