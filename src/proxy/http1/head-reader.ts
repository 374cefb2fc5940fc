import { TOKEN_LOWER } from "../http/header-name.ts";
import { type HeadError } from "../http/message-head.ts";
import { BAD_REQUEST } from "../http/parse-fields.ts";
import { latin1 } from "../net/latin1.ts";

export const TOO_LARGE: HeadError = { status: 431, detail: "http1.headers_too_large" };

/** How much of a read is looked at first: most heads end before, most bodies go on after. */
const FIRST_SLICE_BYTES = 4096;

/**
 * Finds the end of a message head in bytes that come in any pieces.
 *
 * It works on text (Latin-1: one character for each byte), because one native call then serves the
 * search, the parser and every header value, which are slices of that text.
 */
export class HeadReader {
  readonly #kind: "request" | "response";
  /** The beginning of a head whose end has not come. */
  #pending = "";
  /** After `read` said "head": the head with its empty line. */
  text = "";
  /** After `read` said "head": where in the buffer the bytes behind it start. */
  next = 0;
  error: HeadError = BAD_REQUEST;

  constructor(kind: "request" | "response") {
    this.#kind = kind;
  }

  /** Whether bytes of a head have come already. */
  get isInside(): boolean {
    return this.#pending !== "";
  }

  /** Looks at `buffer[from, to)`: all of it is taken unless a head ends in it. */
  read(buffer: Buffer, from: number, to: number, bytesMax: number): "head" | "more" | "error" {
    const start = this.#isBefore ? this.#skipEmptyLines(buffer, from, to) : from;
    if (start === to) return "more";
    let sliceEnd = Math.min(to, start + FIRST_SLICE_BYTES);
    for (;;) {
      const found = this.#find(buffer, start, sliceEnd, bytesMax);
      if (found !== "more" || sliceEnd === to)
        return found === "more" ? this.#keep(bytesMax) : found;
      sliceEnd = Math.min(to, sliceEnd + 4 * FIRST_SLICE_BYTES);
    }
  }

  /** Whether empty lines may still come (RFC 9112 2.2: a server ignores those before a request). */
  get #isBefore(): boolean {
    return this.#kind === "request" && (this.#pending === "" || this.#pending === "\r");
  }

  #skipEmptyLines(buffer: Buffer, from: number, to: number): number {
    let at = from;
    if (this.#pending !== "" && buffer[at] === 10) {
      this.#pending = "";
      at++;
    }
    if (this.#pending === "")
      while (at + 1 < to && buffer[at] === 13 && buffer[at + 1] === 10) at += 2;
    return at;
  }

  #find(buffer: Buffer, start: number, end: number, bytesMax: number): "head" | "more" | "error" {
    const slice = latin1(buffer, start, end);
    const before = this.#pending.length;
    const text = before === 0 ? slice : this.#pending + slice;
    // Three bytes of the end may have come with the read before.
    const at = text.indexOf("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (at === -1) {
      this.text = text;
      return "more";
    }
    const headEnd = at + 4;
    if (headEnd > bytesMax) return this.#failLarge(text, bytesMax);
    this.text = headEnd === text.length ? text : text.substring(0, headEnd);
    this.next = start + headEnd - before;
    this.#pending = "";
    return "head";
  }

  /** Keeps an incomplete head, unless it can never become a good one. */
  #keep(bytesMax: number): "more" | "error" {
    const { text } = this;
    if (text.length > bytesMax) return this.#failLarge(text, bytesMax);
    // Without this a peer that speaks TLS, or ends its lines with LF alone, would wait for ever.
    if (!beginsWell(text) || hasBareLineFeed(text, Math.max(0, this.#pending.length - 1))) {
      return this.#fail(BAD_REQUEST);
    }
    this.#pending = text;
    return "more";
  }

  /** Too large, unless what is wrong with it would have been seen before if it had come slowly. */
  #failLarge(text: string, bytesMax: number): "error" {
    const isBad = !beginsWell(text) || hasBareLineFeed(text.substring(0, bytesMax), 0);
    return this.#fail(isBad ? BAD_REQUEST : TOO_LARGE);
  }

  #fail(error: HeadError): "error" {
    this.#pending = "";
    this.error = error;
    return "error";
  }
}

/** The first byte of a method or version, or of an empty line whose other half has not come. */
function beginsWell(text: string): boolean {
  return TOKEN_LOWER[text.charCodeAt(0)] !== 0 || text === "\r";
}

/** Whether some line from there on ends with LF alone. */
export function hasBareLineFeed(text: string, from: number): boolean {
  for (let at = text.indexOf("\n", from); at !== -1; at = text.indexOf("\n", at + 1)) {
    if (at === 0 || text.charCodeAt(at - 1) !== 13) return true;
  }
  return false;
}
