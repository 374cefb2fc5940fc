import type { Priority } from "../cluster/breakers.ts";
import type { Host } from "../cluster/host.ts";
import type { DialClient } from "../cluster/host-dial.ts";
import type { ProxyContext } from "../context.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import { type RequestHead, ResponseHead } from "../http/message-head.ts";
import type { ResponseSink, UpstreamExchange, Waiter } from "../http/upstream-exchange.ts";
import type { Sender } from "../net/sender.ts";
import { TcpUpstream, type UpstreamEvents } from "../network-filter/tcp-upstream.ts";

/** What a tunnel is opened with; `prefix` (Latin-1) is sent before anything of the client's. */
interface TunnelOptions {
  readonly context: ProxyContext;
  readonly priority: Priority;
  readonly prefix: string;
  /** Whose tunnel it is. */
  readonly client: DialClient;
}

/**
 * The far end of a CONNECT, or of a POST that stands for one, that this proxy answers itself: one TCP connection for one tunnel, never
 * of a pool, counted by the cluster as Envoy counts it. When either side ends so does the other.
 */
export class TcpTunnel implements UpstreamExchange, UpstreamEvents {
  readonly protocol = undefined;
  readonly isReused = false;
  readonly host: Host;
  readonly #prefix: string;
  readonly #waiter: Waiter;
  readonly line: TcpUpstream;
  #sink: ResponseSink | undefined = undefined;
  #state: "connecting" | "open" | "closed" = "connecting";

  private constructor(
    host: Host,
    { context, priority, prefix, client }: TunnelOptions,
    waiter: Waiter,
  ) {
    this.host = host;
    this.#prefix = prefix;
    this.#waiter = waiter;
    this.line = new TcpUpstream(host, context, this, priority, client);
  }

  /** Connects; the waiter is told of it. `undefined` when no more may wait, and the waiter knows. */
  static open(host: Host, options: TunnelOptions, waiter: Waiter): TcpTunnel | undefined {
    const { priority } = options;
    const { load } = host;
    if (load.breakers[priority].canWait()) return new TcpTunnel(host, options, waiter);
    load.pendingOverflow++;
    waiter.onNoConnection(RESET.overflow, "");
    return undefined;
  }

  get isFull(): boolean {
    return this.line.out?.isFull ?? false;
  }
  get #out(): Sender {
    const { out } = this.line;
    if (out === undefined) throw new Error("the connection is not made yet");
    return out;
  }

  onReady(): void {
    this.#state = "open";
    this.#out.text(this.#prefix);
    this.#waiter.onConnection(this);
    this.#out.flush();
    // The waiter has written what the client sent ahead.
    const head = new ResponseHead();
    head.status = 200;
    this.#sink?.onResponseHead(head, true);
    this.#sink?.onReadEnd();
  }

  begin(sink: ResponseSink, _head: RequestHead, _scheme: string, isEnd: boolean): void {
    this.#sink = sink;
    // Only a POST is over with its head.
    if (isEnd) this.endTunnel();
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#sink?.onBodyBytes(buffer, 0, length);
    this.#sink?.onReadEnd();
  }

  onDrain(): void {
    this.#sink?.onSendDrain();
  }

  onEnd(): void {
    const sink = this.#sink;
    this.#close();
    sink?.onBodyEnd();
  }

  onClose(isConnected: boolean): void {
    const sink = this.#sink;
    this.#close();
    if (isConnected) {
      sink?.onReset(RESET.termination);
      return;
    }
    const { isTooLate, transportFailure } = this.line;
    const reason: ResetReason = isTooLate ? RESET.connectTimeout : RESET.connectFailure;
    this.#waiter.onNoConnection(reason, transportFailure);
  }

  sendBytes(buffer: Buffer, from: number, to: number): void {
    this.#out.bytes(buffer, from, to);
  }

  sendEnd(): void {
    this.endTunnel();
  }

  flush(): void {
    this.#out.flush();
  }

  endTunnel(): void {
    this.#out.flushNow();
    this.line.end();
  }

  abandon(): void {
    if (this.#state === "open") this.#out.flushNow();
    this.#close();
  }

  pause(): void {
    this.line.pause();
  }

  resume(): void {
    this.line.resume();
  }

  #close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#sink = undefined;
    this.line.destroy();
  }
}
