import type { Socket } from "node:net";
import type { Listener } from "../listener/listener.ts";
import type { OverloadManager } from "./overload-manager.ts";

/** A bound address, and the listener that has its connections now. */
interface AcceptingSocket {
  readonly owner: Listener;
}

/** Lets new connections in, turns them away or keeps them waiting, as the overload manager says. */
export class AcceptGate {
  readonly #overload: OverloadManager;
  /** In the order in which they came; nobody reads them, as if they waited in the system. */
  #held: { readonly at: AcceptingSocket; readonly socket: Socket }[] = [];

  constructor(overload: OverloadManager) {
    this.#overload = overload;
    overload.onAccepting = () => {
      if (overload.isAccepting) this.#admitHeld();
    };
  }

  accept(at: AcceptingSocket, socket: Socket): void {
    const { bypassesOverload } = at.owner.config;
    if (bypassesOverload || this.#overload.isAccepting) this.#admit(at.owner, socket);
    else this.#hold(at, socket);
  }

  /** No more than the system itself would keep. */
  #hold(at: AcceptingSocket, socket: Socket): void {
    const own = this.#held.filter((one) => one.at === at).length;
    if (own >= at.owner.config.backlog) {
      socket.destroy();
      return;
    }
    // Its client may break it off meanwhile.
    socket.on("error", ignore);
    this.#held.push({ at, socket });
  }

  #admitHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const { at, socket } of held) {
      socket.off("error", ignore);
      if (!socket.destroyed) this.#admit(at.owner, socket);
    }
  }

  #admit(listener: Listener, socket: Socket): void {
    const overload = this.#overload;
    const { bypassesOverload, ignoresConnectionLimit } = listener.config;
    const isCounted = overload.countsConnections && !ignoresConnectionLimit;
    if (isCounted && !overload.takeConnection()) {
      listener.counters.downstream_global_cx_overflow++;
      socket.destroy();
      return;
    }
    if (!bypassesOverload && overload.refusesConnection()) {
      if (isCounted) overload.releaseConnection();
      listener.counters.downstream_cx_overload_reject++;
      socket.destroy();
      return;
    }
    listener.accept(socket, isCounted ? () => overload.releaseConnection() : undefined);
  }

  /** Nobody listens there any more. */
  close(at: AcceptingSocket): void {
    for (const { socket } of this.#held.filter((one) => one.at === at)) socket.destroy();
    this.#held = this.#held.filter((one) => one.at !== at);
  }
}

function ignore(): void {
  // Its close event follows.
}
