import { Agent, type RequestOptions, request } from "node:http";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { request as requestTls, Agent as TlsAgent } from "node:https";

/** How many requests may be under way; who is slower than that gets fewer. */
const IN_FLIGHT_MAX = 200;
const TICK_MS = 5;
const REFUSED = constants.NGHTTP2_REFUSED_STREAM;

/** What came of the requests. */
export interface LoadResult {
  readonly sent: number;
  /** Answers that were not 200, and connections that broke, with how often. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Who is asked, and how. */
export interface LoadTarget {
  /** Sends one request and says, once, what came of it: a status, or the name of an error. */
  ask(done: (outcome: string) => void): void;
  close(): void;
}

/** Kept connections of HTTP/1.1, with `tls` over TLS. */
export function http1Target(options: RequestOptions, tls = false): LoadTarget {
  const pool = { keepAlive: true, maxSockets: IN_FLIGHT_MAX };
  const agent = tls ? new TlsAgent({ ...pool, rejectUnauthorized: false }) : new Agent(pool);
  return {
    ask(done) {
      const sent = (tls ? requestTls : request)({ ...options, agent }, (response) => {
        response.on("error", () => done("broken"));
        response.on("end", () => done(String(response.statusCode)));
        response.resume();
      });
      sent.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? "error"));
      sent.end();
    },
    close: () => agent.destroy(),
  };
}

/**
 * Streams of one HTTP/2 connection; the next one is made when its peer says that it goes. A stream
 * that was not begun (RFC 9113 8.7: REFUSED_STREAM) is asked for again there: Node ends those so that
 * it was about to send as the GOAWAY came.
 */
export function http2Target(url: string): LoadTarget {
  let current: ClientHttp2Session | undefined;
  const all = new Set<ClientHttp2Session>();
  const open = (): ClientHttp2Session => {
    const session = connect(url, { rejectUnauthorized: false });
    all.add(session);
    const leave = (): void => {
      if (current === session) current = undefined;
    };
    session.on("error", leave);
    session.on("goaway", leave);
    session.on("close", () => {
      leave();
      all.delete(session);
    });
    return session;
  };
  return {
    ask: function ask(done) {
      current ??= open();
      const stream = current.request({ ":path": "/" });
      let status = "no answer";
      let cause = "";
      stream.on("response", (headers) => {
        status = String(headers[":status"]);
      });
      stream.on("error", (error) => {
        cause = error.message;
      });
      stream.on("close", () => {
        if (stream.rstCode === REFUSED && status === "no answer") ask(done);
        else done(stream.rstCode === 0 ? status : cause);
      });
      stream.resume();
    },
    close() {
      for (const session of all) session.destroy();
    },
  };
}

/**
 * Asks so many times a second, whether answers come or not, until it is stopped. What a slow machine
 * has no time for is left out: nothing is made up for later.
 */
export class OpenLoop {
  readonly #target: LoadTarget;
  readonly #timer: NodeJS.Timeout;
  readonly #failures: Record<string, number> = {};
  #inFlight = 0;
  #sent = 0;
  #onIdle: () => void = () => undefined;

  /** A port of 127.0.0.1 is asked in HTTP/1.1. */
  constructor(target: LoadTarget | number, perSecond: number) {
    this.#target =
      typeof target === "number" ? http1Target({ host: "127.0.0.1", port: target }) : target;
    const each = Math.ceil((perSecond * TICK_MS) / 1000);
    this.#timer = setInterval(() => this.#tick(each), TICK_MS);
  }

  get sent(): number {
    return this.#sent;
  }

  #tick(count: number): void {
    for (let left = count; left > 0 && this.#inFlight < IN_FLIGHT_MAX; left--) this.#send();
  }

  #send(): void {
    this.#inFlight++;
    this.#sent++;
    let isOver = false;
    this.#target.ask((outcome) => {
      if (isOver) return;
      isOver = true;
      if (outcome !== "200") this.#failures[outcome] = (this.#failures[outcome] ?? 0) + 1;
      this.#inFlight--;
      if (this.#inFlight === 0) this.#onIdle();
    });
  }

  /** Sends no more, and waits for what is under way. */
  async stop(): Promise<LoadResult> {
    clearInterval(this.#timer);
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#target.close();
    return { sent: this.#sent, failures: this.#failures };
  }
}
