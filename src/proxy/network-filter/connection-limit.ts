import { isOn, type RuntimeFlag } from "../../match/runtime-reader.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import { shareOf } from "../process/share.ts";
import type { FilteredSocket, PassingFilter, PassingFilterConfig } from "./network-filter.ts";

/** A connection limit, decoded and checked. */
export interface ConnectionLimitConfig {
  readonly statPrefix: string;
  readonly connectionsMax: number;
  /** How long one too many is kept before it is closed. */
  readonly delayMs: number;
  /** `undefined`: always. */
  readonly enabled: RuntimeFlag | undefined;
}

const ZERO = { active_connections: 0, limited_connections: 0 };

/** Limits the connections of one chain that are open at the same time. */
export function connectionLimit(config: ConnectionLimitConfig): PassingFilterConfig {
  return {
    isTerminal: false,
    create({ context }) {
      const counters = context.counters.get(`connection_limit.${config.statPrefix}`, ZERO);
      const connectionsMax = shareOf(config.connectionsMax, context.processes);
      let open = 0;
      return (socket) => {
        const { enabled } = config;
        if (enabled !== undefined && !isOn(enabled, context.runtime)) return {};
        let isCounted = false;
        let waiting: Deadline | undefined;
        return {
          onNewConnection() {
            // Envoy's gauge counts those that are being refused, too.
            counters.active_connections++;
            if (open < connectionsMax) {
              open++;
              isCounted = true;
              return true;
            }
            counters.limited_connections++;
            waiting = closeAfter(socket, config.delayMs, context);
            return false;
          },
          onClose() {
            counters.active_connections--;
            waiting?.cancel();
            if (isCounted) open--;
          },
        } satisfies PassingFilter;
      };
    },
  };
}

function closeAfter(
  socket: FilteredSocket,
  delayMs: number,
  { deadlines, clock }: ProxyContext,
): Deadline | undefined {
  if (delayMs === 0) {
    socket.destroy();
    return undefined;
  }
  const deadline = new Deadline({ onDeadline: () => socket.destroy() });
  deadlines.set(deadline, delayMs, clock.monotonicMs());
  return deadline;
}
