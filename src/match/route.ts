import type { Prng } from "../base/prng.ts";
import type { Criterion } from "./header-match.ts";
import type { MatchRecorder, MatchRequest } from "./match-request.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/** A route that sends the request to a cluster. */
export interface ClusterAction {
  readonly kind: "cluster";
  /** Every cluster that it may choose. */
  readonly clusterNames: readonly string[];
  readonly chooseCluster: (prng: Prng) => string;
  /** 503 or 404 or 500: the answer when the cluster is not there. */
  readonly notFoundStatus: number;
  /** From the end of the request to the end of the response; 0 is none. */
  readonly timeoutMs: number;
  /** `undefined`: the listener's. */
  readonly idleTimeoutMs: number | undefined;
  readonly retryPolicy: RetryPolicy | undefined;
  /** Changes the path on its way to the upstream. */
  readonly rewritePath: ((path: string) => string) | undefined;
  readonly hostRewrite: string;
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
  /** The operation's name for traces; "" for none. */
  readonly operation: string;
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
