import type { TerminalFilterConfig } from "./network-filter.ts";

/** What a chain without filters does, as in Envoy: it closes every connection. */
export const CLOSE: TerminalFilterConfig = {
  isTerminal: true,
  http: undefined,
  create: () => ({
    service: undefined,
    open(_connection, adopt, onEnd) {
      const opened = {
        onBytes: () => undefined,
        onEnd: () => undefined,
        onDrain: () => undefined,
        onClose: () => onEnd(opened),
        closeIfIdle: () => undefined,
        destroy: () => socket.destroy(),
      };
      const socket = adopt(opened);
      socket.destroy();
      return opened;
    },
  }),
};
