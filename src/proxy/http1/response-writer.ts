import type { ByteMeter } from "../http/byte-meter.ts";
import { opensTunnel } from "../http/framing.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { RequestHead, ResponseHead } from "../http/message-head.ts";
import { statusLine } from "../http/status-text.ts";
import type { Sender } from "../net/sender.ts";
import { formatNames } from "./header-case.ts";
import { encodeLastChunk } from "./last-chunk.ts";

/** Writes the responses of one connection of HTTP/1.1, one after the other (RFC 9112). */
export class ResponseWriter {
  readonly #out: Sender;
  readonly #config: HttpConfig;
  readonly #meter: ByteMeter | undefined;
  #isChunked = false;

  constructor(out: Sender, config: HttpConfig, meter: ByteMeter | undefined) {
    this.#meter = meter;
    this.#out = out;
    this.#config = config;
  }

  interim({ status, headers }: ResponseHead, { minor }: RequestHead): void {
    const text = `${statusLine(status, minor)}${headers.encode()}\r\n`;
    this.#meter?.sentHead(text);
    this.#out.text(formatNames(text, this.#config.nameFormat));
    this.#out.flush();
  }

  /** See `StreamCarrier.sendHead`. */
  head(
    head: ResponseHead,
    request: RequestHead,
    hasBody: boolean,
    isRequestDone: boolean,
    closes: boolean,
  ): boolean {
    const { status } = head;
    const { method, minor } = request;
    let text = statusLine(status, minor) + head.headers.encode();
    let ends = closes;
    this.#isChunked = false;
    if (status === 101) {
      text += `connection: ${head.connection}\r\n`;
    } else if (head.contentLength === -1 && !opensTunnel(method, status)) {
      if (!hasBody && method !== "HEAD") {
        if (status !== 204 && status !== 304) text += "content-length: 0\r\n";
      } else if (minor === 0) {
        ends = true;
      } else {
        text += "transfer-encoding: chunked\r\n";
        this.#isChunked = hasBody;
      }
    }
    // An answer that comes before the end of the request leaves bytes that nobody will read.
    if (request.wantsClose || !isRequestDone || ends) ends = status !== 101;
    if (minor === 0 && !request.wantsKeepAlive) ends = true;
    // In a tunnel there is nothing more to say of the connection.
    if (status === 200 && method === "CONNECT") ends = false;
    else if (ends) text += "connection: close\r\n";
    else if (minor === 0) text += "connection: keep-alive\r\n";
    text = formatNames(`${text}\r\n`, this.#config.nameFormat);
    this.#meter?.sentHead(text);
    this.#out.text(text);
    return ends;
  }

  bytes(buffer: Buffer, from: number, to: number): void {
    const out = this.#out;
    if (this.#meter !== undefined) this.#meter.sent += to - from;
    if (!this.#isChunked) {
      out.bytes(buffer, from, to);
      return;
    }
    const size = `${(to - from).toString(16)}\r\n`;
    if (this.#meter !== undefined) this.#meter.sent += size.length + 2;
    out.text(size);
    out.bytes(buffer, from, to);
    out.text("\r\n");
  }

  end(trailers: HeaderList | undefined): void {
    if (!this.#isChunked) return;
    const text = encodeLastChunk(this.#config.passesTrailers ? trailers : undefined);
    if (this.#meter !== undefined) this.#meter.sent += text.length;
    this.#out.text(text);
  }
}
