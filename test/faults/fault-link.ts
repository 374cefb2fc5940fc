import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** The two ways through a link: from the proxies, and from the control plane. */
export type Direction = "up" | "down";

/** One half of a connection: what comes in at `from` goes out at `to`. */
interface Half {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
}

/**
 * A piece of network in the test's hand, between proxies and a control plane: it hands bytes on,
 * late if told so, and can cut connections, lose them without a word, or hold one direction.
 */
export class FaultLink {
  /** Where proxies connect to. */
  readonly port: number;
  /** Connections that were made so far. */
  connections = 0;
  /** The port of 127.0.0.1 that new connections lead to. */
  target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #halves = new Set<Half>();
  readonly #held = new Set<Direction>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #delayMs = 0;
  #isUp = true;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** Opens one on a free port of 127.0.0.1. */
  static async start(target: number): Promise<FaultLink> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultLink(server, target);
  }

  /** Connections that stand, also those that nothing comes through any more. */
  get open(): number {
    return this.#sockets.size / 2;
  }

  /** From now on every piece arrives so much later; pieces stay in order. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Resets every connection, and refuses new ones until `heal`. */
  cut(): void {
    this.#isUp = false;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /**
   * Loses every packet of the connections that stand, for good: neither end is told. New ones work,
   * unless the link is cut.
   */
  lose(): void {
    for (const half of this.#halves) {
      half.from.removeAllListeners("data");
      half.from.pause();
    }
    this.#halves.clear();
  }

  /** Hands nothing on in one direction until `heal`; whoever sends fills its buffers. */
  hold(direction: Direction): void {
    this.#held.add(direction);
    for (const half of this.#halves) if (half.direction === direction) half.from.pause();
  }

  /** Ends what `cut` and `hold` began; lost connections stay lost. */
  heal(): void {
    this.#isUp = true;
    this.#held.clear();
    for (const half of this.#halves) half.from.resume();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(near: Socket): void {
    if (!this.#isUp) {
      near.resetAndDestroy();
      return;
    }
    this.connections += 1;
    const far = connect({ port: this.target, host: "127.0.0.1", noDelay: true });
    const ends = [near, far] as const;
    for (const socket of ends) this.#sockets.add(socket);
    const halves: readonly Half[] = [
      { direction: "up", from: near, to: far },
      { direction: "down", from: far, to: near },
    ];
    for (const half of halves) this.#carry(half);
    const end = (): void => {
      for (const half of halves) this.#halves.delete(half);
      for (const socket of ends) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of ends) {
      socket.on("error", () => undefined);
      socket.on("close", end);
    }
  }

  #carry(half: Half): void {
    const { from, to, direction } = half;
    this.#halves.add(half);
    from.on("data", (bytes: Buffer) => {
      this.#later(() => {
        if (to.write(bytes)) return;
        from.pause();
        to.once("drain", () => {
          if (this.#halves.has(half) && !this.#held.has(direction)) from.resume();
        });
      });
    });
    from.on("end", () => this.#later(() => this.#halves.has(half) && to.end()));
    if (this.#held.has(direction)) from.pause();
  }

  #later(act: () => unknown): void {
    if (this.#delayMs === 0 && this.#timers.size === 0) {
      act();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, this.#delayMs);
    this.#timers.add(timer);
  }
}
