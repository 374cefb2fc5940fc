import { connect, type NetConnectOpts, Socket } from "node:net";
import type { PeerAddress } from "../../match/connection-info.ts";
import { type OnFault, RETHROW } from "../fault-log.ts";
import type { OnConnect } from "./dial.ts";

/**
 * One read of one socket: larger bodies come in pieces of this size. 64 KiB cost 40 to 100 % more CPU
 * for each MiB here, 16 KiB 50 %; 32 and 256 KiB lie in between (docs/performance.md).
 */
const READ_BUFFER_BYTES = 49_152;

/** What a connection is told by its socket. */
export interface SocketOwner {
  /** `buffer[0, length)` is valid during the call only: the next read of any socket overwrites it. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sends no more. */
  onEnd(): void;
  /** Nothing comes or goes any more; called once, also after `destroy`. */
  onClose(error: Error | undefined): void;
  /** What was written has left, after a write was told to wait. */
  onDrain(): void;
}

/**
 * The buffer that all sockets of one proxy read into. A read is used up within its callback, so
 * one buffer is enough, and no read allocates.
 */
export interface ReadBuffer {
  readonly bytes: Buffer;
  /** Told of what an owner has thrown, whose socket is destroyed then. */
  readonly onFault: OnFault;
}

/** Creates the one buffer that a proxy's sockets share. */
export function createReadBuffer(onFault: OnFault = RETHROW): ReadBuffer {
  return { bytes: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES), onFault };
}

/** An owner has thrown: its connection ends, and whoever waits for it hears of that end as of any other. */
function fail(socket: Socket, error: unknown, onFault: OnFault): void {
  onFault(error);
  socket.destroy(error instanceof Error ? error : new Error(String(error)));
}

/**
 * Takes an accepted socket, which must be paused, over into one that reads into the shared buffer.
 * Node offers `onread` for sockets it connects only, so the accepted one's handle changes hands;
 * where that is not possible its data events serve.
 */
export function adoptSocket(accepted: Socket, buffer: ReadBuffer, owner: SocketOwner): Socket {
  const bare = accepted as Socket & { _handle?: unknown };
  const handle = bare._handle;
  if (handle === undefined || handle === null) {
    accepted.on("data", (bytes: Buffer) => {
      try {
        owner.onBytes(bytes, bytes.length);
      } catch (error) {
        fail(accepted, error, buffer.onFault);
      }
    });
    watch(accepted, buffer, owner);
    return accepted;
  }
  // The accepted one must not close the handle it no longer owns; destroyed, it leaves the
  // server's count of connections, which waits for ours to become nothing before it closes.
  bare._handle = null;
  accepted.destroy();
  return adoptHandle(handle, buffer, owner);
}

/** A socket on a handle that has no other any more, reading into the shared buffer. */
export function adoptHandle(handle: object, buffer: ReadBuffer, owner: SocketOwner): Socket {
  const socket = new Socket({
    handle,
    onread: onRead(buffer, owner),
    allowHalfOpen: true,
  } as never);
  watch(socket, buffer, owner);
  socket.resume();
  return socket;
}

/** Connects; `onConnect` is called once when it succeeds, `onClose` of the owner otherwise. */
export function connectSocket(
  to: NetConnectOpts,
  buffer: ReadBuffer,
  owner: SocketOwner,
  onConnect: OnConnect,
  open: OpenSocket = openSocket,
): Socket {
  const socket = open(to, onRead(buffer, owner));
  socket.once("connect", () => {
    try {
      onConnect(socket);
    } catch (error) {
      fail(socket, error, buffer.onFault);
    }
  });
  watch(socket, buffer, owner);
  return socket;
}

/** Begins to connect, somehow. */
export type OpenSocket = (to: NetConnectOpts, reading?: object) => Socket;

/** Begins to connect; without `reading` what comes is told by data events. */
export function openSocket(to: NetConnectOpts, reading?: object): Socket {
  const more = reading === undefined ? {} : { onread: reading };
  return connect({ ...to, allowHalfOpen: true, noDelay: true, ...more } as never);
}

/** The options of a socket that reads into the shared buffer. */
export function onRead({ bytes: buffer, onFault }: ReadBuffer, owner: SocketOwner): object {
  return {
    buffer,
    callback(this: Socket, length: number, bytes: Buffer): boolean {
      try {
        owner.onBytes(bytes, length);
      } catch (error) {
        fail(this, error, onFault);
      }
      return true;
    },
  };
}

/** Tells the owner of a socket what happens to it. */
export function watch(socket: Socket, { onFault }: ReadBuffer, owner: SocketOwner): void {
  let cause: Error | undefined;
  socket.on("error", (error) => {
    cause = error;
  });
  socket.on("end", () => {
    try {
      owner.onEnd();
    } catch (error) {
      fail(socket, error, onFault);
    }
  });
  socket.on("drain", () => {
    try {
      owner.onDrain();
    } catch (error) {
      fail(socket, error, onFault);
    }
  });
  socket.on("close", () => {
    try {
      owner.onClose(cause);
    } catch (error) {
      onFault(error);
    }
  });
}

/** The socket's own end; `undefined` for a Unix socket, whose clients have no address. */
export function localAddressOf(socket: Socket): PeerAddress | undefined {
  const { localAddress, localPort } = socket;
  return localAddress === undefined ? undefined : { address: localAddress, port: localPort ?? 0 };
}

/** The other end of the socket; `undefined` for a Unix socket. */
export function remoteAddressOf(socket: Socket): PeerAddress | undefined {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined
    ? undefined
    : { address: remoteAddress, port: remotePort ?? 0 };
}

/** What Linux calls the ways in which a connection is not made. */
const CONNECT_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  ENOENT: "No such file or directory",
  ETIMEDOUT: "Connection timed out",
};

/** Why a connection was not made, as Envoy says it. */
export function describeConnectError(error: Error | undefined): string {
  if (error === undefined) return "";
  const { code = "" } = error as NodeJS.ErrnoException;
  return `delayed connect error: ${CONNECT_ERRORS[code] ?? error.message}`;
}
