import { type NetConnectOpts, Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import { isIPv6 } from "../../base/ip.ts";
import type { OriginalSource } from "../../match/connection-info.ts";
import { loadCLibrary } from "./c-library.ts";
import { ipv4Bytes, ipv6Bytes } from "./ip-bytes.ts";

/** From Linux' headers: `socket.h`, `in.h`, `in6.h`. */
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_IP = 0;
const SOL_SOCKET = 1;
const SOL_IPV6 = 41;
const SO_MARK = 36;
const IP_TRANSPARENT = 19;
const IPV6_TRANSPARENT = 75;
const IP_BIND_ADDRESS_NO_PORT = 24;
const PROTOCOL_NOT_AVAILABLE = 92;

/** The system calls that Node does not offer for a socket before it is connected. */
interface SocketCalls {
  /** The descriptor, or -1. */
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly setOption: (fd: number, level: number, name: number, value: number) => number;
  readonly bind: (fd: number, address: Buffer) => number;
  readonly close: (fd: number) => number;
  readonly errno: () => number;
}

let calls: SocketCalls | undefined;

function loadCalls(): SocketCalls | undefined {
  if (calls !== undefined) return calls;
  const library = loadCLibrary();
  if (library === undefined) return undefined;
  const setOption = library.func(
    "int setsockopt(int fd, int level, int name, uint8_t *value, uint32_t length)",
  );
  const bind = library.func("int bind(int fd, uint8_t *address, uint32_t length)");
  calls = {
    socket: library.func("int socket(int family, int type, int protocol)"),
    setOption: (fd, level, name, value) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      return setOption(fd, level, name, bytes, bytes.length);
    },
    bind: (fd, address) => bind(fd, address, address.length),
    close: library.func("int close(int fd)"),
    errno: () => library.errno(),
  };
  return calls;
}

/** Why no socket may take another address here; `undefined` when it may. */
export function whyNotTransparent(): string | undefined {
  const system = loadCalls();
  if (system === undefined) return "takes Linux with koffi installed: npm install koffi";
  try {
    system.close(openBound(system, { address: "127.0.0.1", mark: 0 }));
    return undefined;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `takes the right to use other addresses (CAP_NET_ADMIN): ${cause}`;
  }
}

/**
 * Begins to connect from an address that need not be this machine's. Node can neither make such a
 * socket nor bind one that it did not make, but it connects a descriptor that is bound already.
 */
export function openTransparent(
  source: OriginalSource,
  to: NetConnectOpts,
  reading?: object,
): Socket {
  let fd: number;
  try {
    const system = loadCalls();
    if (system === undefined) throw new Error("koffi is not installed");
    fd = openBound(system, source);
  } catch (error) {
    return new Socket().destroy(error as Error);
  }
  // It is bound already.
  const remote = { ...to, localAddress: undefined, localPort: undefined };
  const socket = new Socket({
    ...remote,
    allowHalfOpen: true,
    noDelay: true,
    ...(reading === undefined ? {} : { onread: reading }),
    fd,
    readable: true,
    writable: true,
    manualStart: true,
  } as never);
  return socket.connect(remote as never);
}

/** A descriptor that is bound to the address; throws what the system says. */
function openBound(system: SocketCalls, { address, mark }: OriginalSource): number {
  const isV6 = isIPv6(address);
  const check = (what: string, result: number): number => {
    if (result !== -1) return result;
    throw systemError(what, system.errno());
  };
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check("socket", system.socket(isV6 ? AF_INET6 : AF_INET, type, 0));
  try {
    const [level, transparent] = isV6 ? [SOL_IPV6, IPV6_TRANSPARENT] : [SOL_IP, IP_TRANSPARENT];
    check("IP_TRANSPARENT", system.setOption(fd, level, transparent, 1));
    if (mark !== 0) check("SO_MARK", system.setOption(fd, SOL_SOCKET, SO_MARK, mark));
    // The port is chosen when it connects, among those that are free for that destination.
    const late = system.setOption(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (late === -1 && system.errno() !== PROTOCOL_NOT_AVAILABLE) check("bind", -1);
    check("bind", system.bind(fd, socketAddress(address, isV6)));
    return fd;
  } catch (error) {
    system.close(fd);
    throw error;
  }
}

function systemError(what: string, errno: number): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${what}: ${code}`), { code, syscall: what });
}

/** `struct sockaddr_in` or `sockaddr_in6`, without a port. */
function socketAddress(address: string, isV6: boolean): Buffer {
  const bytes = Buffer.alloc(isV6 ? 28 : 16);
  bytes.writeUInt16LE(isV6 ? AF_INET6 : AF_INET, 0);
  if (isV6) bytes.write(ipv6Bytes(address), 8, "latin1");
  else bytes.write(ipv4Bytes(address), 4, "latin1");
  return bytes;
}
