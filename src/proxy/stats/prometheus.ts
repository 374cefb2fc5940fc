import { countsUpTo, type HistogramView, QUANTILES, quantilesOf } from "./histogram.ts";
import { boundsOf, type StatsConfig } from "./stats-config.ts";
import type { Selected } from "./stats-page.ts";
import { extractTags } from "./tags.ts";

/** Metrics of one name, as the text format wants them: together, below their type. */
interface Family {
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly lines: string[];
}

/**
 * The numbers in Prometheus' text format (version 0.0.4), under the names and labels that Envoy
 * gives them; histograms as their quantiles where `hasSummaries`.
 */
export function renderPrometheus(
  { stats, histograms }: Selected,
  config: StatsConfig,
  hasSummaries: boolean,
): string {
  const families = new Map<string, Family>();
  for (const { name, value, isGauge } of stats) {
    const { metric, labels } = nameOf(name, config);
    const { lines } = familyOf(families, metric, isGauge ? "gauge" : "counter");
    lines.push(`${metric}{${labels.join(",")}} ${value}\n`);
  }
  for (const [name, histogram] of histograms) {
    const { metric, labels } = nameOf(name, config);
    const { lines } = familyOf(families, metric, hasSummaries ? "summary" : "histogram");
    const start = labels.map((label) => `${label},`).join("");
    const bounds = boundsOf(config, name);
    lines.push(
      ...(hasSummaries
        ? quantileLines(`${metric}{${start}`, histogram)
        : bucketLines(`${metric}_bucket{${start}`, histogram, bounds)),
    );
    const { sum, count } = histogram.cumulative();
    lines.push(`${metric}_sum{${labels.join(",")}} ${sum}\n`);
    lines.push(`${metric}_count{${labels.join(",")}} ${count}\n`);
  }
  let text = "";
  for (const [metric, { type, lines }] of families) {
    text += `# TYPE ${metric} ${type}\n${lines.join("")}`;
  }
  return text;
}

function bucketLines(start: string, histogram: HistogramView, bounds: readonly number[]): string[] {
  const recorded = histogram.cumulative();
  const lines = countsUpTo(recorded, bounds).map(
    (count, at) => `${start}le="${bounds[at] ?? 0}"} ${count}\n`,
  );
  return [...lines, `${start}le="+Inf"} ${recorded.count}\n`];
}

/** Of the last interval, as Envoy's summaries are. */
function quantileLines(start: string, histogram: HistogramView): string[] {
  return quantilesOf(histogram.interval()).map((value, at) => {
    const quantile = Number(((QUANTILES[at] ?? 0) / 100).toPrecision(6));
    return `${start}quantile="${quantile}"} ${Number.isNaN(value) ? "nan" : value}\n`;
  });
}

function familyOf(families: Map<string, Family>, metric: string, type: Family["type"]): Family {
  let family = families.get(metric);
  if (family === undefined) {
    family = { type, lines: [] };
    families.set(metric, family);
  }
  return family;
}

function nameOf(
  stat: string,
  { tagRules, fixedTags }: StatsConfig,
): { metric: string; labels: readonly string[] } {
  const { name, tags } = extractTags(stat, tagRules);
  const labels = [...fixedTags, ...tags].map(
    (tag) => `${sanitize(tag.name)}="${escapeLabel(tag.value)}"`,
  );
  return { metric: `envoy_${sanitize(name)}`, labels };
}

function sanitize(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
