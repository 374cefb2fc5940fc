import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { ListenerFilterConfig } from "./listener-filter.ts";

/**
 * Makes the filter by which connections to hosts come from the client's own address, as listener
 * filters before it found it; the system must bring what is sent there back here. Their packets have
 * the mark, where it is not 0.
 */
export function createOriginalSrc(mark: number): ListenerFilterConfig {
  return {
    create: () => ({
      needsBytes: false,
      inspect(connection) {
        const { address } = connection.remote;
        if (isIPv4(address) || isIPv6(address)) connection.originalSource = { address, mark };
        return 0;
      },
    }),
  };
}
