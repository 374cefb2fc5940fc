import type { Prng } from "../../src/base/prng.ts";
import type { SimPeer, SimSocket, SimWires } from "./sim-socket.ts";

/** How an upstream behaves for a while. */
export const MOODS = [
  "good",
  "good",
  "good",
  "slow",
  "failing",
  "hanging",
  "resetting",
  "half",
  "closing",
  "refusing",
  "silent",
] as const;
export type Mood = (typeof MOODS)[number];

/** What an upstream tells of the requests that reach it. */
export interface UpstreamWatch {
  /** The head of a request came, with its `x-request` number; "" for a health check. */
  onRequest(upstream: SimUpstream, number: string): void;
  onDone(upstream: SimUpstream): void;
}

/** One server of the simulated network. */
export class SimUpstream {
  readonly port: number;
  readonly wires: SimWires;
  readonly prng: Prng;
  readonly watch: UpstreamWatch;
  mood: Mood = "good";
  /** Requests whose answer is not out yet. */
  active = 0;

  constructor(port: number, wires: SimWires, prng: Prng, watch: UpstreamWatch) {
    this.port = port;
    this.wires = wires;
    this.prng = prng;
    this.watch = watch;
  }

  accept(socket: SimSocket): SimPeer {
    return new UpstreamConnection(this, socket);
  }
}

const HEAD_END = "\r\n\r\n";

/** One connection at a server: it reads requests and answers in its server's mood. */
class UpstreamConnection implements SimPeer {
  readonly #upstream: SimUpstream;
  readonly #socket: SimSocket;
  #text = "";
  #isBusy = false;
  #isClosed = false;

  constructor(upstream: SimUpstream, socket: SimSocket) {
    this.#upstream = upstream;
    this.#socket = socket;
  }

  onData(text: string): void {
    this.#text += text;
    this.#read();
  }

  onEnd(): void {
    if (!this.#isBusy) this.#socket.sendEnd();
  }

  onClose(): void {
    this.#isClosed = true;
    this.#finish();
  }

  #read(): void {
    const end = this.#text.indexOf(HEAD_END);
    if (this.#isBusy || end === -1) return;
    const head = this.#text.slice(0, end);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (this.#text.length < end + HEAD_END.length + length) return;
    this.#text = this.#text.slice(end + HEAD_END.length + length);
    this.#isBusy = true;
    const upstream = this.#upstream;
    const number = /^x-request: (.*)$/im.exec(head)?.[1] ?? "";
    upstream.active++;
    upstream.watch.onRequest(upstream, number);
    const delayMs = upstream.prng.next() * (upstream.mood === "slow" ? 2000 : 20);
    upstream.wires.clock.setTimer(delayMs, () => this.#answer(number));
  }

  #finish(): void {
    if (!this.#isBusy) return;
    this.#isBusy = false;
    this.#upstream.active--;
    this.#upstream.watch.onDone(this.#upstream);
  }

  #answer(number: string): void {
    if (this.#isClosed || !this.#isBusy) return;
    const { mood } = this.#upstream;
    if (mood === "hanging") return;
    if (mood === "resetting") {
      this.#finish();
      this.#socket.sendReset();
      return;
    }
    const status = mood === "failing" ? "503 Service Unavailable" : "200 OK";
    const close = mood === "closing" ? "connection: close\r\n" : "";
    this.#socket.send(
      `HTTP/1.1 ${status}\r\n${close}content-length: 8\r\nx-request: ${number}\r\n\r\nhalf`,
    );
    if (mood === "half") return;
    this.#finish();
    this.#socket.send("half");
    if (mood === "closing") this.#socket.sendEnd();
    this.#read();
  }
}
