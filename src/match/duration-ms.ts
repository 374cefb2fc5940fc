import type { Duration } from "@bufbuild/protobuf/wkt";

/** A protobuf duration in milliseconds; `undefined` where there is none. */
export function durationMs(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
