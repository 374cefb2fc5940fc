import type { SimPeer, SimSocket } from "./sim-socket.ts";

/** What became of a request. */
export interface Answer {
  readonly number: string;
  /** 0: the connection ended before an answer was whole. */
  readonly status: number;
}

/** A client with one connection to the proxy, which sends one request at a time. */
export class SimClient implements SimPeer {
  readonly #socket: SimSocket;
  readonly #onAnswer: (answer: Answer) => void;
  #text = "";
  #number = "";
  isClosed = false;

  constructor(socket: SimSocket, onAnswer: (answer: Answer) => void) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
  }

  get isBusy(): boolean {
    return this.#number !== "";
  }

  send(number: string, headers: string, body: string): void {
    this.#number = number;
    const method = body === "" ? "GET" : "POST";
    const length = body === "" ? "" : `content-length: ${body.length}\r\n`;
    this.#socket.send(
      `${method} / HTTP/1.1\r\nhost: a\r\nx-request: ${number}\r\n${headers}${length}\r\n`,
    );
    if (body !== "") this.#socket.send(body);
  }

  /** Goes away, whatever is in progress. */
  leave(): void {
    this.#socket.sendReset();
  }

  onData(text: string): void {
    this.#text += text;
    const found = /^HTTP\/1\.1 (\d+) .*?\r\n\r\n/s.exec(this.#text);
    if (found === null) return;
    const length = Number(/^content-length: (\d+)\r$/im.exec(found[0])?.[1] ?? 0);
    if (this.#text.length < found[0].length + length) return;
    this.#text = this.#text.slice(found[0].length + length);
    this.#done(Number(found[1]));
  }

  onEnd(): void {
    this.#socket.sendEnd();
  }

  onClose(): void {
    this.isClosed = true;
    if (this.isBusy) this.#done(0);
  }

  #done(status: number): void {
    const number = this.#number;
    this.#number = "";
    this.#onAnswer({ number, status });
  }
}
