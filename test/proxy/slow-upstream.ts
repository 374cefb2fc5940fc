import { createServer, type Server, type Socket } from "node:net";
import { MessageReader } from "./wire-message.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
const BODY = "0123456789";

/** An upstream whose paths say how slow it is; times in milliseconds. */
export class SlowUpstream {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Requests by path. */
  readonly counts = new Map<string, number>();
  /** When they came. */
  readonly times = new Map<string, number[]>();

  private constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(): Promise<SlowUpstream> {
    const upstream = new SlowUpstream();
    await new Promise<void>((resolve) => upstream.#server.listen(0, "127.0.0.1", () => resolve()));
    return upstream;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const reader = new MessageReader("request", []);
    let answered = 0;
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk.toString("latin1"));
      for (; answered < reader.messages.length; answered++) {
        this.#answer(socket, reader.messages[answered]?.line.split(" ")[1] ?? "");
      }
      if (/^\S+ \/upgrade /.test(reader.rest)) this.#answer(socket, "/upgrade");
    });
  }

  #answer(socket: Socket, path: string): void {
    const count = (this.counts.get(path) ?? 0) + 1;
    this.counts.set(path, count);
    this.times.set(path, [...(this.times.get(path) ?? []), performance.now()]);
    const [, kind = "", ms = "0"] = path.split("/");
    switch (kind) {
      case "silent":
        return;
      // The first time only.
      case "once":
        if (count > 1) socket.write(HEAD + BODY);
        return;
      case "half":
        socket.write(HEAD + BODY.slice(0, 2));
        return;
      case "half-head":
        socket.write(HEAD.slice(0, 20));
        return;
      case "late":
        this.#later(Number(ms), () => socket.write(HEAD + BODY));
        return;
      case "late-body":
        socket.write(HEAD);
        this.#later(Number(ms), () => socket.write(BODY));
        return;
      case "drip":
        socket.write(HEAD);
        this.#drip(socket, BODY, Number(ms));
        return;
      case "drip-head":
        this.#drip(socket, HEAD + BODY, Number(ms));
        return;
      case "error":
        socket.write("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
        return;
      case "upgrade":
        socket.write("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        return;
      default:
        socket.write(HEAD + BODY);
    }
  }

  /** One byte at a time. */
  #drip(socket: Socket, text: string, everyMs: number): void {
    if (text === "" || socket.destroyed) return;
    socket.write(text.slice(0, 1));
    this.#later(everyMs, () => this.#drip(socket, text.slice(1), everyMs));
  }

  #later(delayMs: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delayMs);
    this.#timers.add(timer);
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
