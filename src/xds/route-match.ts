import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { StringMatcherSchema } from "../api/gen/envoy/type/matcher/v3/string_pb.js";
import type { NamedMatch, PathMatch, RouteMatch, TextMatch } from "../model/route-match.ts";

/** The match of a route on the wire. */
export function routeMatch(match: RouteMatch): MessageInitShape<typeof RouteMatchSchema> {
  return {
    pathSpecifier: pathSpecifier(match.path),
    caseSensitive: !match.isPathCaseIgnored,
    headers: match.headers.map(headerMatcher),
    queryParameters: match.queryParams.map(queryMatcher),
  };
}

function pathSpecifier({ type, value }: PathMatch) {
  switch (type) {
    case "exact":
      return { case: "path", value } as const;
    case "prefix":
      return { case: "prefix", value } as const;
    case "separated-prefix":
      return { case: "pathSeparatedPrefix", value } as const;
    case "regex":
      return { case: "safeRegex", value: { regex: value } } as const;
  }
}

function headerMatcher({
  name,
  text,
  isInverted,
}: NamedMatch): MessageInitShape<typeof HeaderMatcherSchema> {
  if (text === undefined) {
    const specifier = { case: "presentMatch", value: true } as const;
    return { name, headerMatchSpecifier: specifier, invertMatch: isInverted };
  }
  return {
    name,
    headerMatchSpecifier: { case: "stringMatch", value: stringMatcher(text) },
    invertMatch: isInverted,
    // Else a request without the header would not be one "without this value".
    treatMissingHeaderAsEmpty: isInverted,
  };
}

function queryMatcher({
  name,
  text,
}: NamedMatch): MessageInitShape<typeof QueryParameterMatcherSchema> {
  return {
    name,
    queryParameterMatchSpecifier:
      text === undefined
        ? { case: "presentMatch", value: true }
        : { case: "stringMatch", value: stringMatcher(text) },
  };
}

/** A comparison of text on the wire. */
export function stringMatcher({
  type,
  value,
}: TextMatch): MessageInitShape<typeof StringMatcherSchema> {
  switch (type) {
    case "exact":
      return { matchPattern: { case: "exact", value } };
    case "prefix":
      return { matchPattern: { case: "prefix", value } };
    case "regex":
      return { matchPattern: { case: "safeRegex", value: { regex: value } } };
  }
}
