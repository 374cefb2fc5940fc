import {
  type Address,
  AddressSchema,
  SocketAddress_Protocol,
  SocketAddressSchema,
} from "../../api/gen/envoy/config/core/v3/address_pb.js";
import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";

/** A host or IP address with a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Decodes a TCP socket address; `undefined` after an issue. */
export function decodeAddress(
  address: Address | undefined,
  path: string,
  issues: Issue[],
): HostPort | undefined {
  if (address === undefined) {
    issues.push({ path, message: "is missing" });
    return undefined;
  }
  const before = issues.length;
  issues.push(...refuseFields(AddressSchema, address, ["socket_address"], path));
  if (address.address.case !== "socketAddress") {
    if (issues.length === before) issues.push({ path, message: "has no socket_address" });
    return undefined;
  }
  const socket = address.address.value;
  const socketPath = joinPath(path, "socket_address");
  const handled = ["address", "port_value", "protocol", "ipv4_compat"];
  issues.push(...refuseFields(SocketAddressSchema, socket, handled, socketPath));
  if (socket.address === "") {
    issues.push({ path: joinPath(socketPath, "address"), message: "is empty" });
  }
  if (socket.protocol !== SocketAddress_Protocol.TCP) {
    issues.push({ path: joinPath(socketPath, "protocol"), message: "UDP is not supported yet" });
  }
  const port = socket.portSpecifier.case === "portValue" ? socket.portSpecifier.value : 0;
  if (port > 65_535) {
    issues.push({ path: joinPath(socketPath, "port_value"), message: `${port} is no port` });
  }
  return issues.length === before ? { host: socket.address, port } : undefined;
}

/** Only clusters resolve names: what is listened on must be an address. */
export function refuseName({ host }: HostPort, path: string, issues: Issue[]): void {
  if (isIPv4(host) || isIPv6(host)) return;
  issues.push({ path, message: `malformed IP address: ${host}` });
}
