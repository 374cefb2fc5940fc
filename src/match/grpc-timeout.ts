/** Milliseconds, or how many of them one unit is short of. */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
/** Eight digits (gRPC over HTTP2, "Timeout"). */
const VALUE_MAX = 99_999_999;

/** Reads a `grpc-timeout` header, in whole milliseconds, rounded up; `undefined` for what is none. */
export function parseGrpcTimeout(text: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  const unit = UNITS[match?.[2] ?? ""];
  if (match === null || unit === undefined) return undefined;
  const value = Number(match[1]);
  return unit >= 1 ? value * unit : Math.ceil(value / Math.round(1 / unit));
}

/** Writes a `grpc-timeout` header, in the smallest unit of milliseconds or above that holds it. */
export function formatGrpcTimeout(ms: number): string {
  if (ms <= VALUE_MAX) return `${ms}m`;
  let value = Math.floor(ms / 1000);
  if (value <= VALUE_MAX) return `${value}S`;
  value = Math.floor(value / 60);
  if (value <= VALUE_MAX) return `${value}M`;
  return `${Math.min(VALUE_MAX, Math.floor(value / 60))}H`;
}

/** What a route says of the time that gRPC clients ask for. */
export interface GrpcTimeoutRule {
  /** The most that counts; 0 is no bound. */
  readonly maxMs: number;
  /** Taken from what is asked for, so that the proxy gives up before its client does. */
  readonly offsetMs: number;
}

/** How long a gRPC request may take for its route; 0 is without end. */
export function boundGrpcTimeout(header: string | undefined, rule: GrpcTimeoutRule): number {
  const asked = (header === undefined ? undefined : parseGrpcTimeout(header)) ?? 0;
  const left = rule.offsetMs < asked ? asked - rule.offsetMs : asked;
  return rule.maxMs !== 0 && (left === 0 || left > rule.maxMs) ? rule.maxMs : left;
}
