import { createServer, type Server, type Socket } from "node:net";
import { MessageReader } from "../wire-message.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/** Stands behind a request whose end did not come. */
export const UNFINISHED = "(unfinished)";

/** Reads requests apart from the proxy's codec, says what it saw, and answers each. */
export class RecordingUpstream {
  readonly #server: Server;
  readonly #readers = new Map<Socket, MessageReader>();
  #seen: string[] = [];
  /** What it answers to `/bad`, and whether it ends the connection then. */
  bad: { readonly answer: string; readonly ends: boolean } = { answer: OK, ends: false };

  constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** What came since the last call: `METHOD target host [body]`, unfinished ones too. */
  takeSeen(): readonly string[] {
    const seen = this.#seen;
    this.#seen = [];
    for (const [socket, reader] of this.#readers) {
      if (reader.rest !== "") this.#giveUp(socket, reader);
    }
    return seen.concat(this.#seen.splice(0));
  }

  #giveUp(socket: Socket, reader: MessageReader): void {
    this.#readers.delete(socket);
    socket.destroy();
    this.#seen.push(`${reader.rest.split("\r\n", 1)[0]} ${UNFINISHED}`);
    reader.rest = "";
  }

  #accept(socket: Socket): void {
    const reader = new MessageReader("request", []);
    this.#readers.set(socket, reader);
    let answered = 0;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (reader.rest !== "") this.#giveUp(socket, reader);
      this.#readers.delete(socket);
    });
    socket.on("data", (bytes: Buffer) => {
      reader.push(bytes.toString("latin1"));
      for (; answered < reader.messages.length; answered++) {
        const { line, headers, body } = reader.messages[answered] ?? {
          line: "",
          headers: [],
          body: "",
        };
        const host =
          headers.find((header) => header.startsWith("host:"))?.substring(6) ?? "no host";
        const target = line.replace(/ HTTP\/1\.1$/, "");
        this.#seen.push(`${target} ${host}${body === "" ? "" : ` [${body}]`}`);
        const isBad = target === "GET /bad";
        socket.write(isBad ? this.bad.answer : OK, "latin1");
        if (isBad && this.bad.ends) socket.end();
      }
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#readers.keys()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
