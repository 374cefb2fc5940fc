import type { Host } from "../cluster/host.ts";
import type { OutlierMonitor } from "../health/outlier-monitor.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import { isGrpcRequest } from "../http/local-reply-head.ts";
import type { RequestHead, ResponseHead } from "../http/message-head.ts";

/** Tells outlier detection, where there is any, what a host answered. */
export function judgeResponse(
  host: Host | undefined,
  request: RequestHead,
  response: ResponseHead,
): void {
  const outlier = host?.outlier;
  if (outlier === undefined) return;
  judgeAnswer(outlier, response, isGrpcRequest(request));
}

/** Tells what a host answered to a request, of gRPC or not. */
export function judgeAnswer(
  outlier: OutlierMonitor,
  response: ResponseHead,
  isGrpc: boolean,
): void {
  const status = judgedStatus(response, isGrpc);
  outlier.onStatus(status);
  if (!outlier.heedsDegraded || (status >= 500 && status < 600)) return;
  if (response.headers.has("x-envoy-degraded")) outlier.onDegraded();
}

/** Tells it that an exchange broke off; what the proxy itself ended is not the host's doing. */
export function judgeReset(host: Host | undefined, reason: ResetReason): void {
  if (reason === RESET.overflow || reason === RESET.maxDuration) return;
  host?.outlier?.onUnreachable();
}

/** HTTP statuses by gRPC's (google.rpc.Code); any other is an error. */
const OF_GRPC = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];
const INTERNAL = 500;

/**
 * The HTTP status that says how the host did: of gRPC that of the call, where the head has it. What
 * comes in trailers comes too late, as in Envoy.
 */
function judgedStatus(response: ResponseHead, isGrpc: boolean): number {
  if (!isGrpc) return response.status;
  const grpcStatus = response.headers.first("grpc-status");
  if (grpcStatus === undefined || grpcStatus === "") return response.status;
  return /^\d+$/.test(grpcStatus) ? (OF_GRPC[Number(grpcStatus)] ?? INTERNAL) : INTERNAL;
}
