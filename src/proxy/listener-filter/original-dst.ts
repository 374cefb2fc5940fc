import type { Socket } from "node:net";
import type { PeerAddress } from "../../match/connection-info.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import { loadCLibrary } from "../net/c-library.ts";
import type { ListenerFilterConfig } from "./listener-filter.ts";
import { formatIpv6 } from "./proxy-header.ts";

/** The C function (`getsockopt(2)`): 0 when it filled `value` and its `length`. */
type GetSocketOption = (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  length: [number],
) => number;

/** From `linux/netfilter_ipv4.h` and `linux/netfilter_ipv6/ip6_tables.h`. */
const SOL_IP = 0;
const SOL_IPV6 = 41;
const ORIGINAL_DST = 80;
/** The size of the larger address, `struct sockaddr_in6`. */
const ADDRESS_BYTES = 28;

/**
 * Makes the filter that restores where a client wanted to go before the system's NAT sent it here.
 * Node cannot ask the system for that, so it takes koffi, which calls C functions; `undefined`
 * where koffi is not installed, or the system is not Linux.
 */
export function createOriginalDst(): ListenerFilterConfig | undefined {
  const getSocketOption = loadGetSocketOption();
  if (getSocketOption === undefined) return undefined;
  return {
    create: () => ({
      needsBytes: false,
      inspect(connection) {
        const wanted = originalDestination(connection, getSocketOption);
        // Without NAT it is where the client came.
        const { address, port } = connection.local;
        if (wanted !== undefined && (wanted.address !== address || wanted.port !== port)) {
          connection.local = wanted;
        }
        return 0;
      },
    }),
  };
}

function loadGetSocketOption(): GetSocketOption | undefined {
  return loadCLibrary()?.func(
    "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
  );
}

function originalDestination(
  { socket, local }: AcceptedConnection,
  getSocketOption: GetSocketOption,
): PeerAddress | undefined {
  const { _handle: handle } = socket as Socket & { _handle?: { readonly fd: number } | null };
  if (handle === undefined || handle === null) return undefined;
  const isIpv6 = local.address.includes(":");
  const value = Buffer.alloc(ADDRESS_BYTES);
  const level = isIpv6 ? SOL_IPV6 : SOL_IP;
  if (getSocketOption(handle.fd, level, ORIGINAL_DST, value, [ADDRESS_BYTES]) !== 0) {
    return undefined;
  }
  const port = value.readUInt16BE(2);
  return {
    address: isIpv6 ? formatIpv6(value.subarray(8, 24)) : value.subarray(4, 8).join("."),
    port,
  };
}
