import type { Socket } from "node:net";
import type { ConnectionInfo, PeerAddress } from "../../match/connection-info.ts";
import type { FilterOverrides } from "../../match/filter-overrides.ts";
import { joinFlags } from "../../match/response-flags.ts";
import { type ClusterAction, type ClusterChoice, type Route } from "../../match/route.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import { routeWithin } from "../../match/tls-route.ts";
import type { VirtualHost } from "../../match/virtual-host.ts";
import type { ProxyContext } from "../context.ts";
import { formatNames } from "../http1/header-case.ts";
import { encodeLastChunk } from "../http1/last-chunk.ts";
import type { Sender } from "../net/sender.ts";
import { acceptsRoute, takeRedirect } from "../router/internal-redirect.ts";
import type { RoutedStream } from "../router/routed-stream.ts";
import { Router } from "../router/router.ts";
import { countResponse } from "../stats/http-stats.ts";
import type { BodySink } from "./body-sink.ts";
import { findClient } from "./client-address.ts";
import { FilterRun } from "./filter-run.ts";
import { opensTunnel } from "./framing.ts";
import type { HeaderList } from "./header-list.ts";
import { mutateHead } from "./header-mutation.ts";
import type { HttpConfig, HttpService } from "./http-config.ts";
import type { DynamicMetadata, FilterStream } from "./http-filter.ts";
import {
  countStream,
  HttpStreamInfo,
  type InformedStream,
  StreamTimes,
} from "./http-stream-info.ts";
import { type LocalReply, NO_PATH, UPGRADE_REFUSED } from "./local-reply.ts";
import { fillLocalHead } from "./local-reply-head.ts";
import { type RequestHead, ResponseHead } from "./message-head.ts";
import { prepareRequest } from "./request-headers.ts";
import { prepareResponse } from "./response-headers.ts";
import { statusLine } from "./status-text.ts";
import { StreamTimers, type TimedStream, type TimeoutReply } from "./stream-timers.ts";
import { allowsUpgrade, emptyRefusal, endsTunnel, passOverUpgrade } from "./upgrade.ts";

/** What a stream needs of its connection. */
export interface StreamConnection {
  readonly service: HttpService;
  readonly context: ProxyContext;
  /** Who speaks, and over what. */
  readonly connection: ConnectionInfo;
  readonly socket: Socket;
  readonly out: Sender;
  /** No more requests are taken after this one. */
  readonly isDraining: boolean;
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
 * The order: headers are put right, the route is found, the filters run, and the router sends the
 * request on. The response goes through the filters the other way round. Whatever answers instead
 * does so through `localReply`.
 */
export class HttpStream implements RoutedStream, FilterStream, InformedStream, TimedStream {
  readonly head: RequestHead;
  readonly context: ProxyContext;
  readonly #connection: StreamConnection;
  readonly router: Router;
  readonly times: StreamTimes;
  /** What header values and access logs read. */
  readonly info: HttpStreamInfo;
  readonly #timers: StreamTimers;
  readonly #filters: FilterRun;
  #metadata: Map<string, DynamicMetadata> | undefined = undefined;
  scheme = "http";
  knownRemote: PeerAddress | undefined = undefined;
  route: Route | undefined = undefined;
  choice: ClusterChoice | undefined = undefined;
  virtualHost: VirtualHost | undefined = undefined;
  /** Routes that an internal redirect led away from, by name. */
  redirects: string[] = [];
  /** A filter holds the request; its body waits here. */
  #isHeld = false;
  #heldBody: Buffer[] = [];
  /** What filters put before the client, the outermost; absent when none did. */
  #responseSink: BodySink | undefined = undefined;
  #isRequestDone = false;
  #isResponseStarted = false;
  #isOver = true;
  #isChunked = false;
  closes = false;
  isRestarted = false;
  #isClientBlocked = false;
  #isUpstreamPaused = false;

  status = 0;
  flag = "";
  details = "";
  bytesReceived = 0;
  bytesSent = 0;
  responseHeaders: HeaderList | undefined = undefined;
  requestTrailers: HeaderList | undefined = undefined;
  responseTrailers: HeaderList | undefined = undefined;

  constructor(connection: StreamConnection, head: RequestHead) {
    this.head = head;
    this.context = connection.context;
    this.#connection = connection;
    this.router = new Router(this);
    this.times = new StreamTimes(this.context.clock, connection.service.accessLogs.length > 0);
    this.info = new HttpStreamInfo(this);
    this.#filters = new FilterRun(connection.service.filters, this);
    this.#timers = new StreamTimers(this);
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
  get config(): HttpConfig {
    return this.#connection.service.config;
  }

  get connection(): ConnectionInfo {
    return this.#connection.connection;
  }
  get remote(): PeerAddress {
    this.knownRemote ??= findClient(
      this.config.client,
      this.head.headers.get("x-forwarded-for"),
      this.connection,
    ).remote;
    return this.knownRemote;
  }
  get runtime(): RuntimeReader {
    return this.context.runtime;
  }
  filterState(): undefined {
    return undefined;
  }

  /** The head has been read. */
  start(isRequestDone: boolean): void {
    this.#reset(isRequestDone);
    const { config, head } = this;
    // What follows these is no body: an answer of our own ends the connection.
    const isTunnel = head.upgrade !== "" || head.method === "CONNECT";
    if (isTunnel) this.#isRequestDone = false;
    const reply =
      this.context.overload?.replyToHead(this.#connection.service.stats.counters) ??
      config.prepareTarget?.(head, this.connection.local.port);
    if (reply !== undefined) return this.localReply(reply);
    prepareRequest(this, this.#connection.service.routes.current);
    if (passOverUpgrade(head)) this.#isRequestDone = isRequestDone;
    if (head.expectsContinue && config.proxies100Continue) {
      head.headers.set("expect", "100-continue");
    }
    this.#timers.start(this.times.startMs, isRequestDone);
    // "*" and "?query" have no path that a route could be about. CONNECT has none at all.
    if (head.path.charCodeAt(0) !== 47 && head.method !== "CONNECT") {
      return this.localReply(NO_PATH);
    }
    this.#findRoute();
    if (!allowsUpgrade(head, this.route, config)) return this.localReply(UPGRADE_REFUSED);
    this.#runFilters();
  }

  #findRoute(): void {
    const { routes } = this.#connection.service;
    const virtualHost = routes.current?.findVirtualHost(this.head.authority);
    this.virtualHost = virtualHost;
    const route = virtualHost && routeWithin(virtualHost, this, this.context.prng);
    this.route = route;
    this.choice = undefined;
    if (route !== undefined && route.action.kind === "cluster") {
      this.choice = route.action.chooseCluster(this, this.context.prng);
      this.#timers.follow(route.action, this.times.startMs, this.head.headers);
    }
    this.#filters.begin(this.#overrides);
  }

  /** What the route, all levels of it, says to filters. */
  get #overrides(): FilterOverrides | undefined {
    return this.choice?.filterOverrides ?? this.route?.filterOverrides;
  }

  routeConfig(filter: string): object | undefined {
    return this.#overrides?.get(filter)?.config;
  }

  /** What is noted under a namespace comes together, key by key. */
  setDynamicMetadata(namespace: string, values: DynamicMetadata): void {
    this.#metadata ??= new Map();
    this.#metadata.set(namespace, { ...this.#metadata.get(namespace), ...values });
  }

  dynamicMetadata(namespace: string): DynamicMetadata | undefined {
    return this.#filters.addMetadata(namespace, this.#metadata?.get(namespace));
  }

  redirectInternally(action: ClusterAction, response: ResponseHead): boolean {
    const policy = action.internalRedirect;
    if (policy === undefined) return false;
    const before = { route: this.route, virtualHost: this.virtualHost, choice: this.choice };
    const undo = takeRedirect(this, policy, response);
    if (undo === undefined) return false;
    this.#findRoute();
    if (!acceptsRoute(policy, this.route, this.redirects)) {
      undo();
      Object.assign(this, before);
      return false;
    }
    this.redirects.push(before.route?.name ?? "");
    this.router.leave(response.status !== 303);
    // Envoy brings the body along, not what follows it.
    this.requestTrailers = undefined;
    this.#filters.onStreamEnd();
    this.#filters.begin(this.#overrides);
    this.#runFilters();
    return true;
  }

  /** Lets the filters that have not seen the request see it; the last one is the router. */
  #runFilters(): void {
    const isEnd = this.#isRequestDone && this.#heldBody.length === 0;
    if (!this.#filters.run(isEnd)) {
      this.#isHeld = !this.#isOver;
      return;
    }
    const { counters } = this.#connection.service.stats;
    counters.rq_total++;
    const reply = this.context.overload?.replyAtRouter(this, counters);
    if (reply === undefined) this.router.start(isEnd);
    else this.localReply(reply);
  }

  get onDemand(): FilterStream["onDemand"] {
    return this.#connection.service.routes.onDemand;
  }

  restart(): void {
    if (!this.#isHeld || this.#isOver) return;
    this.isRestarted = true;
    this.#filters.onStreamEnd();
    this.#findRoute();
    if (allowsUpgrade(this.head, this.route, this.config)) this.continueRequest();
    else this.localReply(UPGRADE_REFUSED);
  }

  continueRequest(): void {
    if (!this.#isHeld || this.#isOver) return;
    this.#isHeld = false;
    this.#runFilters();
    if (this.#isHeld || this.#isOver) return;
    const held = this.#heldBody;
    if (held.length > 0) {
      this.#heldBody = [];
      for (const bytes of held) this.router.sendBytes(bytes, 0, bytes.length);
      if (this.#isRequestDone && !this.#isOver) this.router.endRequest();
    }
    if (this.#isOver) return;
    this.router.flushRequest();
    if (!this.#isRequestDone) this.#connection.resumeReading();
  }

  addFlag(flag: string): void {
    this.flag = joinFlags(this.flag, flag);
  }

  #reset(isRequestDone: boolean): void {
    const nowMs = this.context.clock.monotonicMs();
    this.times.reset(nowMs);
    this.knownRemote = undefined;
    if (isRequestDone) this.times.requestEndMs = nowMs;
    this.#isRequestDone = isRequestDone;
    this.#isResponseStarted = false;
    this.#isOver = false;
    this.closes = false;
    this.isRestarted = false;
    this.#isClientBlocked = false;
    this.#isUpstreamPaused = false;
    this.#metadata = undefined;
    this.route = undefined;
    this.virtualHost = undefined;
    this.choice = undefined;
    if (this.redirects.length > 0) this.redirects = [];
    this.responseHeaders = undefined;
    this.requestTrailers = undefined;
    this.responseTrailers = undefined;
    this.status = 0;
    this.flag = "";
    this.details = "via_upstream";
    this.bytesReceived = 0;
    this.bytesSent = 0;
    if (this.times.isKept) this.times.wallMs = this.context.clock.nowMs();
  }

  /** Answers in the upstream's stead, or breaks off what it has begun. */
  onTimeout({ whole, partial }: TimeoutReply): void {
    const reply = this.#isRequestDone ? whole : partial;
    if (this.#isResponseStarted) return this.#break(reply.flag, reply.details);
    this.router.destroy();
    this.localReply(reply);
  }

  // From the client.

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.bytesReceived += to - from;
    if (this.#isOver) return;
    this.#timers.moved();
    if (this.#isHeld) this.#hold(buffer, from, to);
    else this.router.sendBytes(buffer, from, to);
  }

  /** Keeps a copy; the client waits, so no more than one read comes here. */
  #hold(buffer: Buffer, from: number, to: number): void {
    this.#heldBody.push(Buffer.from(buffer.subarray(from, to)));
    this.#connection.pauseReading();
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#isRequestDone = true;
    this.requestTrailers = trailers;
    this.#timers.requestEnded();
    this.times.requestEndMs = this.context.clock.monotonicMs();
    if (!this.#isOver && !this.#isHeld) this.router.endRequest();
  }

  onReadEnd(): void {
    if (!this.#isOver && !this.#isHeld) this.router.flushRequest();
  }

  /** The head could not be read. */
  refuse(reply: LocalReply): void {
    this.#reset(false);
    this.scheme = "";
    this.times.requestEndMs = this.times.startMs;
    this.localReply(reply);
  }

  /** The body could not be read. */
  onBadBody(reply: LocalReply): void {
    if (this.#isOver) return;
    this.router.destroy();
    if (this.#isResponseStarted) this.#break("DPE", reply.details);
    else this.localReply(reply);
  }

  onDownstreamClose(): void {
    if (this.#isOver) return;
    this.router.destroy();
    this.addFlag("DC");
    this.details = "downstream_remote_disconnect";
    this.#over();
  }

  onDownstreamDrain(): void {
    this.#isClientBlocked = false;
    if (!this.#isUpstreamPaused) return;
    this.#isUpstreamPaused = false;
    this.router.resumeResponse();
  }

  pauseResponse(): void {
    this.router.pauseResponse();
  }

  resumeResponse(): void {
    if (!this.#isOver && !this.#isUpstreamPaused) this.router.resumeResponse();
  }

  pauseRequest(): void {
    this.#connection.pauseReading();
  }

  resumeRequest(): void {
    if (!this.#isOver) this.#connection.resumeReading();
  }

  // From the upstream.

  onUpstreamInterim({ status, headers }: ResponseHead): void {
    if (!this.config.proxies100Continue || this.#isResponseStarted) return;
    const { out } = this.#connection;
    const text = `${statusLine(status, this.head.minor)}${headers.encode()}\r\n`;
    out.text(formatNames(text, this.config.nameFormat));
    out.flush();
  }

  onUpstreamHead(head: ResponseHead, hasBody: boolean): void {
    this.#timers.moved();
    if (this.#isRequestDone && !this.config.suppressesEnvoyHeaders) {
      const tookMs = Math.round(this.context.clock.monotonicMs() - this.times.requestEndMs);
      head.headers.set("x-envoy-upstream-service-time", String(tookMs));
    }
    this.router.tellCookies(head.headers);
    this.status = head.status;
    if (this.head.upgrade !== "" && head.status !== 101) return this.#refuseTunnel(head, hasBody);
    this.#respond(head, hasBody);
  }

  /** The upstream does not change the protocol. Of a WebSocket's refusal only the head is sent. */
  #refuseTunnel(head: ResponseHead, hasBody: boolean): void {
    this.details = "websocket_handshake_unsuccessful";
    if (!hasBody || !emptyRefusal(this.head, head)) return this.#respond(head, hasBody);
    this.#respond(head, false);
    this.router.destroy();
    this.#finish();
  }

  /** Sends a head, the upstream's or our own, through the filters to the client. */
  #respond(head: ResponseHead, hasBody: boolean): void {
    this.#isResponseStarted = true;
    this.#responseSink = undefined;
    const mutations = (this.choice ?? this.route)?.mutations.response;
    if (mutations !== undefined && mutations.length > 0) mutateHead(mutations, head, this.info);
    this.#filters.onResponseHead(head, hasBody);
    const { headers, status } = head;
    this.responseHeaders = headers;
    let framing = "";
    this.#isChunked = false;
    if (status === 101) {
      framing = `connection: ${head.connection}\r\n`;
    } else if (head.contentLength === -1 && !opensTunnel(this.head.method, status)) {
      if (!hasBody && this.head.method !== "HEAD") {
        if (status !== 204 && status !== 304) framing = "content-length: 0\r\n";
      } else if (this.head.minor === 0) {
        this.closes = true;
      } else {
        framing = "transfer-encoding: chunked\r\n";
        this.#isChunked = hasBody;
      }
    }
    this.#sendHead(status, headers, framing);
  }

  interceptResponse(make: (next: BodySink) => BodySink): void {
    this.#responseSink = make(this.#responseSink ?? this.#clientSink);
  }

  onUpstreamBytes(buffer: Buffer, from: number, to: number): void {
    this.#timers.moved();
    if (this.#responseSink === undefined) this.#sendBytes(buffer, from, to);
    else this.#responseSink.onBodyBytes(buffer, from, to);
  }

  onUpstreamEnd(trailers: HeaderList | undefined): void {
    this.responseTrailers = trailers;
    if (!this.#isRequestDone && endsTunnel(this)) {
      // Of a tunnel the end is a reset for Envoy, though it is passed on in order.
      this.addFlag("UC");
      this.details = "upstream_reset_after_response_started{connection_termination}";
    }
    if (this.#responseSink === undefined) this.#sendEnd();
    else this.#responseSink.onBodyEnd();
  }

  /** The last of the response's sinks. */
  readonly #clientSink: BodySink = {
    onBodyBytes: (buffer, from, to) => {
      if (this.#isOver) return;
      this.#timers.moved();
      this.#sendBytes(buffer, from, to);
    },
    onBodyEnd: () => {
      if (!this.#isOver) this.#sendEnd();
    },
  };

  #sendBytes(buffer: Buffer, from: number, to: number): void {
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

  #sendEnd(): void {
    if (this.#isChunked) {
      const trailers = this.config.passesTrailers ? this.responseTrailers : undefined;
      this.#connection.out.text(encodeLastChunk(trailers));
    }
    this.#finish();
  }

  onUpstreamReadEnd(): void {
    this.flushResponse();
  }

  flushResponse(): void {
    if (this.#isOver) return;
    const { out } = this.#connection;
    out.flush();
    if (!out.isFull || this.#isClientBlocked) return;
    this.#isClientBlocked = true;
    this.#isUpstreamPaused = true;
    this.router.pauseResponse();
  }

  onUpstreamBroken(flag: string, details: string): void {
    this.#break(flag, details);
  }

  // To the client.

  /** Answers in the upstream's stead; the one place where the proxy makes up a response. */
  localReply(reply: LocalReply): void {
    if (this.#isOver) return;
    this.#isHeld = false;
    if (reply.flag !== "") this.addFlag(reply.flag);
    this.details = reply.details;
    if (reply.closes === true) this.closes = true;
    this.#localHead ??= new ResponseHead();
    const replies = this.config.localReplies;
    const body = fillLocalHead(this.#localHead, reply, this.head, replies && { replies, of: this });
    const hasBody = body !== "" && this.head.method !== "HEAD";
    this.#respond(this.#localHead, hasBody);
    if (hasBody && this.#responseSink !== undefined) {
      this.#responseSink.onBodyBytes(Buffer.from(body, "latin1"), 0, body.length);
      return this.#responseSink.onBodyEnd();
    }
    if (hasBody) {
      this.#connection.out.text(body);
      this.bytesSent += body.length;
    }
    this.#finish();
  }

  #sendHead(status: number, headers: HeaderList, framing: string): void {
    const { head } = this;
    this.status = status;
    this.times.note("answerBeginMs");
    const { counters } = this.#connection.service.stats;
    countResponse(counters, status);
    prepareResponse(headers, this);
    // An answer that comes before the end of the request leaves bytes that nobody will read.
    const ends = this.#connection.isDraining || this.context.overload?.endsKeepAlive(counters);
    if (head.wantsClose || !this.#isRequestDone || ends === true) this.closes = status !== 101;
    if (head.minor === 0 && !head.wantsKeepAlive) this.closes = true;
    let text = statusLine(status, head.minor) + headers.encode() + framing;
    // In a tunnel there is nothing more to say of the connection.
    if (status === 200 && head.method === "CONNECT") this.closes = false;
    else if (this.closes) text += "connection: close\r\n";
    else if (head.minor === 0) text += "connection: keep-alive\r\n";
    this.#connection.out.text(formatNames(`${text}\r\n`, this.config.nameFormat));
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#over();
    this.#connection.finishResponse(this.closes || !this.#isRequestDone);
  }

  /** The response cannot be ended in order: the client must see that it is cut off. */
  #break(flag: string, details: string): void {
    this.router.destroy();
    this.addFlag(flag);
    this.details = details;
    this.#connection.out.flushNow();
    this.#over();
    this.#connection.destroy();
  }

  #over(): void {
    this.#isOver = true;
    this.#isHeld = false;
    if (this.#heldBody.length > 0) this.#heldBody = [];
    this.#timers.cancel();
    this.times.endMs = this.context.clock.monotonicMs();
    countStream(this, this.#connection.service.stats);
    for (const log of this.#connection.service.accessLogs) log.log(this.info);
    this.#filters.onStreamEnd();
    this.responseHeaders = undefined;
    this.#responseSink = undefined;
  }

  /** Made by the first answer of our own. */
  #localHead: ResponseHead | undefined = undefined;
}
