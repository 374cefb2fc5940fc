/**
 * Routes as the model describes them: everything that decides what happens to a request, in plain
 * values. `xds/route.ts` writes them as Envoy's.
 */
import type { Origin } from "./origin.ts";
import type { RouteMatch, TextMatch } from "./route-match.ts";
import type { HashKey } from "./traffic-policy.ts";

/** The routes that a connection manager uses. */
export interface RouteConfiguration {
  readonly name: string;
  /** Names and domains are unique. */
  readonly virtualHosts: readonly VirtualHost[];
  /** Whether a `Host` header's port is left out of the comparison with the domains. */
  readonly ignoresPort: boolean;
  /** Whether the proxy asks for the virtual hosts that it lacks; those it has are resources of their own. */
  readonly isOnDemand?: boolean;
}

/** The routes for some hosts. */
export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  /** The first that matches decides; none: 404. */
  readonly routes: readonly Route[];
  /** Every request is redirected to https instead (`httpsRedirect` of a Gateway). */
  readonly requiresTls?: boolean;
}

/** One route of a virtual host. */
export interface Route {
  /** "" for a rule without a name. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction;
  readonly requestHeaders: HeaderOperations;
  readonly responseHeaders: HeaderOperations;
  readonly cors: CorsPolicy | undefined;
  readonly fault: HttpFault | undefined;
  /** What traces call the request: `reviews.default.svc.cluster.local:9080/*`. */
  readonly operation: string;
  /** Counts its requests under this name; "" for none. */
  readonly statPrefix: string;
  /** Absent for what every proxy has by itself. */
  readonly origin: Origin | undefined;
  /** The rule of a delegate that it is made of, beside the one that delegates. */
  readonly delegate?: Origin;
}

/** What becomes of a request. */
export type RouteAction = ForwardAction | RedirectAction | DirectResponse;

/** Sends it on. */
export interface ForwardAction {
  readonly type: "forward";
  /** Never empty. */
  readonly clusters: readonly WeightedCluster[];
  /** 0: none. */
  readonly timeoutMs: number;
  /** Absent: a request is tried once. */
  readonly retry: RetryPolicy | undefined;
  readonly rewrite: Rewrite;
  readonly mirrors: readonly Mirror[];
  /** What requests of one client have in common that keep to one endpoint; in order of importance. */
  readonly hashKeys: readonly HashKey[];
  /** Gives upstreams their own name as host (`auto_host_rewrite`). */
  readonly isHostOfUpstream: boolean;
}

/** One destination; one has all requests, of several each has its weight. */
export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
  readonly requestHeaders: HeaderOperations;
  readonly responseHeaders: HeaderOperations;
  /** The host that its requests get, where the route does not rewrite it already. */
  readonly authority?: string;
  /** Why there is no such cluster: its requests are answered 503, with this as details. */
  readonly missing?: MissingReference;
  readonly origin: Origin | undefined;
}

/** What a route names that is not there. */
export type MissingReference = "host_not_found" | "port_not_found" | "subset_not_found";

/**
 * Headers to change. A proxy first removes, then writes what stands instead of something, then adds;
 * each in order. Names are lower case.
 */
export interface HeaderOperations {
  readonly remove: readonly string[];
  readonly write: readonly HeaderWrite[];
}

/** One header that is written. */
export interface HeaderWrite {
  readonly name: string;
  /** May hold command operators: `%REQ(:path)%`. */
  readonly value: string;
  /** Beside what is there already, not instead of it. */
  readonly isAdded: boolean;
}

/** Nothing to change. */
export const NO_OPERATIONS: HeaderOperations = { remove: [], write: [] };

/** What a request's path and host become. */
export interface Rewrite {
  /** Replaces the matched prefix, or the whole path where the match is exact or a regex. */
  readonly path: string | undefined;
  readonly pathRegex: { readonly match: string; readonly replacement: string } | undefined;
  readonly authority: string | undefined;
}

/** Nothing to rewrite. */
export const NO_REWRITE: Rewrite = { path: undefined, pathRegex: undefined, authority: undefined };

/** A copy that nobody waits for. */
export interface Mirror {
  readonly cluster: string;
  /** Of a million requests. */
  readonly perMillion: number;
  /** Why there is no such cluster. */
  readonly missing?: MissingReference;
  readonly origin: Origin;
}

/** When a request is tried again. */
export interface RetryPolicy {
  /** Envoy's `retry_on`, comma-separated. */
  readonly conditions: string;
  readonly statusCodes: readonly number[];
  readonly attempts: number;
  /** 0: what is left of the request's time. */
  readonly perTryTimeoutMs: number;
  readonly backoffMs: number | undefined;
  /** Whether another endpoint is asked. */
  readonly isElsewhere: boolean;
  /** Whether other localities are tried. */
  readonly isInOtherLocalities: boolean;
}

/** Answers with the way to go on. */
export interface RedirectAction {
  readonly type: "redirect";
  readonly status: number;
  readonly path: { readonly kind: "whole" | "prefix"; readonly value: string } | undefined;
  readonly authority: string | undefined;
  readonly scheme: string | undefined;
  /** Absent: the request's own, unless it is the one that goes without saying and the scheme changes. */
  readonly port: number | undefined;
}

/** Answers by itself. */
export interface DirectResponse {
  readonly type: "direct-response";
  readonly status: number;
  readonly body: { readonly text: string } | { readonly base64: string } | undefined;
}

/** Which foreign pages may read answers. */
export interface CorsPolicy {
  readonly allowOrigins: readonly TextMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeMs: number | undefined;
  readonly allowCredentials: boolean | undefined;
  /** Whether a preflight whose origin does not match goes to the upstream. */
  readonly isUnmatchedForwarded: boolean;
}

/** What is made to go wrong. */
export interface HttpFault {
  readonly delay: { readonly ms: number; readonly perMillion: number } | undefined;
  readonly abort:
    | {
        readonly status: { readonly http: number } | { readonly grpc: number };
        readonly perMillion: number;
      }
    | undefined;
}

/** The clusters that a route names, mirrors included. */
export function clustersOf({ action }: Route): readonly string[] {
  if (action.type !== "forward") return [];
  return [
    ...action.clusters.map(({ name }) => name),
    ...action.mirrors.map(({ cluster }) => cluster),
  ];
}
