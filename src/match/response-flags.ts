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

/** All of them, in Envoy's order. */
export const RESPONSE_FLAGS = Object.keys(LONG_NAMES) as readonly ResponseFlag[];

/** Joins flags, each at most once, in Envoy's order: `UF,URX`. Either may be "" or several. */
export function joinFlags(flags: string, more: string): string {
  if (flags === "") return more;
  if (more === "") return flags;
  const set = new Set(`${flags},${more}`.split(","));
  return RESPONSE_FLAGS.filter((flag) => set.has(flag)).join(",");
}

/** The long names of flags that are joined by commas. */
export function longFlags(flags: string): string {
  if (flags === "") return "";
  return flags
    .split(",")
    .map((flag) => LONG_NAMES[flag as ResponseFlag] ?? flag)
    .join(",");
}
