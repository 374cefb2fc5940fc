import type { Priority } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { UpstreamNames } from "../cluster/host-dial.ts";
import type { ByteMeter } from "../http/byte-meter.ts";
import type { ResetReason } from "../http/local-reply.ts";
import type { UpstreamExchange, UpstreamPool, Waiter } from "../http/upstream-exchange.ts";
import { HttpPool } from "../upstream/http-pool.ts";
import type { RoutedStream } from "./routed-stream.ts";
import { TcpTunnel } from "./tcp-tunnel.ts";

/** Who looks for exchanges: answered once for each `open`, perhaps before that returns. */
export interface Seeker {
  onExchange(exchange: UpstreamExchange): void;
  onNoExchange(reason: ResetReason): void;
}

/** Which exchange is wanted. */
export interface ExchangeWish {
  readonly priority: Priority;
  /** By which names its TLS connection is made; absent where the cluster's hold. */
  readonly names: UpstreamNames | undefined;
  /** For a CONNECT that ends here: what its TCP connection begins with, as Latin-1. */
  readonly tunnelPrefix: string | undefined;
}

/** Finds what carries the attempts of one request after the other, and keeps what came of it for logs. */
export class ExchangeSearch implements Waiter {
  readonly #stream: RoutedStream;
  readonly #seeker: Seeker;
  readonly #keepsTimes: boolean;
  /** The last one, which may serve others by now. */
  last: UpstreamExchange | undefined = undefined;
  /** Why the last attempt had no connection, in the system's words; "" when it had. */
  transportFailure = "";
  /** How long the last attempt waited for its connection, or for none; only kept for logs. */
  poolReadyMs = -1;
  /** Where a connection is waited for. */
  #pool: UpstreamPool | undefined = undefined;
  /** The other end of a CONNECT, while it is waited for. */
  #tunnel: TcpTunnel | undefined = undefined;

  constructor(stream: RoutedStream, seeker: Seeker, meter: ByteMeter | undefined) {
    this.#stream = stream;
    this.#seeker = seeker;
    this.#keepsTimes = meter !== undefined;
  }

  /** A request begins: of what was before it nothing is told. */
  reset(): void {
    this.last = undefined;
    this.transportFailure = "";
    this.poolReadyMs = -1;
  }

  open(host: Host, { priority, names, tunnelPrefix }: ExchangeWish): void {
    const { context, connection, protocol } = this.#stream;
    // Until it ends it holds when the wait began, as a number below 0.
    if (this.#keepsTimes) this.poolReadyMs = -context.clock.monotonicMs();
    if (tunnelPrefix !== undefined) {
      const options = { context, priority, prefix: tunnelPrefix, client: connection };
      this.#tunnel = TcpTunnel.open(host, options, this);
      return;
    }
    this.#pool = HttpPool.of(host, context, { priority, client: connection, names, protocol });
    this.#pool.acquire(this);
  }

  /** Gives up waiting, where something is waited for. */
  cancel(): void {
    this.#pool?.cancel(this);
    this.#pool = undefined;
    this.#tunnel?.abandon();
    this.#tunnel = undefined;
  }

  onConnection(exchange: UpstreamExchange): void {
    this.last = exchange;
    this.#endWait("");
    this.#seeker.onExchange(exchange);
  }

  onNoConnection(reason: ResetReason, transportFailure: string): void {
    this.#endWait(transportFailure);
    this.#seeker.onNoExchange(reason);
  }

  #endWait(transportFailure: string): void {
    this.#pool = undefined;
    this.#tunnel = undefined;
    this.transportFailure = transportFailure;
    if (this.#keepsTimes) this.poolReadyMs += this.#stream.context.clock.monotonicMs();
  }
}
