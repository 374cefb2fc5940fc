import {
  type Address,
  AddressSchema,
  type Pipe,
  PipeSchema,
  SocketAddress_Protocol,
  SocketAddressSchema,
} from "../../api/gen/envoy/config/core/v3/address_pb.js";
import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { ListenAddress } from "../listener/listen-address.ts";

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

/** Decodes what a listener is bound to: a TCP address, or a Unix socket; `undefined` after an issue. */
export function decodeListenAddress(
  address: Address | undefined,
  path: string,
  issues: Issue[],
): ListenAddress | undefined {
  if (address?.address.case === "pipe") {
    return decodePipe(address.address.value, joinPath(path, "pipe"), issues);
  }
  const decoded = decodeAddress(address, path, issues);
  if (decoded === undefined) return undefined;
  refuseName(decoded, path, issues);
  const takesIpv4 = address?.address.case === "socketAddress" && address.address.value.ipv4Compat;
  if (takesIpv4 && !isIPv6(decoded.host)) {
    issues.push({ path, message: `ipv4_compat is set, and ${decoded.host} is no IPv6 address` });
  }
  return { ...decoded, takesIpv4 };
}

/** Longer paths do not fit where the system keeps them (`unix(7)`). */
const PIPE_BYTES_MAX = 107;

function decodePipe(pipe: Pipe, path: string, issues: Issue[]): ListenAddress | undefined {
  const before = issues.length;
  issues.push(...refuseFields(PipeSchema, pipe, ["path", "mode"], path));
  if (pipe.path === "") issues.push({ path: joinPath(path, "path"), message: "is empty" });
  if (pipe.path.startsWith("@")) {
    const what = "abstract Unix sockets are not supported yet";
    issues.push({ path: joinPath(path, "path"), message: what });
  }
  if (Buffer.byteLength(pipe.path) > PIPE_BYTES_MAX) {
    const what = `Path "${pipe.path}" exceeds maximum UNIX domain socket path size of ${PIPE_BYTES_MAX + 1}.`;
    issues.push({ path: joinPath(path, "path"), message: what });
  }
  return issues.length === before ? { path: pipe.path, mode: pipe.mode } : undefined;
}

/** Only clusters resolve names: what is listened on must be an address. */
export function refuseName({ host }: HostPort, path: string, issues: Issue[]): void {
  if (isIPv4(host) || isIPv6(host)) return;
  issues.push({ path, message: `malformed IP address: ${host}` });
}
