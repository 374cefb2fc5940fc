import { ConnectionGate, type ConnectionRateConfig } from "../rate-limit/connection-gate.ts";
import { INSPECT, type ListenerFilterConfig } from "./listener-filter.ts";

/** Closes connections of a listener that come too often, before anybody looks at them. */
export function listenerRateLimit(config: ConnectionRateConfig): ListenerFilterConfig {
  return {
    create({ context }) {
      const prefix = `listener_local_ratelimit.${config.statPrefix}`;
      const gate = new ConnectionGate(config, prefix, context);
      return { needsBytes: false, inspect: () => (gate.passes() ? 0 : INSPECT.close) };
    },
  };
}
