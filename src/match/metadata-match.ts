import {
  type MetadataMatcher,
  MetadataMatcherSchema,
} from "../api/gen/envoy/type/matcher/v3/metadata_pb.js";
import { DoubleMatcherSchema } from "../api/gen/envoy/type/matcher/v3/number_pb.js";
import {
  ListMatcherSchema,
  OrMatcherSchema,
  type ValueMatcher,
  ValueMatcherSchema,
} from "../api/gen/envoy/type/matcher/v3/value_pb.js";
import type { Issue } from "../base/issue.ts";
import type { Criterion } from "./header-match.ts";
import type { MetadataValue } from "./match-request.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileStringMatch } from "./string-match.ts";

type ValueTest = (value: MetadataValue | undefined) => boolean;

/** Compiles a matcher of dynamic metadata: a value at a path under a filter's name. */
export function compileMetadataMatch(
  matcher: MetadataMatcher,
  path: string,
  issues: Issue[],
): Criterion {
  const handled = ["filter", "path", "value", "invert"];
  issues.push(...refuseFields(MetadataMatcherSchema, matcher, handled, path));
  if (matcher.filter === "") issues.push({ path: joinPath(path, "filter"), message: "is missing" });
  if (matcher.path.length === 0) issues.push({ path: joinPath(path, "path"), message: "is empty" });
  const keys = matcher.path.map(({ segment }) => segment.value ?? "");
  const test = compileValue(matcher.value, joinPath(path, "value"), issues);
  const { filter, invert } = matcher;
  return {
    description: `metadata ${filter} ${keys.join(".")} ${invert ? "is not" : "is"} as asked`,
    matches: (request) => test(valueAt(request.dynamicMetadata(filter), keys)) !== invert,
  };
}

/** What stands at a path of keys; `undefined` when nothing does. */
export function valueAt(
  root: MetadataValue | undefined,
  keys: readonly string[],
): MetadataValue | undefined {
  let value: MetadataValue | undefined = root;
  for (const key of keys) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, key)
      ? (value as { readonly [key: string]: MetadataValue })[key]
      : undefined;
  }
  return value;
}

function compileValue(matcher: ValueMatcher | undefined, path: string, issues: Issue[]): ValueTest {
  const none: ValueTest = () => false;
  const refuse = (at: string, message: string): ValueTest => {
    issues.push({ path: at, message });
    return none;
  };
  if (matcher === undefined) return refuse(path, "is missing");
  const { matchPattern: pattern } = matcher;
  const handled = [
    "null_match",
    "double_match",
    "string_match",
    "bool_match",
    "present_match",
    "list_match",
    "or_match",
  ];
  issues.push(...refuseFields(ValueMatcherSchema, matcher, handled, path));
  switch (pattern.case) {
    case "nullMatch":
      return (value) => value === null;
    case "boolMatch":
      return (value) => value === pattern.value;
    case "presentMatch":
      // Asked to be absent, nothing matches: there is no value to look at (as Envoy has it).
      return pattern.value ? (value) => value !== undefined : none;
    case "stringMatch": {
      const test = compileStringMatch(pattern.value, joinPath(path, "string_match"), issues);
      return (value) => typeof value === "string" && test(value);
    }
    case "doubleMatch": {
      const at = joinPath(path, "double_match");
      issues.push(...refuseFields(DoubleMatcherSchema, pattern.value, ["range", "exact"], at));
      const { matchPattern: wanted } = pattern.value;
      if (wanted.case === undefined) return refuse(at, "has no pattern");
      if (wanted.case === "exact") return (value) => value === wanted.value;
      const { start, end } = wanted.value;
      return (value) => typeof value === "number" && value >= start && value < end;
    }
    case "listMatch": {
      const at = joinPath(path, "list_match");
      issues.push(...refuseFields(ListMatcherSchema, pattern.value, ["one_of"], at));
      const test = compileValue(pattern.value.matchPattern.value, joinPath(at, "one_of"), issues);
      return (value) => Array.isArray(value) && value.some((item: MetadataValue) => test(item));
    }
    case "orMatch": {
      const at = joinPath(path, "or_match");
      issues.push(...refuseFields(OrMatcherSchema, pattern.value, ["value_matchers"], at));
      const tests = pattern.value.valueMatchers.map((one, index) =>
        compileValue(one, joinPath(at, `value_matchers[${index}]`), issues),
      );
      if (tests.length < 2) return refuse(at, "must have at least 2 value_matchers");
      return (value) => tests.some((test) => test(value));
    }
    case undefined:
      return refuse(path, "has no pattern");
  }
}
