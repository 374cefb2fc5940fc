import { ConnectionGate, type ConnectionRateConfig } from "../rate-limit/connection-gate.ts";
import type { PassingFilter, PassingFilterConfig } from "./network-filter.ts";

/** Closes connections of one chain that come too often. */
export function localRateLimit(config: ConnectionRateConfig): PassingFilterConfig {
  return {
    isTerminal: false,
    create({ context }) {
      const gate = new ConnectionGate(config, `local_rate_limit.${config.statPrefix}`, context);
      return (socket) =>
        ({
          onNewConnection() {
            if (gate.passes()) return true;
            // Envoy's flag for it is that of retries, whatever the reason.
            socket.connection.flag = "URX";
            socket.destroy();
            return false;
          },
        }) satisfies PassingFilter;
    },
  };
}
