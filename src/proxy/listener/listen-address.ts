import { linkSync, renameSync } from "node:fs";
import { chmod, unlink } from "node:fs/promises";
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import { formatHostPort } from "../../base/ip.ts";

/** What a listener is bound to. */
export type ListenAddress =
  | {
      readonly host: string;
      readonly port: number;
      /** Whether an IPv6 address takes IPv4 clients as well. */
      readonly takesIpv4: boolean;
    }
  | {
      /** Of a Unix socket. */
      readonly path: string;
      /** Its file mode; 0 leaves what the process has. */
      readonly mode: number;
    };

/** As Envoy writes it: `address:port`, or the path of a Unix socket. */
export function formatListenAddress(address: ListenAddress): string {
  return "path" in address ? address.path : formatHostPort(address.host, address.port);
}

/** What the system says, in the words of the C library, which Envoy uses. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  EADDRINUSE: "Address already in use",
  EADDRNOTAVAIL: "Cannot assign requested address",
  ENOENT: "No such file or directory",
};

/** Where listening sockets come from. */
export interface SocketSource {
  /** Opens an address and accepts; rejects with a message that names it. */
  open(
    address: ListenAddress,
    backlog: number,
    onConnection: (socket: Socket) => void,
  ): Promise<Server>;
  /** Whether another process holds it open, so that it need not be bound. */
  isHeld(address: ListenAddress): boolean;
}

/** The system alone. */
export const OWN_SOCKETS: SocketSource = { open: bindAddress, isHeld: () => false };

const OPTIONS = { pauseOnConnect: true, allowHalfOpen: true, noDelay: true };

/** Makes a listening socket that came from another process one of this one's. */
export function adoptServer(
  server: Server,
  backlog: number,
  onConnection: (socket: Socket) => void,
): Server {
  // Node has made it without a word from us, and with a backlog of its own.
  const { _handle: handle } = Object.assign(server, OPTIONS) as Server & {
    _handle?: { listen(backlog: number): number } | null;
  };
  handle?.listen(backlog);
  server.on("connection", onConnection);
  server.on("error", () => undefined);
  return server;
}

/** Closes a Unix socket that another process goes on with: libuv would take its path away. */
export function closeKeepingPath(server: Server, path: string): void {
  const kept = `${path}.${process.pid}`;
  try {
    linkSync(path, kept);
    server.close();
    renameSync(kept, path);
  } catch {
    // Somebody has taken the path away already.
    server.close();
  }
}

/** Binds an address and accepts; rejects with a message that names it. */
export async function bindAddress(
  address: ListenAddress,
  backlog: number,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer(OPTIONS);
  server.on("connection", onConnection);
  try {
    if ("path" in address) await removeStale(address.path);
    await listen(server, address, backlog);
    if ("path" in address && address.mode !== 0) await chmod(address.path, address.mode);
  } catch (error) {
    server.close();
    const { code = "", message } = error as NodeJS.ErrnoException;
    const reason = REASONS[code] ?? message;
    throw new Error(`cannot bind '${formatListenAddress(address)}': ${reason}`, { cause: error });
  }
  return server;
}

/** As Envoy does: what is left of a process that ended must not stand in the way. */
async function removeStale(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

function listen(server: Server, address: ListenAddress, backlog: number): Promise<void> {
  const where =
    "path" in address
      ? { path: address.path }
      : {
          host: address.host,
          port: address.port,
          ipv6Only: isIPv6(address.host) && !address.takesIpv4,
        };
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...where, backlog }, () => {
      server.off("error", reject);
      // Too many open files: the next accept may succeed again.
      server.on("error", () => undefined);
      resolve();
    });
  });
}
