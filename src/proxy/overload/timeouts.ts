import type { DeadlineSetter } from "../net/deadlines.ts";
import type { TimeoutKind } from "./overload-config.ts";
import type { OverloadManager } from "./overload-manager.ts";

/** The deadlines of each kind: `others` for those that no overload manager makes shorter. */
export function timeoutsOf(
  overload: OverloadManager | undefined,
  others: DeadlineSetter,
): Readonly<Record<TimeoutKind, DeadlineSetter>> {
  const of = (kind: TimeoutKind): DeadlineSetter => overload?.timeouts(kind) ?? others;
  return {
    connectionIdle: of("connectionIdle"),
    streamIdle: of("streamIdle"),
    transportConnect: of("transportConnect"),
  };
}
