import type { Socket } from "node:net";
import { readClientHello } from "../listener-filter/client-hello.ts";
import { NO_OFFER, type Offer, offerOf } from "./offer.ts";

/** Reads a client's hello from an accepted socket, and leaves the socket as if nobody had. */
export class HelloReader {
  readonly #socket: Socket;
  readonly #onHello: (offer: Offer) => void;
  readonly #onClose: () => void;
  #bytes: Buffer | undefined = undefined;

  /** `onClose` when the client goes before its hello is whole. */
  constructor(socket: Socket, onHello: (offer: Offer) => void, onClose: () => void) {
    this.#socket = socket;
    this.#onHello = onHello;
    this.#onClose = onClose;
  }

  /** `peeked` stands in the socket already, to be read again. */
  start(peeked: Buffer | undefined): void {
    const hello = peeked === undefined ? "more" : readClientHello(peeked);
    if (hello !== "more") {
      this.#onHello(hello === "none" ? NO_OFFER : offerOf(hello));
      return;
    }
    this.#socket.on("data", this.#onData);
    this.#socket.on("end", this.#onEnd);
    this.#socket.on("error", ignore);
    this.#socket.on("close", this.#onEnd);
    this.#socket.resume();
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#bytes = this.#bytes === undefined ? bytes : Buffer.concat([this.#bytes, bytes]);
    const hello = readClientHello(this.#bytes);
    if (hello === "more") return;
    this.stop();
    this.#socket.unshift(this.#bytes);
    this.#onHello(hello === "none" ? NO_OFFER : offerOf(hello));
  };

  readonly #onEnd = (): void => {
    this.stop();
    this.#onClose();
  };

  stop(): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onEnd);
    this.#socket.pause();
  }
}

function ignore(): void {
  // Its close event follows.
}
