import type { WireBytes } from "../../match/stream-info.ts";
import type { HeaderList } from "./header-list.ts";

/**
 * Counts what goes over the wire for one request on one of its sides, all attempts together. There
 * is one only where a log may ask for it.
 */
export class ByteMeter implements WireBytes {
  received = 0;
  sent = 0;
  headSent = 0;
  #headReceived = 0;
  /** The last head that came as text: its fields are measured when somebody asks. */
  #text = "";

  /** Bytes of names and values, as Envoy counts them. */
  get headReceived(): number {
    return this.#headReceived + fieldBytes(this.#text);
  }

  /** A head of HTTP/1.1 came, with its first line and the empty one. */
  tookHead(text: string): void {
    if (this.#text !== "") this.#headReceived += fieldBytes(this.#text);
    this.#text = text;
  }

  /** Such a head was sent. */
  sentHead(text: string): void {
    this.sent += text.length;
    this.headSent += text.length - text.indexOf("\r\n") - 4;
  }

  /** A block of HTTP/2 came, in frames of so many bytes. */
  tookBlock(bytes: number): void {
    this.received += bytes;
    this.#headReceived += bytes;
  }

  /** Such a block was sent. */
  sentBlock(bytes: number): void {
    this.sent += bytes;
    this.headSent += bytes;
  }

  /** A head that came or went otherwise; its bytes on the wire are counted apart. */
  addHeads(received: number, sent: number): void {
    this.#headReceived += received;
    this.headSent += sent;
  }

  reset(): void {
    this.received = 0;
    this.sent = 0;
    this.headSent = 0;
    this.#headReceived = 0;
    this.#text = "";
  }
}

/** The fields of a head: name, value, the colon and the line's end of each. */
function fieldBytes(text: string): number {
  let bytes = 0;
  let at = text.indexOf("\r\n") + 2;
  for (;;) {
    const end = text.indexOf("\r\n", at);
    if (end <= at) return bytes;
    const colon = text.indexOf(":", at);
    bytes += colon - at + text.substring(colon + 1, end).trim().length + 3;
    at = end + 2;
  }
}

/** The names and values of a list of headers. */
export function listBytes({ entries, end }: HeaderList): number {
  let bytes = 0;
  for (let at = 0; at < end; at++) bytes += entries[at]?.length ?? 0;
  return bytes;
}
