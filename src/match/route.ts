import type { Prng } from "../base/prng.ts";
import type { CorsPolicy } from "./cors-policy.ts";
import type { FilterOverrides } from "./filter-overrides.ts";
import type { GrpcTimeoutRule } from "./grpc-timeout.ts";
import type { HashPolicy } from "./hash-policy.ts";
import type { Criterion } from "./header-match.ts";
import type { OrderedMutations } from "./header-mutations.ts";
import type { InternalRedirectPolicy } from "./internal-redirect.ts";
import type { MatchRecorder, MatchRequest, MetadataValue } from "./match-request.ts";
import type { MirrorPolicy } from "./mirror-policy.ts";
import type { RateLimitRule } from "./rate-limit.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import type { Decorator, RouteTracing } from "./route-tracing.ts";
import type { SubsetCriteria } from "./subset-criteria.ts";

/** The host header that an upstream gets instead of the request's. */
export type HostRewrite =
  | { readonly kind: "literal"; readonly host: string }
  /** The name of the upstream host, where that has one. */
  | { readonly kind: "auto" }
  /** The value of a request header (its name in lower case), where there is one. */
  | { readonly kind: "header"; readonly name: string }
  /** What the path, without its query, becomes. */
  | { readonly kind: "path"; readonly rewrite: (path: string) => string };

/** Where one request goes, and what that place adds to its route. */
export interface ClusterChoice {
  /** "" when the request did not say where. */
  readonly name: string;
  /** What the metadata of a host must have. */
  readonly subset: SubsetCriteria;
  /** The host by a weighted cluster's own word: nobody is told what it was before. "" for none. */
  readonly ownHost: string;
  /** The action's, which is written after that; `undefined`: the host stays as it is. */
  readonly hostRewrite: HostRewrite | undefined;
  /** Of all levels. */
  readonly mutations: OrderedMutations;
  readonly filterOverrides: FilterOverrides;
}

/** A protocol that a request may change to, or the method CONNECT. */
export interface UpgradePolicy {
  readonly isEnabled: boolean;
  /** Only with CONNECT: the proxy takes the request's end for itself and sends what is inside. */
  readonly connect:
    | {
        /** Bodies of POST requests are sent on as raw bytes too. */
        readonly allowsPost: boolean;
        /** The version of the PROXY protocol header sent first. */
        readonly proxyProtocol: "V1" | "V2" | undefined;
      }
    | undefined;
}

/** How long a stream may last, end to end. 0 is without end; `undefined`: not said here. */
export interface StreamLimits {
  readonly maxMs: number | undefined;
  /** The most that the `grpc-timeout` header may ask for; with it that header counts. */
  readonly grpcTimeoutMsMax: number | undefined;
  /** Taken from what the header asks for. */
  readonly grpcTimeoutOffsetMs: number;
}

/** A route that sends the request to a cluster. */
export interface ClusterAction {
  readonly kind: "cluster";
  /** Every cluster that it may choose, as far as the configuration names them. */
  readonly clusterNames: readonly string[];
  readonly chooseCluster: (request: MatchRequest, prng: Prng) => ClusterChoice;
  /** 503 or 404 or 500: the answer when the cluster is not there. */
  readonly notFoundStatus: number;
  /** From the end of the request to the end of the response; 0 is none. */
  readonly timeoutMs: number;
  /** What takes the place of `timeoutMs` for gRPC requests; `undefined` where nothing does. */
  readonly grpcTimeout: GrpcTimeoutRule | undefined;
  /** `undefined`: the listener's. 0 is none. */
  readonly idleTimeoutMs: number | undefined;
  readonly streamLimits: StreamLimits;
  readonly retryPolicy: RetryPolicy | undefined;
  /** Changes the path on its way to the upstream; `undefined` where it stays. */
  readonly rewritePath: ((path: string) => string) | undefined;
  /** Whether a host that is rewritten is told in `x-forwarded-host`. */
  readonly appendsForwardedHost: boolean;
  readonly mirrors: readonly MirrorPolicy[];
  /** What hash balancers go by, in order. */
  readonly hashPolicies: readonly HashPolicy[];
  /** By the protocol's name in lower case; one that is missing is as the listener says. */
  readonly upgrades: ReadonlyMap<string, UpgradePolicy>;
  /** `undefined`: redirects of the upstream go to the client. */
  readonly internalRedirect: InternalRedirectPolicy | undefined;
  readonly isHighPriority: boolean;
  /** What rate limits count its requests under. */
  readonly rateLimits: readonly RateLimitRule[];
  /** Whether those of the virtual host count beside them. */
  readonly includesHostRateLimits: boolean;
}

/** A route that answers by itself. */
export interface DirectAction {
  readonly kind: "direct";
  readonly status: number;
  readonly body: string;
}

/** A route that sends the client elsewhere. */
export interface RedirectAction {
  readonly kind: "redirect";
  readonly status: number;
  readonly location: (request: MatchRequest) => string;
}

export type RouteAction = ClusterAction | DirectAction | RedirectAction;

/** One route, compiled: immutable, so that a request keeps the one it was given. */
export interface Route {
  readonly name: string;
  /** All at once; the fast way. */
  readonly matches: (request: MatchRequest, prng: Prng) => boolean;
  /** The same one by one, for saying which of them did not match. */
  readonly criteria: readonly Criterion[];
  readonly action: RouteAction;
  /**
   * What is written into and taken out of headers, all levels in order. A cluster action's choice
   * has its own, which take the place of these.
   */
  readonly mutations: OrderedMutations;
  /** What filters are told, all levels; a cluster action's choice has its own. */
  readonly filterOverrides: FilterOverrides;
  /** The older place of the CORS policy: that of the route over that of the virtual host. */
  readonly cors: CorsPolicy | undefined;
  /** The most of a body that is kept to send it again; `undefined`: the listener's. */
  readonly bufferBytesMax: number | undefined;
  readonly decorator: Decorator;
  /** `undefined`: its spans are as the connection manager says. */
  readonly tracing: RouteTracing | undefined;
  /** Names statistics of the route; "" for none. */
  readonly statPrefix: string;
  /** JSON by namespace, for filters that ask for it. */
  readonly metadata: { readonly [namespace: string]: MetadataValue };
}

/** The first route that matches. */
export function matchRoute(
  routes: readonly Route[],
  request: MatchRequest,
  prng: Prng,
  recorder?: MatchRecorder,
): Route | undefined {
  for (const route of routes) {
    if (route.matches(request, prng)) return route;
    if (recorder !== undefined) recordLoss(route, request, recorder);
  }
  return undefined;
}

function recordLoss(route: Route, request: MatchRequest, recorder: MatchRecorder): void {
  const lost = route.criteria.find((criterion) => !criterion.matches(request));
  recorder.lost(`route ${route.name}`, lost?.description ?? "runtime fraction");
}
