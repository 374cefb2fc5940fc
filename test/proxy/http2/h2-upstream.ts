import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { codeName } from "./h2-client.ts";
import { plainHeaders } from "./plain-headers.ts";

/** What an upstream of HTTP/2 does with a request. */
export interface H2Script {
  readonly interim?: OutgoingHttpHeaders;
  /** Without it nothing is answered. */
  readonly headers?: OutgoingHttpHeaders;
  /** Parts go out a moment after one another. */
  readonly body?: readonly (string | Buffer)[];
  readonly trailers?: OutgoingHttpHeaders;
  /** Answers at the head, without waiting for the body. */
  readonly isEarly?: boolean;
  /** Resets the stream behind what it has sent: with this code where that is nothing. */
  readonly reset?: number;
  /** Ends the connection with GOAWAY and this code, behind what it has sent. */
  readonly goaway?: number;
  /** Closes the connection without a word. */
  readonly destroys?: boolean;
  /** Never ends its side. */
  readonly staysOpen?: boolean;
  /** Sends back the request's body and trailers as they come. */
  readonly echoes?: boolean;
}

/** What the upstream was sent. */
export interface H2Seen {
  readonly headers: readonly string[];
  body: string;
  trailers: readonly string[];
  /** The name of the code that the other side reset it with. */
  reset?: string;
}

const OK: H2Script = { headers: { ":status": 200, "x-up": "yes" }, body: ["hi"] };

/** A server of node:http2 that answers by path and keeps what it was sent. */
export class H2Upstream {
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #scripts: Readonly<Record<string, H2Script>>;
  /** In the order in which they began. */
  readonly requests: H2Seen[] = [];
  connections = 0;
  openStreams = 0;

  private constructor(scripts: Readonly<Record<string, H2Script>>, settings: object) {
    this.#scripts = scripts;
    this.#server = createServer({ settings: { enableConnectProtocol: true, ...settings } });
    this.#server.on("session", (session) => {
      this.connections++;
      this.#sessions.add(session);
      session.on("error", () => undefined);
      session.on("close", () => this.#sessions.delete(session));
    });
    this.#server.on("stream", (stream, headers) => this.#answer(stream, headers));
  }

  /** Listens on a free port of 127.0.0.1; `settings` are what it tells its clients. */
  static async start(
    scripts: Readonly<Record<string, H2Script>>,
    settings: object = {},
  ): Promise<H2Upstream> {
    const upstream = new H2Upstream(scripts, settings);
    await new Promise<void>((resolve, reject) => {
      upstream.#server.once("error", reject);
      upstream.#server.listen(0, "127.0.0.1", resolve);
    });
    return upstream;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const path = (headers[":path"] ?? "").split("?")[0] ?? "";
    const script = this.#scripts[path] ?? OK;
    const seen: H2Seen = { headers: plainHeaders(headers), body: "", trailers: [] };
    this.requests.push(seen);
    this.openStreams++;
    stream.on("error", () => undefined);
    stream.on("close", () => {
      this.openStreams--;
      if (stream.rstCode !== 0 && script.reset === undefined) {
        seen.reset = codeName(stream.rstCode ?? 0);
      }
    });
    stream.on("trailers", (trailers) => {
      seen.trailers = plainHeaders(trailers);
    });
    stream.on("data", (bytes: Buffer) => {
      seen.body += bytes.toString("latin1");
    });
    if (script.echoes === true) echo(stream);
    else if (script.isEarly === true || stream.endAfterHeaders) void speak(stream, script);
    else stream.on("end", () => void speak(stream, script));
  }

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

function echo(stream: ServerHttp2Stream): void {
  let trailers: IncomingHttpHeaders = {};
  stream.on("trailers", (got) => {
    trailers = got;
  });
  stream.respond({ ":status": 200, "content-type": "text/plain" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ ...trailers, "x-end": "yes" }));
  stream.pipe(stream);
}

async function speak(stream: ServerHttp2Stream, script: H2Script): Promise<void> {
  const { interim, headers, body = [], trailers } = script;
  if (stream.destroyed) return;
  if (interim !== undefined) stream.additionalHeaders(interim);
  const stays = script.staysOpen === true || script.reset !== undefined;
  const isWhole = body.length === 0 && trailers === undefined && !stays;
  if (headers !== undefined) {
    stream.respond(headers, { endStream: isWhole, waitForTrailers: trailers !== undefined });
  }
  if (trailers !== undefined) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  for (const [at, part] of body.entries()) {
    if (at > 0) await pause(30);
    if (stream.writable) stream.write(part);
  }
  await breakOff(stream, script);
  if (!stream.destroyed && !stays && headers !== undefined && !isWhole) stream.end();
}

async function breakOff(
  stream: ServerHttp2Stream,
  { headers, reset, goaway, destroys = false }: H2Script,
): Promise<void> {
  if (reset === undefined && goaway === undefined && !destroys) return;
  await pause(30);
  if (stream.destroyed) return;
  // Before a head, with the code; behind one Node would end the stream in order first.
  if (reset !== undefined && headers === undefined) stream.close(reset);
  else if (reset !== undefined) stream.destroy(new Error("as the case says"));
  if (goaway !== undefined) stream.session?.goaway(goaway);
  if (destroys) stream.session?.destroy();
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
