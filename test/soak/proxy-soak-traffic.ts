import { Agent, request } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
} from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { GrpcEchoClient } from "../proxy/grpc-echo.ts";
import { askTls } from "../proxy/tls-client.ts";
import type { SoakPorts } from "./proxy-soak-world.ts";

/** Who does not answer in this time does not answer at all. */
const ANSWER_MS_MAX = 20_000;
const HTTP1_REQUESTS = 12;
const HTTP2_STREAMS = 10;
const MOVING_TRIES = 100;
/** What stays open does so for so many rounds. */
const ROUNDS_KEPT = 25;
const BODY = Buffer.alloc(20_000, "request ");
const PATHS = ["/", "/big", "/?q=1", "/big?gzip"];
const UPGRADE = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";

const KINDS = ["http1", "http2", "grpc", "webSocket", "tls", "moving", "broken"] as const;
type Kind = (typeof KINDS)[number];

/** What came of the requests of one kind. */
interface Tally {
  ok: number;
  failed: number;
  stuck: number;
}

type Outcome = "ok" | "failed" | "stuck";

/** The clients of a proxy in a soak: those that do as they should, and those that break off. */
export class ProxySoakTraffic {
  readonly #ports: SoakPorts;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #tallies: Record<Kind, Tally>;
  #round = 0;
  #session: ClientHttp2Session | undefined = undefined;
  #held: ClientHttp2Stream | undefined = undefined;
  #webSocket: Socket | undefined = undefined;
  #grpc: GrpcEchoClient;

  constructor(ports: SoakPorts) {
    this.#ports = ports;
    this.#grpc = new GrpcEchoClient(ports.plain);
    this.#tallies = Object.fromEntries(
      KINDS.map((kind) => [kind, { ok: 0, failed: 0, stuck: 0 }]),
    ) as Record<Kind, Tally>;
  }

  /** How many requests there were. */
  get requests(): number {
    return Object.values(this.#tallies).reduce((sum, { ok, failed }) => sum + ok + failed, 0);
  }

  /** What came of them, by kind. */
  get outcomes(): Readonly<Record<string, Readonly<Tally>>> {
    return this.#tallies;
  }

  /** One of everything. */
  async round(movingPort: number): Promise<void> {
    const round = ++this.#round;
    const { plain, files, ads } = this.#ports;
    await Promise.all([
      ...repeat(HTTP1_REQUESTS, (at) => this.#count("http1", this.#askHttp1(plain, at))),
      ...repeat(HTTP2_STREAMS, (at) => this.#count("http2", this.#askHttp2(at))),
      this.#count("grpc", this.#callGrpc(round)),
      this.#count("webSocket", talk(connect(plain, "127.0.0.1"))),
      this.#count(
        "tls",
        askTls(files).then(({ status }) => (status === "200" ? "ok" : "failed")),
      ),
      this.#count("tls", this.#askTlsHttp2(ads)),
      this.#count("moving", this.#askMoving(movingPort)),
      this.#count("broken", this.#breakOff(round)),
    ]);
    this.#keep(round);
  }

  async #count(kind: Kind, outcome: Promise<Outcome>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const stuck = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => resolve("stuck"), ANSWER_MS_MAX);
    });
    this.#tallies[kind][await Promise.race([outcome, stuck])]++;
    clearTimeout(timer);
  }

  #askHttp1(port: number, at: number, agent = this.#agent): Promise<Outcome> {
    const method = at % 4 === 3 ? "POST" : "GET";
    const headers = { "accept-encoding": "gzip" };
    const path = PATHS[at % PATHS.length] ?? "/";
    return new Promise((resolve) => {
      const sent = request(
        { host: "127.0.0.1", port, agent, method, path, headers },
        (response) => {
          response.on("error", () => resolve("failed"));
          response.on("close", () => resolve(response.statusCode === 200 ? "ok" : "failed"));
          response.resume();
        },
      );
      sent.on("error", () => resolve("failed"));
      sent.end(method === "POST" ? BODY : undefined);
    });
  }

  /** The proxy may not have heard of that listener yet. */
  async #askMoving(port: number): Promise<Outcome> {
    for (let tries = 0; tries < MOVING_TRIES; tries++) {
      if ((await this.#askHttp1(port, 0, new Agent())) === "ok") return "ok";
      await sleep(50);
    }
    return "failed";
  }

  #askHttp2(at: number): Promise<Outcome> {
    const { plain } = this.#ports;
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = connectHttp2(`http://127.0.0.1:${plain}`);
      this.#session.on("error", () => undefined);
      // Streams that are open end on it; others go to the next connection.
      this.#session.on("goaway", () => {
        this.#session = undefined;
      });
    }
    return answerOf(openStream(this.#session, at));
  }

  async #askTlsHttp2(port: number): Promise<Outcome> {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    session.on("error", () => undefined);
    const outcomes = await Promise.all(repeat(3, (at) => answerOf(openStream(session, at))));
    session.destroy();
    return outcomes.every((one) => one === "ok") ? "ok" : "failed";
  }

  async #callGrpc(round: number): Promise<Outcome> {
    if (round % ROUNDS_KEPT === 0) {
      this.#grpc.close();
      this.#grpc = new GrpcEchoClient(this.#ports.plain);
    }
    const messages = ["one", "two", "three"].map((text) => Buffer.from(text.repeat(300)));
    const [asked = BODY] = messages;
    const unary = await this.#grpc.call("unary", [asked]);
    const chat = await this.#grpc.call("chat", messages);
    // One that is given up in the middle.
    await this.#grpc.call("never", [asked], { deadlineMs: 50 });
    return unary.code === 0 && chat.messages.length === messages.length ? "ok" : "failed";
  }

  /** A stream and a WebSocket that live through many changes, as long as they are let. */
  #keep(round: number): void {
    if (round % ROUNDS_KEPT === 0) {
      this.#held?.close();
      this.#webSocket?.destroy();
      this.#held = undefined;
      this.#webSocket = undefined;
    }
    const session = this.#session;
    const isThere = session !== undefined && !session.closed && !session.destroyed;
    if (isThere && (this.#held === undefined || this.#held.closed)) {
      this.#held = session.request({ ":method": "POST", ":path": "/echo" });
      this.#held.on("error", () => undefined);
      this.#held.resume();
    }
    if (this.#webSocket === undefined || this.#webSocket.destroyed) {
      this.#webSocket = connect(this.#ports.plain, "127.0.0.1");
      this.#webSocket.on("error", () => undefined);
      this.#webSocket.resume().write(UPGRADE);
    }
    if (this.#held?.writable === true) this.#held.write(BODY);
    if (this.#webSocket.writable) this.#webSocket.write(BODY);
  }

  /** Goes in the middle of something. */
  async #breakOff(round: number): Promise<Outcome> {
    const { plain, files } = this.#ports;
    const breaks = [
      () => breakAfter(plain, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nbegun"),
      () => breakAfter(plain, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n", 1),
      () => breakAfter(plain, "GET /big HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n", 1),
      () => breakAfter(plain, "GET / HT"),
      () => breakAfter(plain, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04"),
      () => breakAfter(plain, UPGRADE, 1),
      () => breakTls(files),
      () => breakStreams(plain, "stream"),
      () => breakStreams(plain, "session"),
    ];
    await breaks[round % breaks.length]?.();
    return "ok";
  }

  stop(): void {
    this.#agent.destroy();
    this.#session?.destroy();
    this.#webSocket?.destroy();
    this.#grpc.close();
  }
}

function repeat<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

function openStream(session: ClientHttp2Session, at: number): ClientHttp2Stream {
  const method = at % 4 === 3 ? "POST" : "GET";
  const stream = session.request({
    ":method": method,
    ":path": PATHS[at % PATHS.length] ?? "/",
    "accept-encoding": "gzip",
  });
  stream.end(method === "POST" ? BODY : undefined);
  return stream;
}

function answerOf(stream: ClientHttp2Stream): Promise<Outcome> {
  return new Promise((resolve) => {
    let status: number | undefined;
    stream.on("response", (headers) => {
      status = headers[":status"];
    });
    stream.on("error", () => undefined);
    stream.on("close", () => resolve(status === 200 && stream.rstCode === 0 ? "ok" : "failed"));
    stream.resume();
  });
}

/** A WebSocket that says something, hears it again, and goes. */
function talk(socket: Socket): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text.endsWith("said") ? "ok" : "failed"));
    socket.on("data", (bytes: Buffer) => {
      const isFirst = text === "";
      text += bytes.toString("latin1");
      if (isFirst && text.startsWith("HTTP/1.1 101")) socket.write("said");
      else socket.end();
    });
    socket.write(UPGRADE);
  });
}

/** Says something, waits for so many reads, and resets. */
function breakAfter(port: number, text: string, reads = 0): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let left = reads;
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.on("data", () => {
      if (--left <= 0) socket.resetAndDestroy();
    });
    socket.write(text, "latin1", () => {
      if (reads === 0) socket.resetAndDestroy();
    });
  });
}

/** Goes in the middle of the handshake. */
function breakTls(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    // The hello goes out then.
    socket.on("connect", () => setImmediate(() => socket.destroy()));
  });
}

/** Resets streams at their first bytes, or goes with all of them. */
function breakStreams(port: number, what: "stream" | "session"): Promise<void> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", () => undefined);
    session.on("close", () => resolve());
    const streams = repeat(4, (at) => openStream(session, at));
    for (const stream of streams) {
      stream.on("error", () => undefined);
      stream.once("data", () => (what === "session" ? session.destroy() : stream.close(8)));
      stream.on("close", () => {
        if (streams.every(({ closed }) => closed)) session.close();
      });
    }
  });
}
