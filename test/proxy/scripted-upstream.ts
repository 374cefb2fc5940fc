import { createServer, type Server, type Socket } from "node:net";
import { MessageReader, type WireMessage } from "./wire-message.ts";

/** What an upstream does with a request: bytes to send (Latin-1), and whether it ends after. */
export interface Script {
  readonly send?: string;
  readonly end?: "fin" | "reset";
  /** Answer at the head, without waiting for the body. */
  readonly isEarly?: boolean;
}

const OK: Script = { send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Up: Yes\r\n\r\nhi" };

/** Answers by path and keeps what it was sent. */
export class ScriptedUpstream {
  readonly #server: Server;
  readonly #sockets = new Map<Socket, MessageReader>();
  readonly #scripts: Readonly<Record<string, Script>>;
  /** Whole requests, in the order in which they came. */
  readonly requests: WireMessage[] = [];
  connections = 0;

  private constructor(scripts: Readonly<Record<string, Script>>) {
    this.#scripts = scripts;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens on a free port of 127.0.0.1, or on the one given. */
  static async start(
    scripts: Readonly<Record<string, Script>> = {},
    port = 0,
  ): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(scripts);
    await new Promise<void>((resolve, reject) => {
      upstream.#server.once("error", reject);
      upstream.#server.listen(port, "127.0.0.1", resolve);
    });
    return upstream;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** What came of requests that are not complete, on the connections that are open. */
  get unfinished(): string {
    return [...this.#sockets.values()].map(({ rest }) => rest).join("");
  }

  #accept(socket: Socket): void {
    this.connections++;
    const reader = new MessageReader("request", []);
    this.#sockets.set(socket, reader);
    let answered = 0;
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk.toString("latin1"));
      for (; answered < reader.messages.length; answered++) {
        const message = reader.messages[answered];
        if (message === undefined) continue;
        this.requests.push(message);
        const script = this.#find(message.line);
        if (script.isEarly !== true) this.#play(socket, script);
      }
      const early = /^\S+ \S+ HTTP/.exec(reader.rest)?.[0];
      if (early === undefined) return;
      const script = this.#find(early);
      if (script.isEarly === true) this.#play(socket, script);
    });
  }

  #find(line: string): Script {
    const path = (line.split(" ")[1] ?? "").split("?")[0] ?? "";
    return this.#scripts[path] ?? OK;
  }

  #play(socket: Socket, { send = "", end }: Script): void {
    if (end === "reset") {
      socket.write(send, "latin1", () => socket.resetAndDestroy());
      return;
    }
    socket.write(send, "latin1");
    if (end === "fin") socket.end();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
