import type { DnsCacheConfig } from "../cluster/cluster-config.ts";
import type { CancelWait } from "../dns-cache/dns-cache.ts";
import type { PassingFilterConfig } from "./network-filter.ts";

/**
 * Looks up the name in a connection's ClientHello for the dynamic forward proxy cluster that it goes
 * to, and holds the connection until that is known; one without a name passes. `port` is the
 * host's.
 */
export function sniDynamicForwardProxy(config: DnsCacheConfig, port: number): PassingFilterConfig {
  return {
    isTerminal: false,
    create({ context }) {
      const cache = context.dnsCaches.get(config);
      return (socket) => {
        let cancel: CancelWait | undefined;
        return {
          onNewConnection() {
            const { connection } = socket;
            if (connection.serverName === "") return true;
            connection.dynamicPort = port;
            const lookup = cache.load(connection.serverName, port);
            if (lookup.status === "ready") return true;
            if (lookup.status === "overflow") {
              socket.destroy();
              return false;
            }
            socket.hold();
            // Whether there is an address shows when a host is chosen.
            cancel = lookup.wait(() => {
              cancel = undefined;
              socket.continue();
            });
            return false;
          },
          onClose: () => cancel?.(),
        };
      };
    },
  };
}
