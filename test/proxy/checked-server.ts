import { createServer, type Server, type Socket } from "node:net";

/** What a server does when a check has come: bytes to send (Latin-1) with their ending, or more. */
export type CheckAnswer =
  | string
  | { readonly send?: string; readonly end: "fin" | "reset" }
  | ((socket: Socket) => void);

/** Keeps the connection and says nothing. */
export const SILENCE: CheckAnswer = "";

/** A response without a body. */
export function response(status: number, headers = ""): string {
  return `HTTP/1.1 ${status} X\r\n${headers}Content-Length: 0\r\n\r\n`;
}

/** A response with a body of known length. */
export function withBody(status: number, body: string): string {
  return `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** What every request but a check is answered with. */
const HELLO = withBody(200, "hi");

/** A server that answers checks in the order of a script, and everything else with `hi`. */
export class CheckedServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answers: readonly CheckAnswer[];
  /** Checks as they came, in Latin-1. */
  readonly checks: string[] = [];
  /** The connection of each check, counted from 1. */
  readonly connectionOf: number[] = [];
  /** When each check came, in milliseconds. */
  readonly timesMs: number[] = [];
  connections = 0;
  /** How many other requests came. */
  hellos = 0;
  /** How many connections that brought other requests have ended. */
  helloEnds = 0;
  /** The answer to requests that are no checks. */
  hello = HELLO;

  private constructor(answers: readonly CheckAnswer[]) {
    this.#answers = answers;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** The last answer is given for ever. */
  static async start(answers: readonly CheckAnswer[], port = 0): Promise<CheckedServer> {
    const server = new CheckedServer(answers);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", reject);
      server.#server.listen(port, "127.0.0.1", resolve);
    });
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  #accept(socket: Socket): void {
    const number = ++this.connections;
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (bytes: Buffer) => {
      const text = bytes.toString("latin1");
      if (text.includes(" /app")) this.#greet(socket);
      else this.#check(socket, number, text);
    });
  }

  #greet(socket: Socket): void {
    this.hellos++;
    if (socket.listenerCount("close") === 1) socket.on("close", () => this.helloEnds++);
    socket.write(this.hello, "latin1");
  }

  #check(socket: Socket, number: number, text: string): void {
    this.checks.push(text);
    this.connectionOf.push(number);
    this.timesMs.push(performance.now());
    const at = Math.min(this.checks.length, this.#answers.length) - 1;
    const answer = this.#answers[at] ?? SILENCE;
    if (typeof answer === "function") answer(socket);
    else if (typeof answer === "string") socket.write(answer, "latin1");
    else if (answer.end === "fin") socket.end(answer.send ?? "", "latin1");
    else if (answer.send === undefined) socket.resetAndDestroy();
    else socket.write(answer.send, "latin1", () => socket.resetAndDestroy());
  }

  /** Ends every connection in order. */
  endAll(): void {
    for (const socket of this.#sockets) socket.end();
  }

  /** Takes no more connections, and ends those that are open. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }
}
