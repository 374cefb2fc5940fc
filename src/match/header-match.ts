import {
  type HeaderMatcher,
  HeaderMatcherSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import type { MatchRequest } from "./match-request.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileRegexMatch, compileStringMatch, type StringPredicate } from "./string-match.ts";
import { wireText } from "./wire-text.ts";

/** One thing that a route asks of a request. */
export interface Criterion {
  /** For people: `header end-user`. */
  readonly description: string;
  readonly matches: (request: MatchRequest) => boolean;
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

/** Compiles one header matcher; pseudo headers and `host` look at the request line. */
export function compileHeaderMatch(
  matcher: HeaderMatcher,
  path: string,
  issues: Issue[],
): Criterion {
  issues.push(...refuseFields(HeaderMatcherSchema, matcher, HANDLED, path));
  if (matcher.name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  const name = matcher.name.toLowerCase();
  const { invertMatch, treatMissingHeaderAsEmpty } = matcher;
  const specifier = matcher.headerMatchSpecifier;
  const description = `header ${matcher.name}`;
  if (specifier.case === undefined || specifier.case === "presentMatch") {
    // Without a specifier the header must be there; `present_match: false` asks for its absence.
    const wanted = (specifier.value ?? true) !== invertMatch;
    // An empty header is there, so one that counts as empty is too.
    if (treatMissingHeaderAsEmpty) return { description, matches: () => wanted };
    return { description, matches: (request) => has(request, name) === wanted };
  }
  const test = compileSpecifier(specifier, path, issues);
  // A header that is not there matches nothing, inverted or not, unless it counts as empty.
  const missing = treatMissingHeaderAsEmpty && test("") !== invertMatch;
  const read = PSEUDO_HEADERS[name];
  if (read !== undefined) {
    return { description, matches: (request) => test(read(request)) !== invertMatch };
  }
  return {
    description,
    matches: (request) => {
      const found = request.headers.some(name, test);
      return found === undefined ? missing : found !== invertMatch;
    },
  };
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

/** What stands in the first line, or for it; always there. */
const PSEUDO_HEADERS: Readonly<Record<string, (request: MatchRequest) => string>> = {
  ":method": (request) => request.method,
  ":path": (request) => request.path,
  ":authority": (request) => request.authority,
  host: (request) => request.authority,
  ":scheme": (request) => request.scheme,
};

function has(request: MatchRequest, name: string): boolean {
  return name in PSEUDO_HEADERS || request.headers.has(name);
}
