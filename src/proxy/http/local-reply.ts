import type { ResponseFlag } from "../../match/response-flags.ts";

/** A response that the proxy makes up itself, in Envoy's words. */
export interface LocalReply {
  readonly status: number;
  readonly body: string;
  readonly flag: ResponseFlag | "";
  /** Envoy's RESPONSE_CODE_DETAILS. */
  readonly details: string;
  /** Whether the connection ends with it. */
  readonly closes?: boolean;
  /** Of the body; `text/plain` when absent. */
  readonly contentType?: string;
  /** Further headers: name, value, name, value… */
  readonly headers?: readonly string[];
  /** What a client that speaks gRPC is told; without it that follows from the status. */
  readonly grpcStatus?: number;
  /** What the connection manager does to its local replies is not done to this one. */
  readonly isVerbatim?: true;
}

/** Why a stream to an upstream ended early, with Envoy's word for it. */
export const RESET = {
  connectFailure: "remote connection failure",
  connectTimeout: "connection timeout",
  termination: "connection termination",
  /** Of one stream among others: by this side, by the peer, by a peer that has not looked at it. */
  local: "local reset",
  remote: "remote reset",
  refused: "remote refused stream reset",
  /** The peer could not open a tunnel. */
  connect: "remote error with CONNECT request",
  protocol: "protocol error",
  overflow: "overflow",
  maxDuration: "upstream max stream duration reached",
} as const;
export type ResetReason = (typeof RESET)[keyof typeof RESET];

const FLAG_BY_RESET: Readonly<Record<ResetReason, ResponseFlag>> = {
  [RESET.connectFailure]: "UF",
  [RESET.connectTimeout]: "UF",
  [RESET.termination]: "UC",
  [RESET.local]: "LR",
  [RESET.remote]: "UR",
  [RESET.refused]: "UR",
  [RESET.connect]: "UR",
  [RESET.protocol]: "UPE",
  [RESET.overflow]: "UO",
  [RESET.maxDuration]: "UMSDR",
};

const MAX_DURATION_DETAILS = "upstream_max_stream_duration_reached";

/** To a stream that has thrown. */
export const FAILED: LocalReply = {
  status: 500,
  body: "Internal Server Error",
  flag: "",
  details: "internal_error",
  closes: true,
};

/** Too much is to be done already. */
export const DISPATCH_REFUSED: LocalReply = {
  status: 500,
  body: "Internal Server Error",
  flag: "DPE",
  details: "overload",
};
export const NO_PATH: LocalReply = {
  status: 404,
  body: "",
  flag: "",
  details: "absolute_path_rejected",
};
export const NO_ROUTE: LocalReply = {
  status: 404,
  body: "",
  flag: "NR",
  details: "route_not_found",
};
export const NO_HEALTHY_UPSTREAM: LocalReply = {
  status: 503,
  body: "no healthy upstream",
  flag: "UH",
  details: "no_healthy_upstream",
};
export const STREAM_IDLE: LocalReply = {
  status: 504,
  body: "stream timeout",
  flag: "SI",
  details: "stream_idle_timeout",
};
export const REQUEST_IDLE: LocalReply = {
  status: 408,
  body: "stream timeout",
  flag: "SI",
  details: "stream_idle_timeout",
};
export const STREAM_TOO_LONG: LocalReply = {
  status: 504,
  body: "downstream duration timeout",
  flag: "",
  details: "max_duration_timeout",
  // DEADLINE_EXCEEDED: a gRPC client asked for no more time.
  grpcStatus: 4,
};
export const REQUEST_TOO_LONG: LocalReply = { ...STREAM_TOO_LONG, status: 408 };
export const REQUEST_TOO_SLOW: LocalReply = {
  status: 408,
  body: "request timeout",
  flag: "",
  details: "request_overall_timeout",
};
export const REQUEST_TOO_LARGE: LocalReply = {
  status: 413,
  body: "Payload Too Large",
  flag: "",
  details: "request_payload_too_large",
};
/** A filter holds the head of a response whose body is more than may be kept. */
export const RESPONSE_TOO_LARGE: LocalReply = {
  status: 500,
  body: "Internal Server Error",
  flag: "",
  details: "response_payload_too_large",
};
export const UPGRADE_REFUSED: LocalReply = {
  status: 403,
  body: "",
  flag: "",
  details: "upgrade_failed",
};

/** The exchange took longer than the cluster allows, the request's own part of it perhaps. */
export function maxDurationReached(isRequestDone: boolean): LocalReply {
  return {
    status: isRequestDone ? 504 : 408,
    body: RESET.maxDuration,
    flag: FLAG_BY_RESET[RESET.maxDuration],
    details: MAX_DURATION_DETAILS,
  };
}

/** The response flag of an attempt that ended so. */
export function flagOfReset(reason: ResetReason): ResponseFlag {
  return FLAG_BY_RESET[reason];
}

/** A response that had begun broke off: how access logs call it, and what is said in its place. */
export function brokenOff(reason: ResetReason): LocalReply {
  if (reason === RESET.maxDuration) return maxDurationReached(true);
  const reply = upstreamReset(reason, { isRetried: false, transportFailure: "" });
  return { ...reply, details: reply.details.replace("before", "after") };
}

/** A header that the route adds to the request has a value that would end its line. */
export function invalidHeaderValue(name: string): LocalReply {
  const details = `filter_removed_required_request_headers{invalid_header_value_for:_${name}}`;
  return { status: 503, body: `invalid header value for: ${name}`, flag: "DPE", details };
}

/** The cluster that a route names is not there; `details` where more is known of it. */
export function clusterNotFound(status: number, details = "cluster_not_found"): LocalReply {
  return { status, body: "", flag: "NC", details };
}

/**
 * The upstream failed before it sent anything of a response, perhaps not for the first time; what
 * TLS or the system said of it stands in the details only.
 */
export function upstreamReset(
  reason: ResetReason,
  { isRetried, transportFailure }: { isRetried: boolean; transportFailure: string },
): LocalReply {
  const cause = transportFailure === "" ? reason : `${reason}|${transportFailure}`;
  const which = isRetried ? "retried and the latest reset reason" : "reset reason";
  return {
    // What an upstream says wrongly is a bad gateway, what it cannot say an unavailable service.
    status: reason === RESET.protocol ? 502 : 503,
    body: `upstream connect error or disconnect/reset before headers. ${which}: ${reason}`,
    flag: FLAG_BY_RESET[reason],
    details: `upstream_reset_before_response_started{${cause.replaceAll(" ", "_")}}`,
    ...(reason === RESET.overflow ? { headers: ["x-envoy-overloaded", "true"] } : {}),
  };
}
