import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { suggest } from "../../base/suggest.ts";

/** Istio takes the names of protocols in any letter case. */
const HTTP_PROTOCOLS = ["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTP_PROXY"];
const TLS_PROTOCOLS = ["HTTPS", "TLS"];
const TCP_PROTOCOLS = ["TCP", "MONGO", "REDIS", "MYSQL"];
const OTHER_PROTOCOLS = ["UDP", "HBONE"];
const PROTOCOLS = [...HTTP_PROTOCOLS, ...TLS_PROTOCOLS, ...TCP_PROTOCOLS, ...OTHER_PROTOCOLS];

/** Whether requests can be told apart in it: HTTP that is not inside of TLS. */
export function isHttpProtocol(protocol = ""): boolean {
  return HTTP_PROTOCOLS.includes(protocol.toUpperCase());
}

/** Whether connections begin with TLS. */
export function isTlsProtocol(protocol = ""): boolean {
  return TLS_PROTOCOLS.includes(protocol.toUpperCase());
}

/** A protocol by its name; an empty one is allowed where it may be detected. */
export function checkProtocol(protocol: string, path: string): readonly Issue[] {
  const name = protocol.toUpperCase();
  if (PROTOCOLS.includes(name)) return [];
  const meant = suggest(name, PROTOCOLS);
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  return [{ path, message: `must be one of ${PROTOCOLS.join(", ")}: got "${protocol}"${hint}` }];
}

/** The number of a port that must be one: 1 to 65535. */
export function checkPortNumber(number: number, path: string): readonly Issue[] {
  if (Number.isInteger(number) && number >= 1 && number <= 65_535) return [];
  return [{ path, message: `must be between 1 and 65535: got ${number}` }];
}

/** The name of a service's port: a DNS label, upper case allowed. */
export function checkPortName(name: string, path: string): readonly Issue[] {
  if (name.length <= 63 && /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(name)) return [];
  return [{ path, message: `must be a DNS label: got "${name}"` }];
}

const UNIX_PREFIX = "unix://";
/** What fits into `sun_path` of Linux, without the zero byte at its end. */
const UNIX_PATH_BYTES_MAX = 107;

/** Whether an address is written as a unix domain socket. */
export function isUnixAddress(address: string): boolean {
  return address.startsWith(UNIX_PREFIX);
}

/** `unix:///path` or, for an abstract socket, `unix://@name`. */
export function checkUnixAddress(address: string, path: string): readonly Issue[] {
  const socket = address.slice(UNIX_PREFIX.length);
  const bytes = Buffer.byteLength(socket);
  if (bytes > UNIX_PATH_BYTES_MAX) {
    const message = `must have a path of at most ${UNIX_PATH_BYTES_MAX} bytes: got ${bytes}`;
    return [{ path, message }];
  }
  if (socket.startsWith("@") && socket.length > 1) return [];
  if (socket.startsWith("/") && !socket.endsWith("/")) return [];
  const message = `must be unix:// and the absolute path of a file, or "@" and a name: got "${address}"`;
  return [{ path, message }];
}

/** The socket of an endpoint, which not every proxy can connect to. */
export function checkUnixEndpoint(address: string, path: string): readonly Issue[] {
  const issues = checkUnixAddress(address, path);
  if (issues.length > 0 || !address.startsWith(`${UNIX_PREFIX}@`)) return issues;
  const message = "is an abstract socket: Envoy takes it, weft's own proxy refuses it; name a file";
  return [{ path, message, severity: "warning" }];
}

/** An IPv4 or IPv6 address. */
export function checkIpAddress(address: string, path: string): readonly Issue[] {
  if (isIP(address) !== 0 && !address.includes("%")) return [];
  return [{ path, message: `must be an IP address: got "${address}"` }];
}

/** An address, or a block of them in CIDR notation. */
export function checkSubnet(subnet: string, path: string): readonly Issue[] {
  const slash = subnet.indexOf("/");
  if (slash === -1) return checkIpAddress(subnet, path);
  const address = subnet.slice(0, slash);
  const length = subnet.slice(slash + 1);
  const bits = isIP(address) === 4 ? 32 : 128;
  const isBlock =
    isIP(address) !== 0 &&
    !address.includes("%") &&
    /^(0|[1-9]\d{0,2})$/.test(length) &&
    Number(length) <= bits;
  if (isBlock) return [];
  return [{ path, message: `must be an IP address or a block like "10.0.0.0/8": got "${subnet}"` }];
}
