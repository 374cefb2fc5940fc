import type { SimClock } from "../../src/base/sim-clock.ts";
import { answerText, type Behaviour, headerOf, takeRequest } from "./behaviour.ts";
import type { SimPeer, SimSocket } from "./sim-socket.ts";

/** Who wants to know what reaches an upstream: the number is the request's `x-request` header. */
export type OnArrival = (upstream: SimUpstream, number: string) => void;

/** One server of the simulated network. */
export class SimUpstream {
  readonly port: number;
  readonly clock: SimClock;
  readonly onArrival: OnArrival;
  /** Sent with every answer. */
  readonly headers: Readonly<Record<string, string>>;
  behaviour: Behaviour = {};

  constructor(
    port: number,
    clock: SimClock,
    onArrival: OnArrival,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.port = port;
    this.clock = clock;
    this.onArrival = onArrival;
    this.headers = headers;
  }

  accept(socket: SimSocket): SimPeer {
    return new UpstreamConnection(this, socket);
  }
}

/** One connection at a server: it reads requests and answers as its server behaves then. */
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
  }

  #read(): void {
    const request = this.#isBusy ? undefined : takeRequest(this.#text);
    if (request === undefined) return;
    this.#text = request.rest;
    this.#isBusy = true;
    const upstream = this.#upstream;
    upstream.onArrival(upstream, headerOf(request.head, "x-request") ?? "");
    const { delayMs = 0 } = upstream.behaviour;
    upstream.clock.setTimer(delayMs, () => this.#answer());
  }

  #answer(): void {
    if (this.#isClosed) return;
    const { behaviour, headers } = this.#upstream;
    const text = answerText(behaviour, headers);
    if (text !== "") this.#socket.send(text);
    if (behaviour.end === "fin") this.#socket.sendEnd();
    if (behaviour.end === "reset") this.#socket.sendReset();
    if ((behaviour.answer ?? "whole") !== "whole") return;
    this.#isBusy = false;
    this.#read();
  }
}
