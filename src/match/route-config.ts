import { create } from "@bufbuild/protobuf";
import type { RuntimeFractionalPercent } from "../api/gen/envoy/config/core/v3/base_pb.js";
import {
  DecoratorSchema,
  RouteMatchSchema,
  type Route as RouteMessage,
  RouteSchema,
  VirtualHost_TlsRequirementType,
  type VirtualHost as VirtualHostMessage,
  VirtualHostSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "../api/gen/envoy/config/route/v3/route_pb.js";
import { FractionalPercent_DenominatorType as Denominator } from "../api/gen/envoy/type/v3/percent_pb.js";
import type { Issue, Result } from "../base/issue.ts";
import type { Prng } from "../base/prng.ts";
import { type Criterion, compileHeaderMatch } from "./header-match.ts";
import type { MatchRecorder, MatchRequest } from "./match-request.ts";
import { compilePathMatch } from "./path-match.ts";
import { compileQueryMatch } from "./query-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { decodeRetryPolicy, type RetryPolicy } from "./retry-policy.ts";
import { matchRoute, type Route, type RouteAction } from "./route.ts";
import { decodeClusterAction, decodeDirectAction, decodeRedirectAction } from "./route-action.ts";
import {
  compileVirtualHostSearch,
  type VirtualHost,
  type VirtualHostSearch,
} from "./virtual-host.ts";

/** A route table, compiled: immutable, so that a request keeps the one it began with. */
export interface RouteConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly findVirtualHost: VirtualHostSearch;
  /** Whether Envoy would check that the clusters exist; `undefined` leaves it to where it stands. */
  readonly validatesClusters: boolean | undefined;
}

/** The virtual host and route of a request; either may be missing. */
export function matchRouteConfig(
  config: RouteConfig,
  request: MatchRequest,
  prng: Prng,
  recorder?: MatchRecorder,
): { virtualHost: VirtualHost | undefined; route: Route | undefined } {
  const virtualHost = config.findVirtualHost(request.authority, recorder);
  if (virtualHost === undefined) return { virtualHost, route: undefined };
  return { virtualHost, route: matchRoute(virtualHost.routes, request, prng, recorder) };
}

const TABLE_FIELDS = ["name", "virtual_hosts", "validate_clusters", "ignore_port_in_host_matching"];

/** Decodes and compiles a route table. */
export function decodeRouteConfig(message: RouteConfiguration): Result<RouteConfig> {
  const issues = refuseFields(RouteConfigurationSchema, message, TABLE_FIELDS, "");
  const names = new Set<string>();
  const virtualHosts = message.virtualHosts.map((virtualHost, at) => {
    const path = `virtual_hosts[${at}]`;
    if (names.has(virtualHost.name)) {
      const what = `virtual host "${virtualHost.name}" stands there twice`;
      issues.push({ path, message: what });
    }
    names.add(virtualHost.name);
    return decodeVirtualHost(virtualHost, path, issues);
  });
  const findVirtualHost = compileVirtualHostSearch(
    virtualHosts,
    message.ignorePortInHostMatching,
    ({ domain }) => {
      const what = `Only unique values for domains are permitted. Duplicate entry of domain ${domain} in route ${message.name}`;
      issues.push({ path: "", message: what });
    },
  );
  if (issues.length > 0) return { ok: false, issues };
  const { name, validateClusters: validatesClusters } = message;
  return { ok: true, value: { name, virtualHosts, findVirtualHost, validatesClusters } };
}

const HOST_FIELDS = [
  "name",
  "domains",
  "routes",
  "require_tls",
  "include_request_attempt_count",
  "retry_policy",
  "metadata",
];

function decodeVirtualHost(
  message: VirtualHostMessage,
  path: string,
  issues: Issue[],
): VirtualHost {
  issues.push(...refuseFields(VirtualHostSchema, message, HOST_FIELDS, path));
  if (message.name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  if (message.domains.length === 0) {
    issues.push({ path: joinPath(path, "domains"), message: "is empty" });
  }
  for (const domain of message.domains) {
    if (!domain.slice(1, -1).includes("*")) continue;
    const what = `"${domain}" has its star in the middle`;
    issues.push({ path: joinPath(path, "domains"), message: what });
  }
  if (message.requireTls !== VirtualHost_TlsRequirementType.NONE) {
    issues.push({ path: joinPath(path, "require_tls"), message: "is not supported yet" });
  }
  const retryPolicy =
    message.retryPolicy &&
    decodeRetryPolicy(message.retryPolicy, joinPath(path, "retry_policy"), issues);
  return {
    name: message.name,
    domains: message.domains,
    routes: message.routes.map((route, at) =>
      decodeRoute(route, { retryPolicy, path: joinPath(path, `routes[${at}]`), issues }),
    ),
    tellsAttemptCount: message.includeRequestAttemptCount,
  };
}

interface RouteContext {
  readonly retryPolicy: RetryPolicy | undefined;
  readonly path: string;
  readonly issues: Issue[];
}

const ROUTE_FIELDS = [
  "name",
  "match",
  "route",
  "redirect",
  "direct_response",
  "metadata",
  "decorator",
  // Names statistics that are not kept.
  "stat_prefix",
];
const MATCH_FIELDS = [
  "prefix",
  "path",
  "safe_regex",
  "path_separated_prefix",
  "case_sensitive",
  "runtime_fraction",
  "headers",
  "query_parameters",
];

function decodeRoute(message: RouteMessage, context: RouteContext): Route {
  const { path, issues } = context;
  issues.push(...refuseFields(RouteSchema, message, ROUTE_FIELDS, path));
  if (message.decorator !== undefined) {
    const handled = ["operation", "propagate"];
    const decoratorPath = joinPath(path, "decorator");
    issues.push(...refuseFields(DecoratorSchema, message.decorator, handled, decoratorPath));
  }
  const matchPath = joinPath(path, "match");
  if (message.match === undefined) issues.push({ path: matchPath, message: "is missing" });
  const match = message.match ?? create(RouteMatchSchema);
  issues.push(...refuseFields(RouteMatchSchema, match, MATCH_FIELDS, matchPath));
  const pathMatch = compilePathMatch(match, matchPath, issues);
  const criteria: readonly Criterion[] = [
    pathMatch,
    ...match.headers.map((header, at) =>
      compileHeaderMatch(header, joinPath(matchPath, `headers[${at}]`), issues),
    ),
    ...match.queryParameters.map((parameter, at) =>
      compileQueryMatch(parameter, joinPath(matchPath, `query_parameters[${at}]`), issues),
    ),
  ];
  return {
    name: message.name,
    criteria,
    matches: compileCriteria(criteria, decodeFraction(match.runtimeFraction)),
    action: decodeAction(message, { ...context, pathMatch }),
    operation: message.decorator?.operation ?? "",
  };
}

/** Stands in a table that is refused anyway. */
const NO_ACTION: RouteAction = { kind: "direct", status: 500, body: "" };

function decodeAction(
  message: RouteMessage,
  context: RouteContext & { readonly pathMatch: ReturnType<typeof compilePathMatch> },
): RouteAction {
  const { path, issues } = context;
  switch (message.action.case) {
    case "route":
      return decodeClusterAction(message.action.value, {
        ...context,
        path: joinPath(path, "route"),
      });
    case "redirect":
      return decodeRedirectAction(message.action.value, {
        ...context,
        path: joinPath(path, "redirect"),
      });
    case "directResponse":
      return decodeDirectAction(message.action.value, joinPath(path, "direct_response"), issues);
    case undefined:
      issues.push({ path, message: "has no action" });
      return NO_ACTION;
    // Refused by name with the other fields.
    case "filterAction":
    case "nonForwardingAction":
      return NO_ACTION;
  }
}

/** The share of requests that match, 0 to 1; a runtime key without a runtime has its default. */
function decodeFraction(fraction: RuntimeFractionalPercent | undefined): number | undefined {
  const percent = fraction?.defaultValue;
  if (fraction === undefined) return undefined;
  if (percent === undefined) return 0;
  const denominators: Readonly<Record<Denominator, number>> = {
    [Denominator.HUNDRED]: 100,
    [Denominator.TEN_THOUSAND]: 10_000,
    [Denominator.MILLION]: 1_000_000,
  };
  return percent.numerator / (denominators[percent.denominator] ?? 100);
}

/** One closure for all criteria; for most routes it is that of the path alone. */
function compileCriteria(
  criteria: readonly Criterion[],
  fraction: number | undefined,
): Route["matches"] {
  const [first, second] = criteria.map((criterion) => criterion.matches);
  if (fraction !== undefined) {
    const all = compileCriteria(criteria, undefined);
    return (request, prng) => all(request, prng) && prng.next() < fraction;
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
