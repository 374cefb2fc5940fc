import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../controlplane/until.ts";
import { plainHeaders } from "./plain-headers.ts";

/** How long a stream may take; then whatever came is the answer. */
const STREAM_MS_MAX = 5_000;

/** One request as a case sends it over HTTP/2. */
export interface H2Request {
  /** Pseudo headers included; `:method` is GET and `:scheme` http unless said. */
  readonly headers: OutgoingHttpHeaders;
  /** Each part waits a moment for the one before; absent is no body at all. */
  readonly body?: readonly (string | Buffer)[];
  readonly trailers?: OutgoingHttpHeaders;
  /** Never ends its side. */
  readonly staysOpen?: boolean;
  /**
   * Resets the stream with this code when so much of the answer came; `sent`: when the upstream has
   * the request, as `hasArrived` says.
   */
  readonly reset?: { readonly at: "head" | "body" | "sent"; readonly code: number };
}

/** What became of it. */
export interface H2Answer {
  readonly headers: readonly string[];
  /** Interim heads. */
  readonly interim: readonly (readonly string[])[];
  /** As Latin-1. */
  readonly body: string;
  readonly trailers: readonly string[];
  /** The name of the code that the stream was reset with; absent when it ended in order. */
  readonly reset?: string;
  /** Whether nothing more came for as long as was waited. */
  readonly isOpen?: true;
}

/** How requests go out. */
export interface ExchangeOptions {
  readonly inTurn?: boolean;
  readonly tls?: SecureClientSessionOptions;
  /** Whether an upstream has the request that is to be reset. */
  readonly hasArrived?: (request: H2Request) => boolean;
}

/** Sends requests over one connection, all at once or one after the other, and says what came. */
export async function exchangeH2(
  port: number,
  requests: readonly H2Request[],
  options: ExchangeOptions = {},
): Promise<readonly H2Answer[]> {
  const scheme = options.tls === undefined ? "http" : "https";
  const session = connect(`${scheme}://127.0.0.1:${port}`, { ...options.tls });
  session.on("error", () => undefined);
  const send = (request: H2Request): Promise<H2Answer> =>
    sendH2(session, request, { scheme, hasArrived: () => options.hasArrived?.(request) ?? true });
  try {
    if (options.inTurn !== true) {
      return await Promise.all(requests.map(send));
    }
    const answers: H2Answer[] = [];
    for (const request of requests) answers.push(await send(request));
    return answers;
  } finally {
    session.destroy();
  }
}

/** Sends one request on a session that is there. */
export async function sendH2(
  session: ClientHttp2Session,
  { headers, body, trailers, staysOpen = false, reset }: H2Request,
  { scheme = "http", hasArrived }: { scheme?: string; hasArrived?: () => boolean } = {},
): Promise<H2Answer> {
  const stream = session.request(
    { ":method": "GET", ":scheme": scheme, ":path": "/", ...headers },
    {
      endStream: body === undefined && trailers === undefined && !staysOpen,
      ...(trailers === undefined ? {} : { waitForTrailers: true }),
    },
  );
  const answer = new AnswerReader(stream, reset);
  if (trailers !== undefined) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  for (const [at, part] of (body ?? []).entries()) {
    if (at > 0) await sleep(30);
    if (!stream.writable) break;
    stream.write(part);
  }
  if (reset?.at === "sent") {
    await until(hasArrived ?? (() => true), "the request to arrive");
    stream.close(reset.code);
  } else if (!staysOpen && stream.writable) stream.end();
  return answer.whole;
}

/** Gathers what comes on one stream. */
class AnswerReader {
  readonly whole: Promise<H2Answer>;
  #headers: readonly string[] = [];
  readonly #interim: (readonly string[])[] = [];
  #body = "";
  #trailers: readonly string[] = [];

  constructor(stream: ClientHttp2Stream, reset: H2Request["reset"]) {
    stream.on("headers", (headers) => this.#interim.push(plainHeaders(headers)));
    stream.on("response", (headers) => {
      this.#headers = plainHeaders(headers);
      if (reset?.at === "head") stream.close(reset.code);
    });
    stream.on("trailers", (headers: IncomingHttpHeaders) => {
      this.#trailers = plainHeaders(headers);
    });
    stream.on("data", (bytes: Buffer) => {
      this.#body += bytes.toString("latin1");
      if (reset?.at === "body") stream.close(reset.code);
    });
    stream.on("error", () => undefined);
    this.whole = new Promise((resolve) => {
      const give = (isOpen: boolean): void => {
        clearTimeout(timer);
        const code = stream.rstCode ?? constants.NGHTTP2_NO_ERROR;
        resolve({
          headers: this.#headers,
          interim: this.#interim,
          body: this.#body,
          trailers: this.#trailers,
          ...(code === 0 ? {} : { reset: codeName(code) }),
          ...(isOpen ? { isOpen } : {}),
        });
      };
      const timer = setTimeout(() => give(true), STREAM_MS_MAX);
      stream.on("close", () => give(false));
    });
  }
}

/** RFC 9113 7: the name of an error code. */
export function codeName(code: number): string {
  const found = Object.entries(constants).find(
    ([name, value]) => value === code && ERROR_NAME.test(name),
  );
  return found?.[0].replace("NGHTTP2_", "") ?? String(code);
}

const ERROR_NAME =
  /^NGHTTP2_(NO_ERROR|PROTOCOL_ERROR|INTERNAL_ERROR|FLOW_CONTROL_ERROR|SETTINGS_TIMEOUT|STREAM_CLOSED|FRAME_SIZE_ERROR|REFUSED_STREAM|CANCEL|COMPRESSION_ERROR|CONNECT_ERROR|ENHANCE_YOUR_CALM|INADEQUATE_SECURITY|HTTP_1_1_REQUIRED)$/;
