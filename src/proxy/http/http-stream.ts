import type { Socket } from "node:net";
import type { MatchRequest } from "../../match/match-request.ts";
import { type DirectAction, matchRoute, type Route } from "../../match/route.ts";
import type { LogEntry } from "../access-log/access-log.ts";
import type { ProxyContext } from "../context.ts";
import { type RoutedStream, Router } from "../http-filter/router.ts";
import { Deadline } from "../net/deadlines.ts";
import type { Sender } from "../net/sender.ts";
import { HeaderList } from "./header-list.ts";
import type { HttpConfig, HttpService } from "./http-config.ts";
import {
  type LocalReply,
  NO_PATH,
  NO_ROUTE,
  REQUEST_IDLE,
  STREAM_IDLE,
  UPGRADE_REFUSED,
} from "./local-reply.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";
import { prepareRequest } from "./request-headers.ts";
import { statusLine } from "./status-text.ts";

/** What a stream needs of its connection. */
export interface StreamConnection {
  readonly service: HttpService;
  readonly context: ProxyContext;
  readonly socket: Socket;
  readonly out: Sender;
  pauseReading(): void;
  resumeReading(): void;
  /** The response has been written; `closes` ends the connection with it. */
  finishResponse(closes: boolean): void;
  /** Ends at once. */
  destroy(): void;
}

/**
 * One request and its response, from head to end. Reused for each request of its connection.
 *
 * The order: headers are put right, the route is found, the filters run, of which the router is
 * the last. Whatever answers instead does so through `localReply`.
 */
export class HttpStream implements RoutedStream, MatchRequest, LogEntry {
  readonly head: RequestHead;
  readonly context: ProxyContext;
  readonly #connection: StreamConnection;
  readonly #router: Router;
  readonly #idle: Deadline;
  scheme = "http";
  #route: Route | undefined = undefined;
  #startMs = 0;
  #wallMs = 0;
  #lastMoveMs = 0;
  #requestEndMs = 0;
  #isRequestDone = false;
  #isResponseStarted = false;
  #isOver = true;
  #isChunked = false;
  #closes = false;
  #isClientBlocked = false;
  #isUpstreamPaused = false;

  status = 0;
  flag = "";
  details = "";
  bytesReceived = 0;
  bytesSent = 0;
  #responseHeaders: HeaderList | undefined = undefined;

  constructor(connection: StreamConnection, head: RequestHead) {
    this.head = head;
    this.context = connection.context;
    this.#connection = connection;
    this.#router = new Router(this);
    this.#idle = new Deadline({ onDeadline: () => this.#onIdle() });
  }

  // What the matchers and access logs see.
  get method(): string {
    return this.head.method;
  }
  get path(): string {
    return this.head.path;
  }
  get authority(): string {
    return this.head.authority;
  }
  get headers(): HeaderList {
    return this.head.headers;
  }

  /** The head has been read. */
  start(isRequestDone: boolean): void {
    this.#reset(isRequestDone);
    const { service, socket } = this.#connection;
    const { config } = service;
    const { head } = this;
    // What follows these is no body: an answer of our own ends the connection.
    if (head.upgrade !== "" || head.method === "CONNECT") this.#isRequestDone = false;
    this.scheme = prepareRequest(head, config, socket, this.context);
    if (head.upgrade !== "" && !this.#takeUpgrade(config, isRequestDone)) return;
    if (config.streamIdleTimeoutMs !== 0) this.#setIdle(config.streamIdleTimeoutMs);
    // "*" and "?query" have no path that a route could be about, and CONNECT has none at all.
    if (head.path.charCodeAt(0) !== 47) {
      return this.localReply(head.method === "CONNECT" ? NO_ROUTE : NO_PATH);
    }
    const virtualHost = service.routes.current?.findVirtualHost(head.authority);
    const route = virtualHost && matchRoute(virtualHost.routes, this, this.context.prng);
    this.#route = route;
    if (virtualHost === undefined || route === undefined) return this.localReply(NO_ROUTE);
    const { action } = route;
    if (action.kind === "direct") {
      this.localReply(this.#directReply(action));
    } else if (action.kind === "redirect") {
      this.localReply({
        status: action.status,
        body: "",
        flag: "",
        details: "direct_response",
        headers: ["location", action.location(this)],
      });
    } else {
      if (action.timeoutMs !== 0 && !config.suppressesEnvoyHeaders) {
        head.headers.set("x-envoy-expected-rq-timeout-ms", String(action.timeoutMs));
      }
      if (action.rewritePath !== undefined) this.#rewritePath(action.rewritePath, config);
      if (action.hostRewrite !== "") this.#rewriteHost(action.hostRewrite, config);
      this.#router.start(action, virtualHost.tellsAttemptCount, isRequestDone);
    }
  }

  #reset(isRequestDone: boolean): void {
    this.#startMs = this.context.clock.monotonicMs();
    this.#lastMoveMs = this.#startMs;
    this.#requestEndMs = this.#startMs;
    this.#isRequestDone = isRequestDone;
    this.#isResponseStarted = false;
    this.#isOver = false;
    this.#closes = false;
    this.#isClientBlocked = false;
    this.#isUpstreamPaused = false;
    this.#route = undefined;
    this.#responseHeaders = undefined;
    this.status = 0;
    this.flag = "";
    this.details = "via_upstream";
    this.bytesReceived = 0;
    this.bytesSent = 0;
    if (this.#connection.service.accessLogs.length > 0) {
      this.#wallMs = this.context.clock.nowMs();
    }
  }

  /** False when the upgrade is refused; one that nobody speaks is passed over, as Envoy does. */
  #takeUpgrade(config: HttpConfig, isRequestDone: boolean): boolean {
    const wanted = this.head.upgrade.toLowerCase();
    if (config.upgrades.has(wanted)) return true;
    if (wanted !== "h2c") {
      this.localReply(UPGRADE_REFUSED);
      return false;
    }
    this.head.upgrade = "";
    this.#isRequestDone = isRequestDone;
    this.head.headers.remove("http2-settings");
    return true;
  }

  #rewritePath(rewrite: (path: string) => string, config: HttpConfig): void {
    const { head } = this;
    if (!config.suppressesEnvoyHeaders) head.headers.set("x-envoy-original-path", head.path);
    head.path = rewrite(head.path);
  }

  #rewriteHost(host: string, config: HttpConfig): void {
    const { head } = this;
    if (!config.suppressesEnvoyHeaders) head.headers.set("x-envoy-original-host", head.authority);
    head.authority = host;
  }

  #directReply({ status, body }: DirectAction): LocalReply {
    const reply: LocalReply = { status, body, flag: "", details: "direct_response" };
    // Where what was made, or what moved, is to be found (RFC 9110 10.2.2).
    if (status !== 201 && Math.floor(status / 100) !== 3) return reply;
    const location = `${this.scheme}://${this.authority}${this.path}`;
    return { ...reply, headers: ["location", location] };
  }

  #setIdle(delayMs: number): void {
    this.context.deadlines.set(this.#idle, delayMs, this.#lastMoveMs);
  }

  /** Nothing moved since the deadline was set, or since some point after: then it waits on. */
  #onIdle(): void {
    const { streamIdleTimeoutMs } = this.#connection.service.config;
    const leftMs = this.#lastMoveMs + streamIdleTimeoutMs - this.context.clock.monotonicMs();
    if (leftMs > 1) return this.#setIdle(streamIdleTimeoutMs);
    if (this.#isResponseStarted) return this.#break("SI", "stream_idle_timeout");
    this.#router.destroy();
    this.localReply(this.#isRequestDone ? STREAM_IDLE : REQUEST_IDLE);
  }

  #moved(): void {
    if (this.#idle.isSet) this.#lastMoveMs = this.context.clock.monotonicMs();
  }

  // From the client.

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.bytesReceived += to - from;
    if (this.#isOver) return;
    this.#moved();
    this.#router.sendBytes(buffer, from, to);
  }

  onBodyEnd(): void {
    this.#isRequestDone = true;
    this.#requestEndMs = this.context.clock.monotonicMs();
    if (!this.#isOver) this.#router.endRequest();
  }

  onReadEnd(): void {
    if (!this.#isOver) this.#router.flushRequest();
  }

  /** The head could not be read. */
  refuse(reply: LocalReply): void {
    this.#reset(false);
    this.localReply(reply);
  }

  /** The body could not be read. */
  onBadBody(reply: LocalReply): void {
    if (this.#isOver) return;
    this.#router.destroy();
    if (this.#isResponseStarted) this.#break("DPE", reply.details);
    else this.localReply(reply);
  }

  onDownstreamClose(): void {
    if (this.#isOver) return;
    this.#router.destroy();
    this.flag = "DC";
    this.details = "downstream_remote_disconnect";
    this.#over();
  }

  onDownstreamDrain(): void {
    this.#isClientBlocked = false;
    if (!this.#isUpstreamPaused) return;
    this.#isUpstreamPaused = false;
    this.#router.resumeResponse();
  }

  pauseRequest(): void {
    this.#connection.pauseReading();
  }

  resumeRequest(): void {
    if (!this.#isOver) this.#connection.resumeReading();
  }

  // From the upstream.

  onUpstreamHead(head: ResponseHead, hasBody: boolean): void {
    this.#moved();
    const { service } = this.#connection;
    const { config } = service;
    const { headers, status } = head;
    this.#responseHeaders = headers;
    if (this.#isRequestDone && !config.suppressesEnvoyHeaders) {
      const tookMs = Math.round(this.context.clock.monotonicMs() - this.#requestEndMs);
      headers.set("x-envoy-upstream-service-time", String(tookMs));
    }
    let framing = "";
    this.#isChunked = false;
    if (status === 101) {
      framing = `connection: ${head.connection}\r\n`;
    } else if (head.contentLength === -1) {
      if (!hasBody && this.head.method !== "HEAD") {
        if (status !== 204 && status !== 304) framing = "content-length: 0\r\n";
      } else if (this.head.minor === 0) {
        this.#closes = true;
      } else {
        framing = "transfer-encoding: chunked\r\n";
        this.#isChunked = hasBody;
      }
    }
    this.#sendHead(status, headers, framing);
  }

  onUpstreamBytes(buffer: Buffer, from: number, to: number): void {
    this.#moved();
    const { out } = this.#connection;
    this.bytesSent += to - from;
    if (!this.#isChunked) {
      out.bytes(buffer, from, to);
      return;
    }
    out.text(`${(to - from).toString(16)}\r\n`);
    out.bytes(buffer, from, to);
    out.text("\r\n");
  }

  onUpstreamEnd(): void {
    if (this.#isChunked) this.#connection.out.text("0\r\n\r\n");
    this.#finish();
  }

  onUpstreamReadEnd(): void {
    if (this.#isOver) return;
    const { out } = this.#connection;
    out.flush();
    if (!out.isFull || this.#isClientBlocked) return;
    this.#isClientBlocked = true;
    this.#isUpstreamPaused = true;
    this.#router.pauseResponse();
  }

  onUpstreamBroken(flag: string, details: string): void {
    this.#break(flag, details);
  }

  // To the client.

  /** Answers in the upstream's stead; the one place where the proxy makes up a response. */
  localReply(reply: LocalReply): void {
    const { body, status } = reply;
    this.flag =
      this.#router.isRetriesExhausted && reply.flag !== "" ? `${reply.flag},URX` : reply.flag;
    this.details = reply.details;
    const headers = this.#localHeaders;
    headers.clear();
    for (let at = 0; at < (reply.headers?.length ?? 0); at += 2) {
      headers.add(reply.headers?.[at] ?? "", reply.headers?.[at + 1] ?? "");
    }
    if (body !== "") {
      headers.add("content-length", String(body.length));
      headers.add("content-type", "text/plain");
    }
    this.#responseHeaders = headers;
    this.#sendHead(status, headers, body === "" && status !== 204 ? "content-length: 0\r\n" : "");
    if (this.head.method !== "HEAD") {
      this.#connection.out.text(body);
      this.bytesSent += body.length;
    }
    this.#finish();
  }

  #sendHead(status: number, headers: HeaderList, framing: string): void {
    const { service, out } = this.#connection;
    const { config } = service;
    const { head } = this;
    this.#isResponseStarted = true;
    this.status = status;
    service.stats.classes[Math.floor(status / 100)] =
      (service.stats.classes[Math.floor(status / 100)] ?? 0) + 1;
    if (!headers.has("date")) headers.add("date", this.context.date.text());
    if (config.serverHeader === "overwrite") headers.set("server", config.serverName);
    else if (config.serverHeader === "append_if_absent" && !headers.has("server")) {
      headers.add("server", config.serverName);
    }
    if (config.returnsRequestId) {
      const requestId = head.headers.get("x-request-id");
      if (requestId !== undefined) headers.set("x-request-id", requestId);
    }
    // An answer that comes before the end of the request leaves bytes that nobody will read.
    if (head.wantsClose || !this.#isRequestDone || service.isDraining)
      this.#closes = status !== 101;
    if (head.minor === 0 && !head.wantsKeepAlive) this.#closes = true;
    let text = statusLine(status, head.minor) + headers.encode() + framing;
    if (this.#closes) text += "connection: close\r\n";
    else if (head.minor === 0) text += "connection: keep-alive\r\n";
    out.text(`${text}\r\n`);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#over();
    this.#connection.finishResponse(this.#closes || !this.#isRequestDone);
  }

  /** The response cannot be ended in order: the client must see that it is cut off. */
  #break(flag: string, details: string): void {
    this.#router.destroy();
    this.flag = flag;
    this.details = details;
    this.#connection.out.flushNow();
    this.#over();
    this.#connection.destroy();
  }

  #over(): void {
    this.#isOver = true;
    this.#idle.cancel();
    const { accessLogs } = this.#connection.service;
    for (const log of accessLogs) log.log(this);
    this.#responseHeaders = undefined;
  }

  readonly #localHeaders = new HeaderList();

  // What only access logs ask for.
  get startMs(): number {
    return this.#wallMs;
  }
  get durationMs(): number {
    return this.context.clock.monotonicMs() - this.#startMs;
  }
  get protocol(): string {
    return `HTTP/1.${this.head.minor}`;
  }
  get upstreamHost(): string | undefined {
    return this.#router.host?.key;
  }
  get upstreamCluster(): string | undefined {
    return this.#router.cluster?.config.name;
  }
  get routeName(): string {
    return this.#route?.name ?? "";
  }
  get attempts(): number {
    return this.#router.attempts;
  }
  get downstreamAddress(): string {
    const { remoteAddress, remotePort } = this.#connection.socket;
    return `${remoteAddress ?? ""}:${remotePort ?? 0}`;
  }
  get localAddress(): string {
    const { localAddress, localPort } = this.#connection.socket;
    return `${localAddress ?? ""}:${localPort ?? 0}`;
  }
  requestHeader(name: string): string | undefined {
    if (name === ":authority" || name === "host") return this.head.authority;
    if (name === ":path") return this.head.path;
    if (name === ":method") return this.head.method;
    if (name === ":scheme") return this.scheme;
    return this.head.headers.get(name);
  }
  responseHeader(name: string): string | undefined {
    if (name === ":status") return String(this.status);
    return this.#responseHeaders?.get(name);
  }
}
