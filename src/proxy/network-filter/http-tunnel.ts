import type { HeaderMutations } from "../../match/header-mutations.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { TextFormat } from "../../match/substitution.ts";
import type { Host } from "../cluster/host.ts";
import type { DialClient } from "../cluster/host-dial.ts";
import type { ProxyContext } from "../context.ts";
import { applyMutations } from "../http/header-mutation.ts";
import { RESET, type ResetReason } from "../http/local-reply.ts";
import { CODING, RequestHead, type ResponseHead } from "../http/message-head.ts";
import { isAuthority } from "../http/parse-fields.ts";
import type {
  ExchangeLine,
  ResponseSink,
  UpstreamExchange,
  UpstreamPool,
  Waiter,
} from "../http/upstream-exchange.ts";
import { HttpPool } from "../upstream/http-pool.ts";
import type { FarEnd, UpstreamEvents } from "./tcp-upstream.ts";

/** How bytes of a connection are carried to another proxy, decoded and checked. */
export interface TunnelConfig {
  /** What the other proxy shall connect to: `host:port`. */
  readonly hostname: TextFormat;
  /** The path of a POST whose body the bytes are; `undefined` for a CONNECT. */
  readonly postPath: string | undefined;
  /** Written into the request. */
  readonly headers: HeaderMutations;
}

/** What a tunnel is opened with. */
interface TunnelOptions {
  readonly context: ProxyContext;
  readonly config: TunnelConfig;
  readonly client: DialClient;
  /** What is known of the connection, for formats. */
  readonly info: StreamInfo;
  readonly events: UpstreamEvents;
}

/**
 * The far end of a TCP connection that another HTTP proxy makes for us (Envoy,
 * `TcpProxy.TunnelingConfig`): one request of HTTP/1.1, over a connection of the cluster's pool. Until
 * it is granted with a status of 2xx the client's bytes are kept.
 */
export class HttpTunnel implements FarEnd, ResponseSink, Waiter {
  readonly host: Host;
  readonly #options: TunnelOptions;
  readonly #head = new RequestHead();
  #pool: UpstreamPool | undefined = undefined;
  #connection: UpstreamExchange | undefined = undefined;
  /** That of the same, also after its end: for logs. */
  #line: ExchangeLine | undefined = undefined;
  #early: Buffer[] = [];
  #isEndDue = false;
  #state: "connecting" | "open" | "closed" = "connecting";
  isTooLate = false;
  transportFailure = "";

  constructor(host: Host, options: TunnelOptions) {
    this.host = host;
    this.#options = options;
    const { config, info } = options;
    const head = this.#head;
    head.method = config.postPath === undefined ? "CONNECT" : "POST";
    head.path = config.postPath ?? "";
    head.coding = config.postPath === undefined ? CODING.none : CODING.chunked;
    head.authority = config.hostname(info);
    applyMutations([config.headers], head.headers, info);
  }

  get id(): number {
    return this.#line?.id ?? 0;
  }
  get connectStartMs(): number {
    return this.#line?.connectStartMs ?? -1;
  }
  get connectedMs(): number {
    return this.#line?.connectedMs ?? -1;
  }
  get localAddress(): FarEnd["localAddress"] {
    return this.#line?.localAddress;
  }
  get remoteAddress(): FarEnd["remoteAddress"] {
    return this.#line?.remoteAddress;
  }
  get tls(): FarEnd["tls"] {
    return this.#line?.tls;
  }

  /** Begins; the events may come before this returns. */
  open(): void {
    const { context, client } = this.#options;
    const { authority } = this.#head;
    // What a client said of itself may have made the name.
    if (authority === "" || !isAuthority(authority)) return this.#fail("refused");
    this.#pool = HttpPool.of(this.host, context, { client });
    this.#pool.acquire(this);
  }

  onConnection(connection: UpstreamExchange): void {
    this.#pool = undefined;
    this.#connection = connection;
    this.#line = connection.line;
    connection.begin(this, this.#head, "http", false);
    connection.flush();
  }

  onNoConnection(reason: ResetReason, transportFailure: string): void {
    this.#pool = undefined;
    this.transportFailure = transportFailure;
    this.isTooLate = reason === RESET.connectTimeout;
    this.#fail(reason === RESET.overflow ? "refused" : "unreachable");
  }

  onResponseHead({ status }: ResponseHead, hasBody: boolean): void {
    this.host.countResponse(status);
    // A tunnel that ends with its first word is none.
    if (status < 200 || status > 299 || !hasBody) return this.#fail("refused");
    this.#state = "open";
    for (const bytes of this.takeEarly()) this.#send(bytes, bytes.length);
    if (this.#isEndDue) this.#sendEnd();
    this.#options.events.onReady();
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#options.events.onBytes(from === 0 ? buffer : buffer.subarray(from), to - from);
  }

  onBodyEnd(): void {
    this.#connection = undefined;
    if (this.#state !== "open") return;
    this.#state = "closed";
    this.#options.events.onEnd();
    this.#options.events.onClose(true, undefined);
  }

  onReset(reason: ResetReason): void {
    this.#connection = undefined;
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    this.#state = "closed";
    if (wasOpen) this.#options.events.onClose(true, undefined);
    else this.#options.events.onClose(false, undefined, reason === RESET.protocol);
  }

  onReadEnd(): void {
    // Every piece goes on at once.
  }

  onSendDrain(): void {
    this.#options.events.onDrain();
  }

  /** It was not granted, or the proxy could not be asked. */
  #fail(why: "refused" | "unreachable"): void {
    if (this.#state === "closed") return;
    this.destroy();
    this.#options.events.onClose(false, undefined, why === "refused");
  }

  write(buffer: Buffer, length: number): boolean {
    if (this.#state === "open") return this.#send(buffer, length);
    this.#early.push(Buffer.from(buffer.subarray(0, length)));
    return true;
  }

  #send(buffer: Buffer, length: number): boolean {
    const connection = this.#connection;
    if (connection === undefined) return false;
    connection.sendBytes(buffer, 0, length);
    connection.flush();
    return connection.isFull;
  }

  takeEarly(): Buffer[] {
    const early = this.#early;
    this.#early = [];
    return early;
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  end(): void {
    this.#isEndDue = true;
    if (this.#state === "open") this.#sendEnd();
  }

  #sendEnd(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#head.coding === CODING.none) return connection.endTunnel();
    connection.sendEnd(undefined);
    connection.flush();
  }

  reset(): void {
    this.destroy();
  }

  destroy(): void {
    this.#state = "closed";
    this.#pool?.cancel(this);
    this.#pool = undefined;
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abandon();
  }
}
