import type { Socket } from "node:net";
import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import type { SocketOwner } from "../net/socket.ts";
import type { OpenConnection } from "../network-filter/network-filter.ts";
import { countDestroyed, type HttpCounters } from "../stats/http-stats.ts";
import type { HttpService } from "./http-config.ts";

/** What a codec's connection from a client is made of. */
export interface ServerParts {
  readonly service: HttpService;
  readonly context: ProxyContext;
  readonly connection: ConnectionInfo;
  /** Gives the socket, whose events go to `owner` from then on. */
  readonly adopt: (owner: SocketOwner) => Socket;
  /** Told once, when nothing of the connection is left. */
  readonly onEnd: (connection: OpenConnection) => void;
}

/** A connection from a client as every version of HTTP counts it, and how old it may get. */
export class ServerLine {
  readonly socket: Socket;
  readonly counters: HttpCounters;
  readonly #parts: ServerParts;
  readonly #isHttp2: boolean;
  readonly #startMs: number;
  /** Absent when it may be as old as it gets. */
  readonly #age: Deadline | undefined;
  isClosed = false;

  constructor(
    owner: OpenConnection,
    parts: ServerParts,
    { isHttp2, onOldAge }: { readonly isHttp2: boolean; readonly onOldAge: () => void },
  ) {
    const { service, context, adopt } = parts;
    const counters = service.stats.counters;
    this.socket = adopt(owner);
    this.counters = counters;
    this.#parts = parts;
    this.#isHttp2 = isHttp2;
    this.#startMs = context.clock.monotonicMs();
    counters.downstream_cx_total++;
    counters.downstream_cx_active++;
    if (isHttp2) {
      counters.downstream_cx_http2_total++;
      counters.downstream_cx_http2_active++;
    } else {
      counters.downstream_cx_http1_total++;
      counters.downstream_cx_http1_active++;
    }
    const { connectionDurationMsMax } = service.config;
    if (connectionDurationMsMax === 0) return;
    this.#age = new Deadline({
      onDeadline() {
        counters.downstream_cx_max_duration_reached++;
        onOldAge();
      },
    });
    context.deadlines.set(this.#age, connectionDurationMsMax, this.#startMs);
  }

  /** The socket is gone; `isLocal`: closed here, not by the client. Only once. */
  close(isLocal: boolean, hadRequest: boolean): void {
    const { counters } = this;
    const { service, context } = this.#parts;
    this.isClosed = true;
    this.#age?.cancel();
    if (this.#isHttp2) counters.downstream_cx_http2_active--;
    else counters.downstream_cx_http1_active--;
    countDestroyed(counters, isLocal, hadRequest);
    counters.downstream_cx_tx_bytes_total += this.socket.bytesWritten;
    const lengthMs = context.clock.monotonicMs() - this.#startMs;
    service.stats.connectionLength.add(Math.floor(lengthMs));
  }
}
