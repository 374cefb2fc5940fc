import type { SimPeer, SimSocket } from "./sim-socket.ts";

/** What became of a request. */
export interface Answer {
  readonly number: string;
  /** 0: the connection ended before an answer was whole. */
  readonly status: number;
  /** All of its head, perhaps of an answer that broke off; "" without one. */
  readonly head: string;
}

/** A client with one connection to the proxy, which sends one request at a time. */
export class SimClient implements SimPeer {
  readonly #socket: SimSocket;
  readonly #onAnswer: (answer: Answer) => void;
  #text = "";
  #number = "";
  #head = "";
  isClosed = false;

  constructor(socket: SimSocket, onAnswer: (answer: Answer) => void) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
  }

  /** Sends a request that `x-request` numbers; `headers` are whole lines. */
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
    const [head] = found;
    this.#head = head;
    const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0);
    if (this.#text.length < head.length + length) return;
    this.#text = this.#text.slice(head.length + length);
    this.#done(Number(found[1]));
  }

  onEnd(): void {
    this.#socket.sendEnd();
  }

  onClose(): void {
    this.isClosed = true;
    if (this.#number !== "") this.#done(0);
  }

  #done(status: number): void {
    const number = this.#number;
    const head = this.#head;
    this.#number = "";
    this.#head = "";
    this.#onAnswer({ number, status, head });
  }
}
