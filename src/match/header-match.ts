import {
  type HeaderMatcher,
  HeaderMatcherSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import type { MatchHeaders, MatchRequest } from "./match-request.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import {
  compileRegexMatch,
  compileStringMatch,
  describeString,
  type StringPredicate,
} from "./string-match.ts";
import { wireText } from "./wire-text.ts";

/** One thing that a route asks of a request. */
export interface Criterion {
  /** For people: `header end-user`. */
  readonly description: string;
  readonly matches: (request: MatchRequest) => boolean;
}

/** What retries look at of a response. */
export interface ResponseHeaders {
  readonly status: number;
  readonly headers: MatchHeaders;
}

const HANDLED = [
  "name",
  "exact_match",
  "safe_regex_match",
  "range_match",
  "present_match",
  "prefix_match",
  "suffix_match",
  "contains_match",
  "string_match",
  "invert_match",
  "treat_missing_header_as_empty",
];

/** A header matcher, compiled for whatever carries headers. */
type Rule =
  /** Any message does, or none. */
  | { readonly kind: "fixed"; readonly matches: boolean }
  | { readonly kind: "presence"; readonly wanted: boolean }
  | {
      readonly kind: "value";
      readonly test: StringPredicate;
      readonly isInverted: boolean;
      /** What it means that the header is not there. */
      readonly missing: boolean;
    };

/** Compiles one header matcher; pseudo headers and `host` look at the request line. */
export function compileHeaderMatch(
  matcher: HeaderMatcher,
  path: string,
  issues: Issue[],
): Criterion {
  const rule = compileRule(matcher, path, issues);
  const name = wireText(matcher.name).toLowerCase();
  const description = describe(matcher);
  if (rule.kind === "fixed") return { description, matches: () => rule.matches };
  const read = PSEUDO_HEADERS[name];
  if (rule.kind === "presence") {
    const { wanted } = rule;
    if (read === undefined) {
      return { description, matches: (request) => request.headers.has(name) === wanted };
    }
    return { description, matches: (request) => (read(request) !== undefined) === wanted };
  }
  const { test, isInverted, missing } = rule;
  if (read !== undefined) {
    return {
      description,
      matches: (request) => {
        const value = read(request);
        return value === undefined ? missing : test(value) !== isInverted;
      },
    };
  }
  return {
    description,
    matches: (request) => {
      const found = request.headers.some(name, test);
      return found === undefined ? missing : found !== isInverted;
    },
  };
}

/** The same for the headers of a response, of whose pseudo headers there is only `:status`. */
export function compileResponseHeaderMatch(
  matcher: HeaderMatcher,
  path: string,
  issues: Issue[],
): (response: ResponseHeaders) => boolean {
  const rule = compileRule(matcher, path, issues);
  const name = wireText(matcher.name).toLowerCase();
  if (rule.kind === "fixed") return () => rule.matches;
  if (rule.kind === "presence") {
    if (name === ":status") return () => rule.wanted;
    return ({ headers }) => headers.has(name) === rule.wanted;
  }
  const { test, isInverted, missing } = rule;
  if (name === ":status") return ({ status }) => test(String(status)) !== isInverted;
  return ({ headers }) => {
    const found = headers.some(name, test);
    return found === undefined ? missing : found !== isInverted;
  };
}

function compileRule(matcher: HeaderMatcher, path: string, issues: Issue[]): Rule {
  issues.push(...refuseFields(HeaderMatcherSchema, matcher, HANDLED, path));
  if (matcher.name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  const { invertMatch: isInverted, treatMissingHeaderAsEmpty } = matcher;
  const specifier = matcher.headerMatchSpecifier;
  if (specifier.case === undefined || specifier.case === "presentMatch") {
    // Without a specifier the header must be there; `present_match: false` asks for its absence.
    const wanted = (specifier.value ?? true) !== isInverted;
    // An empty header is there, so one that counts as empty is too.
    if (treatMissingHeaderAsEmpty) return { kind: "fixed", matches: wanted };
    return { kind: "presence", wanted };
  }
  const test = compileSpecifier(specifier, path, issues);
  // A header that is not there matches nothing, inverted or not, unless it counts as empty.
  const missing = treatMissingHeaderAsEmpty && test("") !== isInverted;
  return { kind: "value", test, isInverted, missing };
}

function compileSpecifier(
  specifier: HeaderMatcher["headerMatchSpecifier"],
  path: string,
  issues: Issue[],
): StringPredicate {
  switch (specifier.case) {
    case "exactMatch": {
      const wanted = wireText(specifier.value);
      return (value) => value === wanted;
    }
    case "prefixMatch": {
      const wanted = wireText(specifier.value);
      return (value) => value.startsWith(wanted);
    }
    case "suffixMatch": {
      const wanted = wireText(specifier.value);
      return (value) => value.endsWith(wanted);
    }
    case "containsMatch": {
      const wanted = wireText(specifier.value);
      return (value) => value.includes(wanted);
    }
    case "safeRegexMatch":
      return compileRegexMatch(specifier.value, joinPath(path, "safe_regex_match"), issues);
    case "stringMatch":
      return compileStringMatch(specifier.value, joinPath(path, "string_match"), issues);
    case "rangeMatch": {
      const { start, end } = specifier.value;
      return (value) => {
        if (!/^[+-]?\d{1,19}$/.test(value)) return false;
        const number = BigInt(value);
        return number >= start && number < end;
      };
    }
    // Those without a value are done before.
    case "presentMatch":
    case undefined:
      return () => false;
  }
}

/** The matcher in words: `header x-user is not exact "a"`. */
function describe(matcher: HeaderMatcher): string {
  const { headerMatchSpecifier: specifier, invertMatch } = matcher;
  const not = invertMatch ? "not " : "";
  const name = `header ${matcher.name}`;
  switch (specifier.case) {
    case undefined:
      return `${name} is ${not}present`;
    case "presentMatch":
      return `${name} is ${specifier.value === invertMatch ? "not " : ""}present`;
    case "safeRegexMatch":
      return `${name} is ${not}regex ${specifier.value.regex}`;
    case "stringMatch":
      return `${name} is ${not}${describeString(specifier.value)}`;
    case "rangeMatch":
      return `${name} is ${not}in [${specifier.value.start}, ${specifier.value.end})`;
    case "exactMatch":
    case "prefixMatch":
    case "suffixMatch":
    case "containsMatch":
      return `${name} is ${not}${specifier.case.replace("Match", "")} "${specifier.value}"`;
  }
}

/**
 * What stands in the first line, or for it. A CONNECT has no path, and where there is no request
 * at all (a policy over a connection), there is none of them.
 */
const PSEUDO_HEADERS: Readonly<Record<string, (request: MatchRequest) => string | undefined>> = {
  ":method": ({ method }) => (method === "" ? undefined : method),
  ":path": ({ path }) => (path === "" ? undefined : path),
  ":authority": readAuthority,
  host: readAuthority,
  ":scheme": ({ scheme }) => (scheme === "" ? undefined : scheme),
};

/** Reads what stands in the first line under that name, in lower case; `undefined` for headers. */
export function readPseudoHeader(
  name: string,
): ((request: MatchRequest) => string | undefined) | undefined {
  return PSEUDO_HEADERS[name];
}

function readAuthority({ authority, method }: MatchRequest): string | undefined {
  return method === "" ? undefined : authority;
}
