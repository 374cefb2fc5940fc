import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { answerText, type Behaviour, takeRequest } from "../sim/behaviour.ts";

/** A real server that behaves as a scenario says. */
export class TestUpstream {
  readonly port: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined = undefined;
  #behaviour: Behaviour = {};

  constructor(port: number, headers: Readonly<Record<string, string>>) {
    this.port = port;
    this.#headers = headers;
  }

  /** Resolves when its door is as it is to be. */
  async become(behaviour: Behaviour): Promise<void> {
    this.#behaviour = behaviour;
    const { door = "open" } = behaviour;
    if (door === "silent") throw new Error("a real server cannot leave connections unanswered");
    if (door === "open") await this.#open();
    else this.#close();
  }

  async #open(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
  }

  #close(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay();
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    let text = "";
    let isBusy = false;
    const read = (): void => {
      const request = isBusy ? undefined : takeRequest(text);
      if (request === undefined) return;
      text = request.rest;
      isBusy = true;
      setTimeout(() => {
        isBusy = !this.#answer(socket);
        read();
      }, this.#behaviour.delayMs ?? 0);
    };
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      read();
    });
  }

  /** Whether the connection goes on to the next request. */
  #answer(socket: Socket): boolean {
    if (socket.destroyed) return false;
    const { end, answer = "whole" } = this.#behaviour;
    const text = answerText(this.#behaviour, this.#headers);
    if (text !== "") socket.write(text, "latin1");
    if (end === "fin") socket.end();
    // After what was written, so that the proxy reads it first.
    if (end === "reset") setTimeout(() => socket.resetAndDestroy(), text === "" ? 0 : 20);
    return answer === "whole" && end === undefined;
  }

  stop(): void {
    this.#close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
