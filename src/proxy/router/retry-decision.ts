import type { RetryPolicy } from "../../match/retry-policy.ts";
import { canonicalText } from "../../match/subset-criteria.ts";
import type { Metadata } from "../cluster/cluster-config.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import type { ResponseHead } from "../http/message-head.ts";

/** Methods that may be sent again although the upstream may have seen them (RFC 9110 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "TRACE",
]);

/** Whether a response is one to try again (Envoy, `x-envoy-retry-on`). */
export function isRetriableResponse(policy: RetryPolicy, head: ResponseHead): boolean {
  const { headers } = head;
  // Who is over its limit is left alone unless told otherwise.
  if (headers.has("x-envoy-ratelimited")) return policy.onRateLimited;
  if (policy.onStatus(head.status)) return true;
  if (policy.onHeaders.some((matches) => matches(head))) return true;
  if (policy.onGrpcStatus.size === 0) return false;
  const status = headers.get("grpc-status");
  return status !== undefined && policy.onGrpcStatus.has(status);
}

/** Whether an attempt that ended without a response is one to try again. */
export function isRetriableReset(
  policy: RetryPolicy,
  reason: ResetReason,
  attempt: { readonly method: string; readonly isReused: boolean; readonly isSent: boolean },
): boolean {
  switch (reason) {
    case RESET.overflow:
      return false;
    case RESET.connectFailure:
    case RESET.connectTimeout:
      return policy.onConnectFailure || policy.onReset || policy.onResetBeforeRequest;
    case RESET.termination:
      if (policy.onReset) return true;
      // A kept connection that its peer closed just now is no better than one that could not be
      // made, as long as sending the request twice does no harm.
      return (
        attempt.isReused &&
        (policy.onConnectFailure || policy.onResetBeforeRequest) &&
        IDEMPOTENT.has(attempt.method)
      );
    case RESET.refused:
      return policy.onReset || policy.onRefusedStream;
    case RESET.local:
    case RESET.remote:
    case RESET.connect:
    case RESET.protocol:
    case RESET.maxDuration:
      return policy.onReset;
  }
}

/** Whether the policy's predicates keep a retry from a host, by what its metadata says. */
export function omitsHost(policy: RetryPolicy, metadata: Metadata): boolean {
  const values = metadata["envoy.lb"] ?? {};
  if (policy.omitsCanaries && values["canary"] === true) return true;
  return policy.omitsHosts.some((criteria) =>
    criteria.every(({ key, value }) => {
      const given = values[key];
      return given !== undefined && canonicalText(given) === value;
    }),
  );
}

/** How long a retry waits, in milliseconds. */
interface RetryWait {
  readonly ms: number;
  /** Whether the response asked for it. */
  readonly isAsked: boolean;
}

/** How long to wait before a retry. `draw` is between 0 and 1. */
export function waitBeforeRetry(
  policy: RetryPolicy,
  retry: number,
  response: ResponseHead | undefined,
  draw: number,
  wallMs: number,
): RetryWait {
  const asked = response && askedWaitMs(policy, response, wallMs);
  // Some more than asked for, so that not all come back at the same moment.
  if (asked !== undefined) return { ms: asked * (1 + draw / 2), isAsked: true };
  // What Envoy does; its documentation says that the window of retry n is 2^n - 1 times the base.
  const windowMs = Math.min(policy.backOffMs * 2 ** (retry - 1), policy.backOffMsMax);
  return { ms: windowMs * draw, isAsked: false };
}

/** What a reset header of the response asks for; `undefined` when none does. */
function askedWaitMs(
  policy: RetryPolicy,
  { headers }: ResponseHead,
  wallMs: number,
): number | undefined {
  for (const { name, format } of policy.resetHeaders) {
    const value = headers.get(name);
    if (value === undefined || !/^\d{1,15}$/.test(value)) continue;
    const waitMs = format === "SECONDS" ? Number(value) * 1000 : Number(value) * 1000 - wallMs;
    if (waitMs > 0 && waitMs <= policy.resetMsMax) return waitMs;
  }
  return undefined;
}
