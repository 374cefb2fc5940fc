import { countsUpTo } from "./histogram.ts";
import { boundsOf, type StatsConfig } from "./stats-config.ts";
import type { Selected } from "./stats-page.ts";
import { extractTags } from "./tags.ts";

/** Metrics of one name, as the text format wants them: together, below their type. */
interface Family {
  readonly type: "counter" | "gauge" | "histogram";
  readonly lines: string[];
}

/**
 * The numbers in Prometheus' text format (version 0.0.4), under the names and labels that Envoy
 * gives them.
 */
export function renderPrometheus({ stats, histograms }: Selected, config: StatsConfig): string {
  const families = new Map<string, Family>();
  for (const { name, value, isGauge } of stats) {
    const { metric, labels } = nameOf(name, config);
    const { lines } = familyOf(families, metric, isGauge ? "gauge" : "counter");
    lines.push(`${metric}{${labels.join(",")}} ${value}\n`);
  }
  for (const [name, histogram] of histograms) {
    const { metric, labels } = nameOf(name, config);
    const { lines } = familyOf(families, metric, "histogram");
    const recorded = histogram.cumulative();
    const bounds = boundsOf(config, name);
    const start = labels.map((label) => `${label},`).join("");
    for (const [at, count] of countsUpTo(recorded, bounds).entries()) {
      lines.push(`${metric}_bucket{${start}le="${bounds[at] ?? 0}"} ${count}\n`);
    }
    lines.push(`${metric}_bucket{${start}le="+Inf"} ${recorded.count}\n`);
    lines.push(`${metric}_sum{${labels.join(",")}} ${recorded.sum}\n`);
    lines.push(`${metric}_count{${labels.join(",")}} ${recorded.count}\n`);
  }
  let text = "";
  for (const [metric, { type, lines }] of families) {
    text += `# TYPE ${metric} ${type}\n${lines.join("")}`;
  }
  return text;
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
