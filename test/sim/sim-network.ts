import type { NetConnectOpts, Socket } from "node:net";
import type { OnConnect } from "../../src/proxy/net/dial.ts";
import type { ReadBuffer, SocketOwner } from "../../src/proxy/net/socket.ts";
import { connectionError, SimSocket, type SimWires } from "./sim-socket.ts";
import type { SimUpstream } from "./sim-upstream.ts";

/** The servers of one world, by port. */
export interface SimNetwork {
  readonly wires: SimWires;
  readonly upstreams: ReadonlyMap<number, SimUpstream>;
  /** Somebody is about to connect. */
  readonly onConnect?: (owner: SocketOwner) => void;
}

const CONNECT_MS = 0.4;

/** The world that runs now: worlds run one after the other. */
let current: SimNetwork | undefined;

/** What connects from now on finds these servers. */
export function enterNetwork(network: SimNetwork | undefined): void {
  current = network;
}

/** Stands in for the proxy's own way to connect. */
export function connectNow(
  to: NetConnectOpts,
  { bytes: buffer }: ReadBuffer,
  owner: SocketOwner,
  onConnect: OnConnect,
): Socket {
  if (current === undefined) throw new Error("nothing is simulated now");
  const { wires, upstreams } = current;
  current.onConnect?.(owner);
  const socket = new SimSocket(wires, buffer, true);
  const upstream = "port" in to ? upstreams.get(Number(to.port)) : undefined;
  wires.clock.setTimer(CONNECT_MS, () => {
    if (socket.destroyed) return;
    const door = upstream === undefined ? "refuses" : (upstream.behaviour.door ?? "open");
    if (upstream === undefined || door === "refuses") {
      socket.destroy(connectionError("ECONNREFUSED"));
    } else if (door === "open") {
      socket.attach(upstream.accept(socket));
      socket.connecting = false;
      onConnect(socket.asSocket());
    }
  });
  return socket.own(owner);
}
