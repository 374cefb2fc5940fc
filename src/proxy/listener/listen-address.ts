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

/** Binds an address and accepts; rejects with a message that names it. */
export async function bindAddress(
  address: ListenAddress,
  backlog: number,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
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
