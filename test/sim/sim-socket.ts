import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { SimClock } from "../../src/base/sim-clock.ts";
import type { SocketOwner } from "../../src/proxy/net/socket.ts";

/** How long bytes, ends and resets travel. */
const WIRE_MS = 0.2;

/** The other end of a simulated connection: a client or an upstream of the simulation. */
export interface SimPeer {
  onData(text: string): void;
  onEnd(): void;
  /** The proxy closed it, or broke it off. */
  onClose(): void;
}

/** Everything that one simulated world has open. */
export interface SimWires {
  readonly clock: SimClock;
  readonly open: Set<SimSocket>;
}

/**
 * The proxy's end of a connection that exists in memory only: as much of a `net.Socket` as the
 * proxy uses. What is written arrives a moment later, in order.
 */
export class SimSocket extends EventEmitter {
  readonly #wires: SimWires;
  readonly #buffer: Buffer;
  #owner: SocketOwner | undefined = undefined;
  #peer: SimPeer | undefined;
  #isPaused = false;
  #held: (() => void)[] = [];
  /** What was written before it was connected. */
  readonly #early: string[] = [];
  connecting: boolean;
  destroyed = false;
  writableEnded = false;
  readonly writableNeedDrain = false;
  readonly writableLength = 0;
  bytesWritten = 0;
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 2;

  constructor(wires: SimWires, buffer: Buffer, connecting: boolean) {
    super();
    this.#wires = wires;
    this.#buffer = buffer;
    this.connecting = connecting;
    wires.open.add(this);
  }

  /** For code that wants Node's. */
  asSocket(): Socket {
    return this as unknown as Socket;
  }

  /** The proxy's part that it belongs to from now on. */
  own(owner: SocketOwner): Socket {
    this.#owner = owner;
    return this.asSocket();
  }

  /** Somebody is there now. */
  attach(peer: SimPeer): void {
    this.#peer = peer;
    for (const text of this.#early.splice(0)) this.#later(() => peer.onData(text));
  }

  #later(what: () => void): void {
    this.#wires.clock.setTimer(WIRE_MS, what);
  }

  write(data: string | Uint8Array): boolean {
    if (this.destroyed || this.writableEnded) return false;
    const text = typeof data === "string" ? data : Buffer.from(data).toString("latin1");
    this.bytesWritten += text.length;
    // What was written before the end arrives before it.
    const peer = this.#peer;
    if (peer === undefined) this.#early.push(text);
    else this.#later(() => peer.onData(text));
    return true;
  }

  end(done?: () => void): this {
    if (!this.writableEnded && !this.destroyed) {
      this.writableEnded = true;
      const peer = this.#peer;
      this.#later(() => peer?.onEnd());
    }
    done?.();
    return this;
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.#wires.open.delete(this);
    this.#held = [];
    const peer = this.#peer;
    this.#peer = undefined;
    this.#later(() => peer?.onClose());
    // Like Node, not before the caller is done.
    queueMicrotask(() => {
      const owner = this.#owner;
      this.#owner = undefined;
      owner?.onClose(error);
    });
    return this;
  }

  destroySoon(): void {
    this.end();
    this.destroy();
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  cork(): void {
    // Every write is its own piece here.
  }

  uncork(): void {
    // As above.
  }

  pause(): this {
    this.#isPaused = true;
    return this;
  }

  resume(): this {
    this.#isPaused = false;
    this.#later(() => {
      while (!this.#isPaused) {
        const next = this.#held.shift();
        if (next === undefined) return;
        next();
      }
    });
    return this;
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  #arrive(what: () => void): void {
    this.#later(() => {
      if (this.destroyed) return;
      if (this.#isPaused || this.#held.length > 0) this.#held.push(what);
      else what();
    });
  }

  // What the peer does.

  send(text: string): void {
    this.#arrive(() => {
      const length = this.#buffer.write(text, "latin1");
      this.#owner?.onBytes(this.#buffer, length);
    });
  }

  sendEnd(): void {
    this.#arrive(() => this.#owner?.onEnd());
  }

  sendReset(): void {
    // A reset overtakes what nobody has read.
    this.#later(() => this.destroy(connectionError("ECONNRESET")));
  }
}

/** An error as the system gives it. */
export function connectionError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}
