import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** Answers 200 at once, and what is asked of `/hold` when it is told to. */
export class HoldingUpstream {
  readonly #server: Server;
  readonly #held: ServerResponse[] = [];
  readonly #sockets = new Set<Socket>();
  /** Paths, in the order in which they came. */
  readonly asked: string[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? "";
      this.asked.push(path);
      if (path.startsWith("/hold")) this.#held.push(response);
      else response.end("hi");
    });
    this.#server.keepAliveTimeout = 0;
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<HoldingUpstream> {
    const upstream = new HoldingUpstream();
    await new Promise<void>((resolve) => upstream.#server.listen(0, "127.0.0.1", resolve));
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Answers what is held. */
  release(): void {
    for (const response of this.#held.splice(0)) response.end("held");
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
