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

/** A bit for each flag, the first one in Envoy's order being the lowest. */
export function flagBits(flags: string): number {
  if (flags === "") return 0;
  return flags.split(",").reduce((bits, flag) => {
    const at = ORDER.indexOf(flag);
    return at === -1 ? bits : bits + 2 ** at;
  }, 0);
}

const ORDER: readonly string[] = Object.keys(LONG_NAMES);

/** The long names of flags that are joined by commas. */
export function longFlags(flags: string): string {
  if (flags === "") return "";
  return flags
    .split(",")
    .map((flag) => LONG_NAMES[flag as ResponseFlag] ?? flag)
    .join(",");
}
