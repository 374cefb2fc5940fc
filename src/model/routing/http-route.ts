import type { HttpRetry } from "../../config/http-route.ts";
import type {
  ForwardAction,
  HeaderOperations,
  Mirror,
  RedirectAction,
  Route,
  RouteAction,
  WeightedCluster,
} from "../route.ts";
import { NO_OPERATIONS } from "../route.ts";
import type { RouteMatch } from "../route-match.ts";
import { joinOperations } from "../virtual-service/header-operations.ts";
import type {
  ForwardRule,
  HttpMatch,
  HttpRule,
  RedirectRule,
  RuleDestination,
  VirtualService,
} from "../virtual-service.ts";
import type { Target } from "./resolve-destination.ts";
import { buildRetryPolicy } from "./retry-policy.ts";

/** What the routes of a VirtualService depend on besides the object; plain JSON. */
export interface RouteFacts {
  readonly listenPort: number;
  readonly isTls: boolean;
  /** Retries of the mesh's, for rules that say nothing. */
  readonly defaultRetry?: HttpRetry | undefined;
  /** For each of the sources that its matches name: whether the proxy is one. */
  readonly applies: readonly boolean[];
  /** For each of its destinations. */
  readonly targets: readonly Target[];
}

/** The target of a destination of the VirtualService. */
export type TargetOf = (destination: RuleDestination) => Target | undefined;

/** What all routes of one rule have in common. */
export interface RouteParts {
  readonly action: RouteAction;
  readonly requestHeaders: HeaderOperations;
  readonly responseHeaders: HeaderOperations;
  /** Where its requests go, in a word for traces. */
  readonly target: string;
}

/** The route that one `match` entry of a rule makes. */
export function buildRoute(
  { key }: VirtualService,
  rule: HttpRule,
  match: HttpMatch,
  { action, requestHeaders, responseHeaders, target }: RouteParts,
): Route {
  const own = { key: rule.key, path: match.path };
  return {
    name: match.name === "" ? rule.name : `${rule.name}.${match.name}`,
    match: match.match,
    action,
    requestHeaders,
    responseHeaders,
    cors: rule.cors,
    fault: rule.fault,
    operation: `${target}${pathText(match.match)}`,
    statPrefix: match.statPrefix,
    ...(rule.delegatedAt === undefined
      ? { origin: own }
      : { origin: { key, path: rule.delegatedAt }, delegate: own }),
  };
}

function pathText({ path }: RouteMatch): string {
  switch (path.type) {
    case "prefix":
      return `${path.value}*`;
    case "separated-prefix":
      return "/*";
    case "exact":
    case "regex":
      return path.value;
  }
}

/** What a rule comes to where its routes are for. */
export function buildRouteParts(
  { object }: VirtualService,
  rule: HttpRule,
  facts: RouteFacts,
  targetOf: TargetOf,
): RouteParts {
  const { requestHeaders, responseHeaders, destinations } = rule;
  const [only] = destinations;
  // With several destinations there is no one host to name: the object stands for them.
  const fallback = `${object.metadata.name}:${facts.listenPort}`;
  if (only === undefined || destinations.length > 1) {
    const action = buildAction(rule, facts, targetOf);
    return { action, requestHeaders, responseHeaders, target: fallback };
  }
  return {
    action: buildAction(rule, facts, targetOf),
    requestHeaders: joinOperations(requestHeaders, only.requestHeaders),
    responseHeaders: joinOperations(responseHeaders, only.responseHeaders),
    target: targetOf(only)?.name ?? fallback,
  };
}

function buildAction(rule: HttpRule, facts: RouteFacts, targetOf: TargetOf): RouteAction {
  const { action } = rule;
  switch (action.type) {
    case "forward":
      return buildForward(rule, action, facts, targetOf);
    case "redirect":
      return buildRedirect(action, facts);
    case "direct-response":
      return action;
  }
}

/** The port that goes without saying in a URL. */
const SCHEME_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

function buildRedirect(rule: RedirectRule, { listenPort, isTls }: RouteFacts): RedirectAction {
  const port = rule.port === "request" ? listenPort : rule.port;
  const scheme = rule.scheme ?? (isTls ? "https" : "http");
  return { ...rule, port: port === SCHEME_PORT[scheme] ? undefined : port };
}

function buildForward(
  rule: HttpRule,
  { timeoutMs, retries, rewrite }: ForwardRule,
  { defaultRetry }: RouteFacts,
  targetOf: TargetOf,
): ForwardAction {
  const clusters = buildClusters(rule, targetOf);
  const [only] = rule.destinations;
  const isOne = rule.destinations.length === 1;
  const hashKeys = rule.destinations.flatMap((destination) => targetOf(destination)?.hashKey ?? []);
  // What the route says of the host counts before what its destination says.
  const authority = rewrite.authority ?? (isOne ? only?.authority : undefined);
  return {
    type: "forward",
    clusters,
    timeoutMs,
    retry: buildRetryPolicy(retries ?? defaultRetry, isOne && hashKeys.length > 0),
    rewrite: authority === rewrite.authority ? rewrite : { ...rewrite, authority },
    mirrors: rule.mirrors.flatMap(({ destination, perMillion }): readonly Mirror[] => {
      const target = targetOf(destination);
      if (target === undefined) return [];
      const { cluster, missing } = target;
      const origin = { key: rule.key, path: destination.path };
      return [{ cluster, perMillion, origin, ...(missing !== undefined && { missing }) }];
    }),
    hashKeys,
    isHostOfUpstream: false,
  };
}

function buildClusters(
  { key, destinations }: HttpRule,
  targetOf: TargetOf,
): readonly WeightedCluster[] {
  const isOne = destinations.length === 1;
  return destinations.flatMap((destination): readonly WeightedCluster[] => {
    const target = targetOf(destination);
    if (target === undefined) return [];
    const { path, weight, requestHeaders, responseHeaders, authority } = destination;
    const { cluster: name, missing } = target;
    return [
      {
        name,
        weight,
        // Those of the only destination are the route's.
        requestHeaders: isOne ? NO_OPERATIONS : requestHeaders,
        responseHeaders: isOne ? NO_OPERATIONS : responseHeaders,
        ...(!isOne && authority !== undefined && { authority }),
        ...(missing !== undefined && { missing }),
        origin: { key, path },
      },
    ];
  });
}
