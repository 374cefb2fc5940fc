import type { NetConnectOpts, Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import type { TlsInfo } from "../../match/connection-info.ts";
import type { ReadBuffer, SocketOwner } from "./socket.ts";

/** What connecting needs from outside. */
export interface DialDeps {
  readonly clock: Clock;
  readonly readBuffer: ReadBuffer;
}

/** A connection that is being made: it ends with `onConnect`, or with the owner's `onClose`. */
export interface Dialing {
  /** Gives it up; the owner's `onClose` follows. */
  destroy(): unknown;
}

/** Called once, when the socket can be written to. */
export type OnConnect = (socket: Socket, tls?: TlsInfo) => void;

/** Connects to one address. */
export type DialAddress = (to: NetConnectOpts, owner: SocketOwner, onConnect: OnConnect) => Dialing;
