import {
  DecoratorSchema,
  type Route as RouteMessage,
  RouteSchema,
  VirtualHost_TlsRequirementType as TlsRequirement,
  type VirtualHost as VirtualHostMessage,
  VirtualHostSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { type CorsPolicy, decodeCorsPolicy, mergeCorsPolicies } from "./cors-policy.ts";
import { decodeRateLimits } from "./decode-rate-limit.ts";
import { decodeDirectAction } from "./direct-action.ts";
import { decodeOverrides, mergeOverrides } from "./filter-overrides.ts";
import { decodeMutations, MUTATION_FIELDS, orderMutations } from "./header-mutations.ts";
import { decodeRedirectAction } from "./redirect-action.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { decodeRetryPolicy } from "./retry-policy.ts";
import type { Route, RouteAction } from "./route.ts";
import { decodeClusterAction, decodeMirrors } from "./route-action.ts";
import type { LevelContext, RouteContext } from "./route-context.ts";
import { compileRouteMatch } from "./route-match.ts";
import { decodeRouteTracing } from "./route-tracing.ts";
import type { VirtualHost } from "./virtual-host.ts";
import { wireText } from "./wire-text.ts";

const HOST_FIELDS = [
  "name",
  "domains",
  "routes",
  "require_tls",
  ...MUTATION_FIELDS,
  "cors",
  "typed_per_filter_config",
  "include_request_attempt_count",
  "include_attempt_count_in_response",
  "include_is_timeout_retry_header",
  "retry_policy",
  "per_request_buffer_limit_bytes",
  "request_mirror_policies",
  "rate_limits",
  // For people and for filters that ask for it; none of those built does.
  "metadata",
];

const TLS_REQUIREMENTS: Readonly<Record<TlsRequirement, VirtualHost["requiresTls"]>> = {
  [TlsRequirement.NONE]: "none",
  [TlsRequirement.EXTERNAL_ONLY]: "external",
  [TlsRequirement.ALL]: "all",
};

/** What a virtual host hands to its routes. */
export interface HostContext extends LevelContext {
  readonly cors: CorsPolicy | undefined;
  readonly bufferBytesMax: number | undefined;
}

/** A virtual host without its routes, and what it hands to them. */
export interface HostFrame {
  readonly host: Omit<VirtualHost, "routes">;
  readonly context: HostContext;
}

/** Decodes a virtual host with its routes. */
export function decodeVirtualHost(message: VirtualHostMessage, table: LevelContext): VirtualHost {
  const { host, context } = decodeHostFrame(message, table);
  const routes = message.routes.map((route, at) =>
    decodeRoute(route, { ...context, path: joinPath(table.path, `routes[${at}]`) }),
  );
  return { ...host, routes };
}

/** Decodes what a virtual host says of itself; its routes are not looked at. */
export function decodeHostFrame(message: VirtualHostMessage, table: LevelContext): HostFrame {
  const { path, issues } = table;
  issues.push(...refuseFields(VirtualHostSchema, message, HOST_FIELDS, path));
  if (message.name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  if (message.domains.length === 0) {
    issues.push({ path: joinPath(path, "domains"), message: "is empty" });
  }
  const context = hostContext(message, table);
  const host = {
    name: message.name,
    domains: message.domains,
    requiresTls: TLS_REQUIREMENTS[message.requireTls] ?? "none",
    tellsAttemptCount: message.includeRequestAttemptCount,
    answersAttemptCount: message.includeAttemptCountInResponse,
    tellsTimeoutRetry: message.includeIsTimeoutRetryHeader,
    metadata: message.metadata?.filterMetadata ?? NO_METADATA,
    rateLimits: decodeRateLimits(message.rateLimits, joinPath(path, "rate_limits"), issues),
  };
  return { host, context };
}

function hostContext(message: VirtualHostMessage, table: LevelContext): HostContext {
  const { path, issues } = table;
  return {
    ...table,
    levels: [decodeMutations(message, path, issues), ...table.levels],
    overrides: mergeOverrides(
      table.overrides,
      decodeOverrides(message.typedPerFilterConfig, {
        decode: table.decodeOverride,
        path: joinPath(path, "typed_per_filter_config"),
        issues,
      }),
    ),
    mirrors: decodeMirrors(message.requestMirrorPolicies, table, table.mirrors),
    retryPolicy:
      message.retryPolicy &&
      decodeRetryPolicy(message.retryPolicy, joinPath(path, "retry_policy"), issues),
    cors: message.cors && decodeCorsPolicy(message.cors, joinPath(path, "cors"), issues),
    bufferBytesMax: message.perRequestBufferLimitBytes,
  };
}

const ROUTE_FIELDS = [
  "name",
  "match",
  "route",
  "redirect",
  "direct_response",
  "metadata",
  "decorator",
  "tracing",
  "typed_per_filter_config",
  ...MUTATION_FIELDS,
  "per_request_buffer_limit_bytes",
  "stat_prefix",
];

/** Decodes one route under what its virtual host hands to it. */
export function decodeRoute(message: RouteMessage, host: HostContext): Route {
  const { path, issues } = host;
  issues.push(...refuseFields(RouteSchema, message, ROUTE_FIELDS, path));
  if (message.decorator !== undefined) {
    const handled = ["operation", "propagate"];
    const decoratorPath = joinPath(path, "decorator");
    issues.push(...refuseFields(DecoratorSchema, message.decorator, handled, decoratorPath));
  }
  const { pathMatch, criteria, matches } = compileRouteMatch(message.match, {
    ...host,
    path: joinPath(path, "match"),
  });
  const context: RouteContext = {
    ...host,
    pathMatch,
    levels: [decodeMutations(message, path, issues), ...host.levels],
    overrides: mergeOverrides(
      host.overrides,
      decodeOverrides(message.typedPerFilterConfig, {
        decode: host.decodeOverride,
        path: joinPath(path, "typed_per_filter_config"),
        issues,
      }),
    ),
  };
  return {
    name: message.name,
    criteria,
    matches,
    action: decodeAction(message, context),
    mutations: orderMutations(context.levels, host.mostSpecificWins),
    filterOverrides: context.overrides,
    cors: decodeRouteCors(message, host),
    bufferBytesMax: message.perRequestBufferLimitBytes ?? host.bufferBytesMax,
    decorator: {
      operation: wireText(message.decorator?.operation ?? ""),
      isPropagated: message.decorator?.propagate ?? true,
    },
    tracing:
      message.tracing && decodeRouteTracing(message.tracing, joinPath(path, "tracing"), issues),
    statPrefix: message.statPrefix,
    metadata: message.metadata?.filterMetadata ?? NO_METADATA,
  };
}

const NO_METADATA: Route["metadata"] = {};

function decodeRouteCors(
  { action }: RouteMessage,
  { cors, path, issues }: HostContext,
): CorsPolicy | undefined {
  if (action.case !== "route" || action.value.cors === undefined) return cors;
  const own = decodeCorsPolicy(action.value.cors, joinPath(path, "route.cors"), issues);
  return cors === undefined ? own : mergeCorsPolicies(own, cors);
}

/** Stands in a table that is refused anyway. */
const NO_ACTION: RouteAction = { kind: "direct", status: 500, body: "" };

function decodeAction(message: RouteMessage, context: RouteContext): RouteAction {
  const { path, issues, readFile, directBodyBytesMax: bodyBytesMax } = context;
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
      return decodeDirectAction(message.action.value, {
        path: joinPath(path, "direct_response"),
        issues,
        readFile,
        bodyBytesMax,
      });
    case undefined:
      issues.push({ path, message: "has no action" });
      return NO_ACTION;
    // Refused by name with the other fields.
    case "filterAction":
    case "nonForwardingAction":
      return NO_ACTION;
  }
}
