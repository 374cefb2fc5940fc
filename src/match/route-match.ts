import { create } from "@bufbuild/protobuf";
import {
  type RouteMatch_GrpcRouteMatchOptions,
  RouteMatch_GrpcRouteMatchOptionsSchema,
  type RouteMatch_TlsContextMatchOptions,
  RouteMatch_TlsContextMatchOptionsSchema,
  type RouteMatch as RouteMatchMessage,
  RouteMatchSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import { isGrpcContentType } from "./grpc-content-type.ts";
import { type Criterion, compileHeaderMatch } from "./header-match.ts";
import { compileMetadataMatch } from "./metadata-match.ts";
import { compilePathMatch, type PathMatch } from "./path-match.ts";
import { compileQueryMatch } from "./query-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import type { Route } from "./route.ts";
import { currentShare, decodeRuntimeShare, type RuntimeShare } from "./runtime-reader.ts";

const HANDLED = [
  "prefix",
  "path",
  "safe_regex",
  "connect_matcher",
  "path_separated_prefix",
  "path_match_policy",
  "case_sensitive",
  "runtime_fraction",
  "headers",
  "query_parameters",
  "grpc",
  "tls_context",
  "dynamic_metadata",
];

/** What a route asks of requests, compiled. */
export interface RouteMatch extends Pick<Route, "criteria" | "matches"> {
  readonly pathMatch: PathMatch;
}

/** Compiles the match of a route. */
export function compileRouteMatch(
  given: RouteMatchMessage | undefined,
  context: { readonly ignoresParameters: boolean; readonly path: string; readonly issues: Issue[] },
): RouteMatch {
  const { path, issues } = context;
  if (given === undefined) issues.push({ path, message: "is missing" });
  const match = given ?? create(RouteMatchSchema);
  issues.push(...refuseFields(RouteMatchSchema, match, HANDLED, path));
  const pathMatch = compilePathMatch(match, context);
  const criteria: readonly Criterion[] = [
    pathMatch,
    ...match.headers.map((header, at) =>
      compileHeaderMatch(header, joinPath(path, `headers[${at}]`), issues),
    ),
    ...match.queryParameters.map((parameter, at) =>
      compileQueryMatch(parameter, joinPath(path, `query_parameters[${at}]`), issues),
    ),
    ...compileGrpcMatch(match.grpc, joinPath(path, "grpc"), issues),
    ...compileTlsMatch(match.tlsContext, joinPath(path, "tls_context"), issues),
    ...match.dynamicMetadata.map((matcher, at) =>
      compileMetadataMatch(matcher, joinPath(path, `dynamic_metadata[${at}]`), issues),
    ),
  ];
  const share =
    match.runtimeFraction &&
    decodeRuntimeShare(match.runtimeFraction, joinPath(path, "runtime_fraction"), issues);
  return { pathMatch, criteria, matches: compileCriteria(criteria, share) };
}

function compileGrpcMatch(
  options: RouteMatch_GrpcRouteMatchOptions | undefined,
  path: string,
  issues: Issue[],
): Criterion[] {
  if (options === undefined) return [];
  issues.push(...refuseFields(RouteMatch_GrpcRouteMatchOptionsSchema, options, [], path));
  const matches: Criterion["matches"] = ({ headers }) =>
    headers.some("content-type", isGrpcContentType) === true;
  return [{ description: "request is of gRPC", matches }];
}

/** What the downstream's certificate must be. */
function compileTlsMatch(
  options: RouteMatch_TlsContextMatchOptions | undefined,
  path: string,
  issues: Issue[],
): Criterion[] {
  if (options === undefined) return [];
  const handled = ["presented", "validated"];
  issues.push(...refuseFields(RouteMatch_TlsContextMatchOptionsSchema, options, handled, path));
  const { presented, validated } = options;
  const criteria: Criterion[] = [];
  if (presented !== undefined) {
    criteria.push({
      description: `client certificate is ${presented ? "" : "not "}presented`,
      matches: ({ connection: { tls } }) =>
        tls !== undefined && (tls.peer !== undefined) === presented,
    });
  }
  if (validated !== undefined) {
    criteria.push({
      description: `client certificate is ${validated ? "" : "not "}validated`,
      matches: ({ connection: { tls } }) => tls !== undefined && tls.isPeerValidated === validated,
    });
  }
  return criteria;
}

/** One closure for all criteria; for most routes it is that of the path alone. */
function compileCriteria(
  criteria: readonly Criterion[],
  share: RuntimeShare | undefined,
): Route["matches"] {
  const [first, second] = criteria.map((criterion) => criterion.matches);
  if (share !== undefined) {
    const all = compileCriteria(criteria, undefined);
    return (request, prng) =>
      all(request, prng) && prng.next() < currentShare(share, request.runtime);
  }
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (criteria.length === 2) return (request) => first(request) && second(request);
  const predicates = criteria.map((criterion) => criterion.matches);
  return (request) => {
    for (const matches of predicates) if (!matches(request)) return false;
    return true;
  };
}
