/**
 * Every response flag: the short name that access logs print and the long one, in the order in
 * which Envoy prints several (its documentation, "RESPONSE_FLAGS").
 */
const LONG_NAMES = {
  LH: "FailedLocalHealthCheck",
  UH: "NoHealthyUpstream",
  UT: "UpstreamRequestTimeout",
  LR: "LocalReset",
  UR: "UpstreamRemoteReset",
  UF: "UpstreamConnectionFailure",
  UC: "UpstreamConnectionTermination",
  UO: "UpstreamOverflow",
  NR: "NoRouteFound",
  DI: "DelayInjected",
  FI: "FaultInjected",
  RL: "RateLimited",
  UAEX: "UnauthorizedExternalService",
  RLSE: "RateLimitServiceError",
  DC: "DownstreamConnectionTermination",
  URX: "UpstreamRetryLimitExceeded",
  SI: "StreamIdleTimeout",
  IH: "InvalidEnvoyRequestHeaders",
  DPE: "DownstreamProtocolError",
  UMSDR: "UpstreamMaxStreamDurationReached",
  RFCF: "ResponseFromCacheFilter",
  NFCF: "NoFilterConfigFound",
  DT: "DurationTimeout",
  UPE: "UpstreamProtocolError",
  NC: "NoClusterFound",
  OM: "OverloadManagerTerminated",
  DF: "DnsResolutionFailed",
  DO: "DropOverload",
  DR: "DownstreamRemoteReset",
  UDO: "UnconditionalDropOverload",
} as const;

/** A flag by its short name. */
export type ResponseFlag = keyof typeof LONG_NAMES;

/** Joins flags, each at most once, in the order in which they were set. Either may be "" or several. */
export function joinFlags(flags: string, more: string): string {
  if (flags === "") return more;
  if (more === "") return flags;
  return [...new Set(`${flags},${more}`.split(","))].join(",");
}

/** The long names of flags that are joined by commas. */
export function longFlags(flags: string): string {
  if (flags === "") return "";
  return flags
    .split(",")
    .map((flag) => LONG_NAMES[flag as ResponseFlag] ?? flag)
    .join(",");
}
