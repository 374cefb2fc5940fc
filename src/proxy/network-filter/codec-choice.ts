import type { Socket } from "node:net";
import type { ProxyContext } from "../context.ts";
import type { HttpService } from "../http/http-config.ts";
import { ServerConnection } from "../http1/server-connection.ts";
import { Http2ServerConnection } from "../http2/server-connection.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import { Deadline } from "../net/deadlines.ts";
import { countDestroyed } from "../stats/http-stats.ts";
import type { Adopt, OpenConnection } from "./network-filter.ts";

/** A connection that is to speak HTTP. */
export interface HttpConnection {
  readonly service: HttpService;
  readonly context: ProxyContext;
  readonly connection: AcceptedConnection;
  readonly onEnd: (connection: OpenConnection) => void;
}

/** What a client of HTTP/2 sends first that none of HTTP/1.1 does, as much as Envoy looks at. */
const BEGINNING = Buffer.from("PRI * HTTP/2", "latin1");

/** Opens it with the codec that the listener, or TLS, says; else the client's first bytes do. */
export function openConnection(http: HttpConnection, adopt: Adopt): OpenConnection {
  const { codec } = http.service.config;
  const alpn = http.connection.tls?.alpn ?? "";
  if (codec === "HTTP1") return openAs(http, false, adopt);
  if (codec === "HTTP2" || alpn !== "")
    return openAs(http, codec === "HTTP2" || alpn === "h2", adopt);
  return new UndecidedConnection(http, adopt);
}

function openAs(http: HttpConnection, isHttp2: boolean, adopt: Adopt): OpenConnection {
  const { service, context, connection, onEnd } = http;
  const parts = { service, context, connection, adopt, onEnd };
  connection.protocol = isHttp2 ? "HTTP/2" : "HTTP/1.1";
  return isHttp2 ? new Http2ServerConnection(parts) : new ServerConnection(parts);
}

/** A connection whose client has not said which HTTP it speaks; later it stands for the one it is. */
class UndecidedConnection implements OpenConnection {
  readonly #http: HttpConnection;
  readonly #socket: Socket;
  readonly #idle: Deadline;
  #inner: OpenConnection | undefined = undefined;
  /** What came, while it may be the beginning of either. */
  #start: Buffer | undefined = undefined;
  readonly #startMs: number;
  /** It was closed here, not by the client. */
  #isClosed = false;
  #isOver = false;

  constructor(http: HttpConnection, adopt: Adopt) {
    this.#http = http;
    this.#socket = adopt(this);
    const { context, service } = http;
    this.#startMs = context.clock.monotonicMs();
    const { counters } = service.stats;
    counters.downstream_cx_total++;
    counters.downstream_cx_active++;
    this.#idle = new Deadline({ onDeadline: () => this.#onIdle() });
    const { idleTimeoutMs } = service.config;
    if (idleTimeoutMs === 0) return;
    context.timeouts.connectionIdle.set(this.#idle, idleTimeoutMs, context.clock.monotonicMs());
  }

  #onIdle(): void {
    this.#http.service.stats.counters.downstream_cx_idle_timeout++;
    this.destroy();
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#inner !== undefined) return this.#inner.onBytes(buffer, length);
    const before = this.#start;
    const bytes =
      before === undefined ? buffer : Buffer.concat([before, buffer.subarray(0, length)]);
    const end = before === undefined ? length : bytes.length;
    const looked = Math.min(end, BEGINNING.length);
    const isAlike = bytes.compare(BEGINNING, 0, looked, 0, looked) === 0;
    if (isAlike && looked < BEGINNING.length) {
      this.#start = Buffer.from(bytes.subarray(0, end));
      return;
    }
    this.#decide(isAlike).onBytes(bytes, end);
  }

  #decide(isHttp2: boolean): OpenConnection {
    this.#idle.cancel();
    this.#start = undefined;
    // From here on the codec's connection counts itself.
    const { counters } = this.#http.service.stats;
    counters.downstream_cx_total--;
    counters.downstream_cx_active--;
    const inner = openAs({ ...this.#http, onEnd: () => this.#over() }, isHttp2, () => this.#socket);
    this.#inner = inner;
    return inner;
  }

  onEnd(): void {
    if (this.#inner !== undefined) this.#inner.onEnd();
    else this.destroy();
  }

  onDrain(): void {
    this.#inner?.onDrain();
  }

  onClose(error: Error | undefined): void {
    if (this.#inner !== undefined) this.#inner.onClose(error);
    else this.#over();
  }

  destroy(): void {
    if (this.#inner !== undefined) return this.#inner.destroy();
    this.#isClosed = true;
    this.#socket.destroy();
    this.#over();
  }

  closeIfIdle(): void {
    if (this.#inner !== undefined) this.#inner.closeIfIdle();
    else this.destroy();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#idle.cancel();
    if (this.#inner === undefined) this.#count();
    this.#http.onEnd(this);
  }

  #count(): void {
    const { service, context } = this.#http;
    countDestroyed(service.stats.counters, this.#isClosed, false);
    const lengthMs = context.clock.monotonicMs() - this.#startMs;
    service.stats.connectionLength.add(Math.floor(lengthMs));
  }
}
