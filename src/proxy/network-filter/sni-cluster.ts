import type { PassingFilterConfig } from "./network-filter.ts";

/** Sends a connection to the cluster that has the name in its ClientHello, if it named one. */
export const SNI_CLUSTER: PassingFilterConfig = {
  isTerminal: false,
  create: () => (socket) => ({
    onNewConnection() {
      const { connection } = socket;
      if (connection.serverName !== "") connection.cluster = connection.serverName;
      return true;
    },
  }),
};
