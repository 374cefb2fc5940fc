import { boundGrpcTimeout } from "../../match/grpc-timeout.ts";
import { extendRetryPolicy, type RetryPolicy } from "../../match/retry-policy.ts";
import type { ClusterAction } from "../../match/route.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { FilterStream } from "../http/http-filter.ts";
import { isGrpcRequest } from "../http/local-reply-head.ts";
import type { RequestHead } from "../http/message-head.ts";

/** What bounds one request: how long, and how often it is tried. */
export interface RequestLimits {
  /** Of the whole exchange and of one attempt; 0 is none. */
  readonly timeoutMs: number;
  readonly perTryTimeoutMs: number;
  readonly retryPolicy: RetryPolicy | undefined;
  /** Whether running out of time is no error to the client. */
  readonly answersTimeoutWith204: boolean;
  /** Whether the upstream reads in `grpc-timeout` how much time is left. */
  readonly tellsGrpc: boolean;
}

export const NO_LIMITS: RequestLimits = {
  timeoutMs: 0,
  perTryTimeoutMs: 0,
  retryPolicy: undefined,
  answersTimeoutWith204: false,
  tellsGrpc: false,
};

const LIMITS_BY_ACTION = new WeakMap<ClusterAction, RequestLimits>();

/** The limits of a request: those of its route, unless an internal caller says others. */
export function requestLimits(action: ClusterAction, stream: FilterStream): RequestLimits {
  const { head } = stream;
  const ofRoute = grpcLimits(action, head) ?? routeLimits(action);
  const limits = head.hasInternalHeaders ? takeLimitHeaders(ofRoute, head.headers) : ofRoute;
  const policy = limits.retryPolicy;
  if (policy === undefined || policy.requestCriteria.length === 0) return limits;
  const isAny = policy.requestCriteria.some(({ matches }) => matches(stream));
  return isAny ? limits : { ...limits, retryPolicy: undefined };
}

/** Those of a gRPC request, where the route has others for it. */
function grpcLimits(action: ClusterAction, head: RequestHead): RequestLimits | undefined {
  const { grpcTimeout, retryPolicy } = action;
  if (grpcTimeout === undefined || !isGrpcRequest(head)) return undefined;
  return boundPerTry({
    timeoutMs: boundGrpcTimeout(head.headers.get("grpc-timeout"), grpcTimeout),
    perTryTimeoutMs: retryPolicy?.perTryTimeoutMs ?? 0,
    retryPolicy,
    answersTimeoutWith204: false,
    tellsGrpc: true,
  });
}

/** They are the same for all requests of a route. */
function routeLimits(action: ClusterAction): RequestLimits {
  const known = LIMITS_BY_ACTION.get(action);
  if (known !== undefined) return known;
  const limits = boundPerTry({
    timeoutMs: action.timeoutMs,
    perTryTimeoutMs: action.retryPolicy?.perTryTimeoutMs ?? 0,
    retryPolicy: action.retryPolicy,
    answersTimeoutWith204: false,
    tellsGrpc: false,
  });
  LIMITS_BY_ACTION.set(action, limits);
  return limits;
}

/** An attempt that may last as long as all of them needs no bound of its own. */
function boundPerTry(limits: RequestLimits): RequestLimits {
  const { timeoutMs, perTryTimeoutMs } = limits;
  if (timeoutMs === 0 || perTryTimeoutMs < timeoutMs) return limits;
  return { ...limits, perTryTimeoutMs: 0 };
}

/** Headers about retries end here, as they tell only this router what to do. */
const RETRY_HEADERS = [
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-retriable-header-names",
  "x-envoy-retriable-status-codes",
  "x-envoy-hedge-on-per-try-timeout",
];

/** The limits of a route, changed by what the request itself asks for (Envoy, "Router headers"). */
function takeLimitHeaders(given: RequestLimits, headers: HeaderList): RequestLimits {
  const answersTimeoutWith204 =
    take(headers, "x-envoy-upstream-rq-timeout-alt-response") !== undefined;
  const timeoutMs = wholeNumber(take(headers, "x-envoy-upstream-rq-timeout-ms"));
  const perTryTimeoutMs = wholeNumber(take(headers, "x-envoy-upstream-rq-per-try-timeout-ms"));
  const [on, grpcOn, max, headerNames, statuses] = RETRY_HEADERS.map((name) => take(headers, name));
  const asksRetries = on !== undefined || grpcOn !== undefined || given.retryPolicy !== undefined;
  return boundPerTry({
    timeoutMs: timeoutMs ?? given.timeoutMs,
    perTryTimeoutMs: perTryTimeoutMs ?? given.perTryTimeoutMs,
    answersTimeoutWith204,
    tellsGrpc: given.tellsGrpc,
    retryPolicy: asksRetries
      ? extendRetryPolicy(given.retryPolicy, {
          conditions: [...words(on), ...words(grpcOn)],
          statuses: words(statuses).map(Number).filter(Number.isSafeInteger),
          headerNames: words(headerNames).map((name) => name.toLowerCase()),
          retriesMax: wholeNumber(max),
        })
      : undefined,
  });
}

function take(headers: HeaderList, name: string): string | undefined {
  const value = headers.get(name);
  if (value !== undefined) headers.remove(name);
  return value;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function words(list: string | undefined): string[] {
  return (list ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
