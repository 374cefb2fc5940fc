import {
  type HistogramBucketSettings,
  type StatsConfig as StatsConfigMessage,
  StatsConfigSchema,
  type StatsMatcher,
  type TagSpecifier,
} from "../../api/gen/envoy/config/metrics/v3/stats_pb.js";
import type { ListStringMatcher } from "../../api/gen/envoy/type/matcher/v3/string_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { compileFinder } from "../../match/regex.ts";
import { compileStringMatch } from "../../match/string-match.ts";
import { wireText } from "../../match/wire-text.ts";
import { DEFAULT_STATS_CONFIG, type StatsConfig } from "../stats/stats-config.ts";
import { DEFAULT_TAG_RULES, type Tag, type TagRule } from "../stats/tags.ts";

const FIELDS = ["stats_tags", "use_all_default_tags", "stats_matcher", "histogram_bucket_settings"];

/** Decodes how statistics are named and which of them are shown. */
export function decodeStatsConfig(
  message: StatsConfigMessage | undefined,
  path: string,
  issues: Issue[],
): StatsConfig {
  if (message === undefined) return DEFAULT_STATS_CONFIG;
  issues.push(...refuseFields(StatsConfigSchema, message, FIELDS, path));
  const fixedTags: Tag[] = [];
  const ownRules = message.statsTags.flatMap((tag, at) => {
    const decoded = decodeTag(tag, joinPath(path, `stats_tags[${at}]`), issues);
    if (decoded === undefined || "find" in decoded) return decoded ?? [];
    fixedTags.push(decoded);
    return [];
  });
  const defaults = message.useAllDefaultTags === false ? [] : DEFAULT_TAG_RULES;
  return {
    tagRules: [...defaults, ...ownRules],
    fixedTags,
    isKept: decodeMatcher(message.statsMatcher, joinPath(path, "stats_matcher"), issues),
    buckets: message.histogramBucketSettings.map((settings, at) =>
      decodeBuckets(settings, joinPath(path, `histogram_bucket_settings[${at}]`), issues),
    ),
  };
}

/** A label that is always there, or a rule that finds one; `undefined` for one of Envoy's own. */
function decodeTag(
  { tagName: name, tagValue }: TagSpecifier,
  path: string,
  issues: Issue[],
): Tag | TagRule | undefined {
  if (tagValue.case === "fixedValue") return { name, value: tagValue.value };
  const known = DEFAULT_TAG_RULES.find((rule) => rule.name === name);
  if (tagValue.case === undefined || tagValue.value === "") {
    if (known !== undefined) return known;
    const what = `No regex specified for tag specifier and no default regex for name: '${name}'`;
    issues.push({ path, message: what });
    return undefined;
  }
  const compiled = compileFinder(tagValue.value);
  if (!compiled.ok) {
    for (const { message } of compiled.issues) issues.push({ path, message });
    return undefined;
  }
  return {
    name,
    find(stat) {
      const slots = compiled.value(wireText(stat));
      const [, , start = -1, end = -1, valueStart = -1, valueEnd = -1] = slots ?? [];
      if (start === -1) return undefined;
      const value =
        valueStart === -1 ? stat.substring(start, end) : stat.substring(valueStart, valueEnd);
      return { start, end, value };
    },
  };
}

function decodeMatcher(
  message: StatsMatcher | undefined,
  path: string,
  issues: Issue[],
): (name: string) => boolean {
  const matcher = message?.statsMatcher;
  if (matcher?.case === "rejectAll") {
    const rejects = matcher.value;
    return () => !rejects;
  }
  if (matcher?.case === "inclusionList") {
    return anyOf(matcher.value, joinPath(path, "inclusion_list"), issues);
  }
  if (matcher?.case === "exclusionList") {
    const excludes = anyOf(matcher.value, joinPath(path, "exclusion_list"), issues);
    return (name) => !excludes(name);
  }
  return () => true;
}

function anyOf(
  { patterns }: ListStringMatcher,
  path: string,
  issues: Issue[],
): (name: string) => boolean {
  const tests = patterns.map((pattern, at) =>
    compileStringMatch(pattern, joinPath(path, `patterns[${at}]`), issues),
  );
  return (name) => tests.some((test) => test(wireText(name)));
}

function decodeBuckets(
  { match, buckets }: HistogramBucketSettings,
  path: string,
  issues: Issue[],
): StatsConfig["buckets"][number] {
  const test = compileStringMatch(match, joinPath(path, "match"), issues);
  const bounds = [...new Set(buckets)].sort((one, two) => one - two);
  return { matches: (name) => test(wireText(name)), bounds };
}
