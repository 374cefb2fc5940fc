import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** Text that compresses, but not to nothing. */
const BIG = Array.from({ length: 4000 }, (_, index) => `line ${index * 7919} of a text\n`).join("");

/** What a proxy of a soak has behind it: texts, echoes and WebSockets; it can be stopped and started again. */
export class SoakUpstream {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined = undefined;
  #port = 0;

  get port(): number {
    return this.#port;
  }

  get isUp(): boolean {
    return this.#server !== undefined;
  }

  /** At the port that it had before, if it had one. */
  async start(): Promise<void> {
    const server = createServer(answer);
    server.on("upgrade", (_request, socket: Socket, head: Buffer) => {
      socket.on("error", () => undefined);
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
      );
      socket.write(head);
      socket.pipe(socket);
    });
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** As a process that ends: what is open breaks off. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  response.on("error", () => undefined);
  if (request.method === "POST") return void request.pipe(response);
  request.resume();
  if (request.url?.startsWith("/big") !== true) return void response.end("hi");
  response.writeHead(200, { "content-type": "text/plain" });
  response.end(BIG);
}
