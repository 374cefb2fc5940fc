import {
  RateLimit_XRateLimitOption as Option,
  type RateLimit,
  RateLimit_ActionSchema,
  RateLimit_HitsAddendSchema,
  type RateLimit_Override,
  RateLimitSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RateLimitUnit } from "../api/gen/envoy/type/v3/ratelimit_unit_pb.js";
import type { Issue } from "../base/issue.ts";
import type { MetadataValue } from "./match-request.ts";
import { valueAt } from "./metadata-match.ts";
import type {
  HitsReader,
  RateLimitOverride,
  RateLimitRule,
  XRateLimitOption,
} from "./rate-limit.ts";
import { compileAction, readMetadata } from "./rate-limit-action.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { parseFormat } from "./substitution.ts";

const FIELDS = [
  "stage",
  "disable_key",
  "actions",
  "limit",
  "hits_addend",
  "apply_on_stream_done",
  "x_ratelimit_option",
];

/** Decodes `rate_limits` of a route or of a virtual host; `path` is that of the list. */
export function decodeRateLimits(
  messages: readonly RateLimit[],
  path: string,
  issues: Issue[],
): readonly RateLimitRule[] {
  return messages.map((message, at) => ({
    ...decodeRule(message, `${path}[${at}]`, issues),
    // Envoy has heed of these in the rules of filters alone.
    appliesOnStreamDone: false,
    hits: undefined,
    isRefund: false,
  }));
}

/** Decodes `rate_limits` of a filter, which may say less of when and more of how much. */
export function decodeFilterRateLimits(
  messages: readonly RateLimit[],
  path: string,
  issues: Issue[],
): readonly RateLimitRule[] {
  return messages.map((message, at) => {
    const rulePath = `${path}[${at}]`;
    if (message.stage !== undefined || message.disableKey !== "") {
      const what = "'stage' field and 'disable_key' field are not supported";
      issues.push({ path: rulePath, message: what });
    }
    if (message.limit !== undefined) {
      const what = "'limit' field is not supported";
      issues.push({ path: joinPath(rulePath, "limit"), message: what });
    }
    return { ...decodeRule(message, rulePath, issues), ...decodeHits(message, rulePath, issues) };
  });
}

const OPTIONS: Readonly<Record<Option, XRateLimitOption>> = {
  [Option.UNSPECIFIED]: "inherit",
  [Option.OFF]: "off",
  [Option.DRAFT_VERSION_03]: "on",
};

type PlainRule = Omit<RateLimitRule, "hits" | "isRefund">;

function decodeRule(message: RateLimit, path: string, issues: Issue[]): PlainRule {
  issues.push(...refuseFields(RateLimitSchema, message, FIELDS, path));
  if (message.actions.length === 0) {
    issues.push({ path: joinPath(path, "actions"), message: "is empty" });
  }
  return {
    stage: message.stage ?? 0,
    disableKey: message.disableKey,
    appliesOnStreamDone: message.applyOnStreamDone,
    actions: message.actions.flatMap((action, at) => {
      const actionPath = joinPath(path, `actions[${at}]`);
      issues.push(...refuseFields(RateLimit_ActionSchema, action, ACTION_FIELDS, actionPath));
      return compileAction(action, actionPath, issues) ?? [];
    }),
    limit: message.limit && decodeLimit(message.limit),
    xRateLimit: OPTIONS[message.xRatelimitOption] ?? "inherit",
  };
}

const ACTION_FIELDS = [
  "source_cluster",
  "destination_cluster",
  "request_headers",
  "query_parameters",
  "remote_address",
  "generic_key",
  "header_value_match",
  // Refused in Envoy's words.
  "dynamic_metadata",
  "metadata",
  "masked_remote_address",
  "query_parameter_value_match",
  "remote_address_match",
];

function decodeLimit({ overrideSpecifier: specifier }: RateLimit_Override): RateLimitRule["limit"] {
  if (specifier.case === "rateLimit") {
    const { requestsPerUnit, unit } = specifier.value;
    const limit = { requestsPerUnit, unit: RateLimitUnit[unit] };
    return () => limit;
  }
  const key = specifier.value?.metadataKey;
  if (key === undefined) return undefined;
  const read = readMetadata("dynamic", key);
  return (source) => parseLimit(read(source));
}

/** A limit as metadata has it; what is none does not take the place of one. */
function parseLimit(value: MetadataValue | undefined): RateLimitOverride | undefined {
  const perUnit = valueAt(value, ["requests_per_unit"]);
  const unit = valueAt(value, ["unit"]);
  if (typeof perUnit !== "number" || typeof unit !== "string") return undefined;
  if (!Object.hasOwn(RateLimitUnit, unit) || /^\d/.test(unit)) return undefined;
  return { requestsPerUnit: Math.trunc(perUnit), unit };
}

const HITS_MAX = 1_000_000_000;

function decodeHits(
  { hitsAddend }: RateLimit,
  path: string,
  issues: Issue[],
): Pick<RateLimitRule, "hits" | "isRefund"> {
  if (hitsAddend === undefined) return { hits: undefined, isRefund: false };
  const at = joinPath(path, "hits_addend");
  const fields = ["number", "format", "is_negative_hits"];
  issues.push(...refuseFields(RateLimit_HitsAddendSchema, hitsAddend, fields, at));
  const { number, format, isNegativeHits: isRefund } = hitsAddend;
  if ((number === undefined) === (format === "")) {
    const what = "hits_addend must contain either a format or a number";
    issues.push({ path: at, message: what });
  }
  if (number !== undefined) {
    const hits = Number(number);
    return { hits: () => hits, isRefund };
  }
  return { hits: compileHits(format, joinPath(at, "format"), issues), isRefund };
}

function compileHits(format: string, path: string, issues: Issue[]): HitsReader | undefined {
  if (format === "") return undefined;
  const parts = parseFormat(format);
  if (!parts.ok) {
    issues.push(...parts.issues.map(({ message }) => ({ path, message })));
    return undefined;
  }
  const [part] = parts.value;
  if (parts.value.length !== 1 || typeof part !== "function") {
    const what = "hits_addend format must contain exactly one substitution";
    issues.push({ path, message: what });
    return undefined;
  }
  return ({ info }) => parseHits(part(info));
}

/** A decimal number, or a hexadecimal one after `0x`. */
const NUMBER = /^\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|0x[\da-f]+)\s*$/i;

/** Part of a hit is none. */
function parseHits(value: MetadataValue | undefined): number | undefined {
  let number = typeof value === "number" ? value : Number.NaN;
  if (typeof value === "string" && NUMBER.test(value)) number = Number(value.replace("+", ""));
  return number >= 0 && number <= HITS_MAX ? Math.trunc(number) : undefined;
}
