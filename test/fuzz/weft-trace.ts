import type { BodySink } from "../../src/proxy/http/body-sink.ts";
import { dropFraming, requestFraming, responseFraming } from "../../src/proxy/http/framing.ts";
import {
  CODING,
  type HeadError,
  type MessageHead,
  RequestHead,
  ResponseHead,
} from "../../src/proxy/http/message-head.ts";
import { BodyReader, FRAMING } from "../../src/proxy/http1/body-reader.ts";
import { HeadReader } from "../../src/proxy/http1/head-reader.ts";
import {
  type HeadLimits,
  parseRequestHead,
  parseResponseHead,
} from "../../src/proxy/http1/parse-head.ts";
import type { Kind } from "./http-input.ts";
import type { Trace, TracedMessage } from "./trace.ts";

/** Small, so that fuzzing meets them. */
export const LIMITS: HeadLimits = {
  headBytesMax: 2048,
  headerCountMax: 20,
  underscores: "allow",
  acceptsHttp10: true,
  defaultHost10: "",
  takesAbsoluteUrl: true,
  allowsChunkedLength: false,
};

/** Reads with weft's codec, as its connections do, whatever pieces the bytes come in. */
export class WeftReader implements BodySink, Trace {
  readonly messages: TracedMessage[] = [];
  end = "open";
  readonly #kind: Kind;
  readonly #heads: HeadReader;
  readonly #body = new BodyReader(LIMITS.headBytesMax);
  readonly #request = new RequestHead();
  readonly #response = new ResponseHead();
  #isInBody = false;
  #endsAfter = false;

  constructor(kind: Kind) {
    this.#kind = kind;
    this.#heads = new HeadReader(kind);
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.end === "open") {
      if (this.#isInBody) at = this.#body.read(bytes, at, bytes.length, this);
      else at = this.#readHead(bytes, at);
      if (at === -1) this.end = "bad body";
    }
  }

  /** The peer sends no more, which ends a body without length. */
  finish(): void {
    if (this.end !== "open" || !this.#isInBody || !this.#body.isUntilClose) return;
    this.#body.finish();
    this.onBodyEnd();
  }

  #readHead(bytes: Buffer, from: number): number {
    const found = this.#heads.read(bytes, from, bytes.length, LIMITS.headBytesMax);
    if (found === "more") return bytes.length;
    const error = found === "error" ? this.#heads.error : this.#parse(this.#heads.text);
    if (error !== undefined) {
      this.end = `${error.status} ${error.detail}`;
      return bytes.length;
    }
    return this.#heads.next;
  }

  #parse(text: string): HeadError | undefined {
    return this.#kind === "request" ? this.#parseRequest(text) : this.#parseResponse(text);
  }

  #parseRequest(text: string): HeadError | undefined {
    const head = this.#request;
    const error = parseRequestHead(text, head, LIMITS);
    if (error !== undefined) return error;
    const isTunnel = head.method === "CONNECT" || (head.upgrade !== "" && head.upgrade !== "h2c");
    this.#endsAfter = isTunnel || head.wantsClose || (head.minor === 0 && !head.wantsKeepAlive);
    const target = head.method === "CONNECT" ? head.authority : head.path;
    this.#start(`${head.method} ${target}`, head);
    // What follows is no HTTP, or is refused with the connection.
    if (isTunnel) this.end = "over";
    else this.#startBody(requestFraming(head, false), head);
    return undefined;
  }

  #parseResponse(text: string): HeadError | undefined {
    const head = this.#response;
    const error = parseResponseHead(text, head, LIMITS);
    if (error !== undefined) return error;
    const isBodiless = head.status < 200 || head.status === 204;
    if (isBodiless && !dropFraming(head)) return { status: 400, detail: "bodiless" };
    this.#endsAfter = head.status === 101 || head.wantsClose;
    if (head.status >= 200 && head.minor === 0 && !head.wantsKeepAlive) this.#endsAfter = true;
    this.#start(String(head.status), head);
    const isFinal = head.status >= 200;
    this.#startBody(isFinal ? responseFraming(head, "GET") : FRAMING.none, head);
    return undefined;
  }

  #start(first: string, head: MessageHead): void {
    const { entries, end } = head.headers;
    const headers: string[] = [];
    for (let at = 0; at < end; at += 2) headers.push(`${entries[at]}: ${entries[at + 1]}`);
    if (head instanceof RequestHead) headers.unshift(`host: ${head.authority}`);
    if (head.coding === CODING.chunked) headers.push("transfer-encoding: chunked");
    this.messages.push({ first, headers, body: "", isWhole: false });
  }

  #startBody(framing: number, head: MessageHead): void {
    this.#body.start(framing, head.contentLength);
    this.#isInBody = true;
    if (this.#body.isDone) this.onBodyEnd();
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    const message = this.messages.at(-1);
    if (message !== undefined) message.body += buffer.toString("latin1", from, to);
  }

  onBodyEnd(): void {
    const message = this.messages.at(-1);
    if (message !== undefined) message.isWhole = true;
    this.#isInBody = false;
    if (this.#endsAfter) this.end = "over";
  }
}

/** Reads the text cut at these places. */
export function traceWeft(kind: Kind, text: string, cuts: readonly number[]): Trace {
  const reader = new WeftReader(kind);
  let from = 0;
  for (const to of [...cuts, text.length]) {
    // A copy for each read: what it looks at may not be there any more after.
    const bytes = Buffer.from(text.substring(from, to), "latin1");
    reader.push(bytes);
    bytes.fill("!");
    from = to;
  }
  reader.finish();
  return { messages: reader.messages, end: reader.end };
}

/** The messages as a proxy writes them on. */
export function encodeMessages(kind: Kind, messages: readonly TracedMessage[]): string {
  return messages.map((message) => encodeMessage(kind, message)).join("");
}

function encodeMessage(kind: Kind, { first, headers, body }: TracedMessage): string {
  const line = kind === "request" ? `${first} HTTP/1.1` : `HTTP/1.1 ${first} OK`;
  const head = [line, ...headers, "", ""].join("\r\n");
  const hasNone = kind === "response" && (first < "200" || first === "204" || first === "304");
  if (hasNone || !headers.includes("transfer-encoding: chunked")) return head + body;
  const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${head}${chunk}0\r\n\r\n`;
}
