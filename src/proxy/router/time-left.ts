import { formatGrpcTimeout } from "../../match/grpc-timeout.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { RequestLimits } from "./request-limits.ts";

/** Where a request stands when one of its attempts begins. */
interface Progress {
  readonly attempts: number;
  /** Whether the request is whole, so that its time is running. */
  readonly isRequestDone: boolean;
  /** What knows how long that is. */
  readonly timers: { readonly goneMs: number };
}

/** Tells the upstream, in the headers of one attempt, how long it may take; nothing without bound. */
export function tellTimeLeft(
  headers: HeaderList,
  limits: RequestLimits,
  progress: Progress,
  tellsEnvoy: boolean,
): void {
  if (!tellsEnvoy && !limits.tellsGrpc) return;
  const leftMs = expectedMs(limits, progress);
  if (leftMs === 0) return;
  if (tellsEnvoy) headers.set("x-envoy-expected-rq-timeout-ms", String(leftMs));
  if (limits.tellsGrpc) headers.set("grpc-timeout", formatGrpcTimeout(leftMs));
}

/** What is left for this attempt; 0 when there is no bound. */
function expectedMs(
  { timeoutMs, perTryTimeoutMs }: RequestLimits,
  { attempts, isRequestDone, timers }: Progress,
): number {
  const wholeMs = perTryTimeoutMs === 0 ? timeoutMs : perTryTimeoutMs;
  if (attempts <= 1 || timeoutMs === 0 || !isRequestDone) return wholeMs;
  // The clock is asked for later attempts only.
  const { goneMs } = timers;
  // Zero would mean that there is no bound at all.
  return goneMs >= timeoutMs ? 1 : Math.min(wholeMs, timeoutMs - goneMs);
}
