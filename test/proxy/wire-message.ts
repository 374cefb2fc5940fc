/** One HTTP/1.1 message as it came over the wire; written apart from the proxy's own codec. */
export interface WireMessage {
  /** The first line. */
  readonly line: string;
  /** `name: value`, names in lower case, in order. */
  readonly headers: readonly string[];
  /** Latin-1, without its chunks. */
  readonly body: string;
  /** The names as they were written, in order, where one of them is not in lower case. */
  readonly names?: readonly string[];
  /** The lines behind the last chunk, as they were written, where there are some. */
  readonly trailers?: readonly string[];
}

/** The value of a header, if it is there. */
export function headerOf(message: WireMessage | undefined, name: string): string | undefined {
  const prefix = `${name}: `;
  return message?.headers.find((header) => header.startsWith(prefix))?.substring(prefix.length);
}

/** Where a body ends, and what it was. */
interface FoundBody {
  readonly body: string;
  readonly end: number;
  readonly trailers?: readonly string[];
}

/** Takes a stream of messages apart. Meant for well-formed input: a proxy writes it. */
export class MessageReader {
  readonly #kind: "request" | "response";
  readonly #methods: readonly string[];
  readonly messages: WireMessage[] = [];
  rest = "";

  constructor(kind: "request" | "response", methods: readonly string[]) {
    this.#kind = kind;
    this.#methods = methods;
  }

  push(text: string): void {
    this.rest += text;
    while (this.#takeOne(false));
  }

  /** Nothing more comes: a body without a length is whole now. */
  end(): void {
    this.#takeOne(true);
  }

  #takeOne(isEnd: boolean): boolean {
    const headEnd = this.rest.indexOf("\r\n\r\n");
    if (headEnd === -1) return false;
    const [line = "", ...fields] = this.rest.substring(0, headEnd).split("\r\n");
    const headers = fields.map((field) => {
      const colon = field.indexOf(":");
      return field.substring(0, colon).toLowerCase() + field.substring(colon);
    });
    const written = fields.map((field) => field.substring(0, field.indexOf(":")));
    const isLower = written.every((name) => name === name.toLowerCase());
    const message = { line, headers, body: "", ...(isLower ? {} : { names: written }) };
    const found = this.#takeBody(message, headEnd + 4, isEnd);
    if (found === undefined) return false;
    const { body, trailers = [] } = found;
    this.messages.push({ ...message, body, ...(trailers.length > 0 ? { trailers } : {}) });
    this.rest = this.rest.substring(found.end);
    return true;
  }

  #takeBody(message: WireMessage, from: number, isEnd: boolean): FoundBody | undefined {
    if (this.#hasNoBody(message)) return { body: "", end: from };
    if (headerOf(message, "transfer-encoding") === "chunked") return this.#takeChunks(from);
    const length = headerOf(message, "content-length");
    if (length !== undefined) {
      const end = from + Number(length);
      if (this.rest.length < end) return undefined;
      return { body: this.rest.substring(from, end), end };
    }
    if (this.#kind === "request") return { body: "", end: from };
    return isEnd ? { body: this.rest.substring(from), end: this.rest.length } : undefined;
  }

  #hasNoBody(message: WireMessage): boolean {
    if (this.#kind === "request") return false;
    const status = Number(message.line.split(" ")[1]);
    const finals = this.messages.filter(({ line }) => !line.startsWith("HTTP/1.1 1")).length;
    if (status === 101) return false;
    return status < 200 || status === 204 || status === 304 || this.#methods[finals] === "HEAD";
  }

  #takeChunks(from: number): FoundBody | undefined {
    let body = "";
    for (let at = from; ; ) {
      const lineEnd = this.rest.indexOf("\r\n", at);
      if (lineEnd === -1) return undefined;
      const size = Number.parseInt(this.rest.substring(at, lineEnd), 16);
      const start = lineEnd + 2;
      if (!(size >= 0)) return undefined;
      if (this.rest.length < start + size + 2) return undefined;
      if (size === 0) return this.#takeTrailers(body, start);
      body += this.rest.substring(start, start + size);
      at = start + size + 2;
    }
  }

  #takeTrailers(body: string, from: number): FoundBody | undefined {
    const trailers: string[] = [];
    for (let at = from; ; ) {
      const lineEnd = this.rest.indexOf("\r\n", at);
      if (lineEnd === -1) return undefined;
      if (lineEnd === at) return { body, trailers, end: at + 2 };
      trailers.push(this.rest.substring(at, lineEnd));
      at = lineEnd + 2;
    }
  }
}
