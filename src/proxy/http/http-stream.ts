import type { ConnectionInfo, PeerAddress } from "../../match/connection-info.ts";
import type { FilterOverrides } from "../../match/filter-overrides.ts";
import type { FilterStateObject } from "../../match/filter-state.ts";
import { joinFlags, type ResponseFlag } from "../../match/response-flags.ts";
import { type ClusterAction, type ClusterChoice, type Route } from "../../match/route.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import { routeWithin } from "../../match/tls-route.ts";
import type { VirtualHost } from "../../match/virtual-host.ts";
import type { ProxyContext } from "../context.ts";
import { acceptsRoute, takeRedirect } from "../router/internal-redirect.ts";
import type { RoutedStream } from "../router/routed-stream.ts";
import { Router } from "../router/router.ts";
import { countResponse } from "../stats/http-stats.ts";
import { StreamTrace } from "../tracing/stream-trace.ts";
import { type BodySink, writeText } from "./body-sink.ts";
import type { ByteMeter } from "./byte-meter.ts";
import { findClient } from "./client-address.ts";
import { FilterNotes } from "./filter-notes.ts";
import { FilterRun } from "./filter-run.ts";
import { opensTunnel } from "./framing.ts";
import type { HeaderList } from "./header-list.ts";
import { mutateHead } from "./header-mutation.ts";
import type { HttpConfig } from "./http-config.ts";
import type { DynamicMetadata, FilterStream } from "./http-filter.ts";
import {
  countStream,
  HttpStreamInfo,
  type InformedStream,
  StreamTimes,
} from "./http-stream-info.ts";
import { FAILED, type LocalReply, NO_PATH, UPGRADE_REFUSED } from "./local-reply.ts";
import { fillLocalHead } from "./local-reply-head.ts";
import { type RequestHead, ResponseHead } from "./message-head.ts";
import { prepareRequest } from "./request-headers.ts";
import { chainSinks, type MakeSink, RequestWay, type WholeRequest } from "./request-way.ts";
import { prepareResponse, tellServiceTime } from "./response-headers.ts";
import type { StreamCarrier } from "./stream-carrier.ts";
import { StreamLog } from "./stream-log.ts";
import { StreamTimers, type TimedStream, type TimeoutReply } from "./stream-timers.ts";
import { allowsUpgrade, emptyRefusal, endsTunnel, passOverUpgrade } from "./upgrade.ts";

/**
 * One request and its response, from head to end, whichever version of HTTP carries it. Reused for
 * one request after the other.
 *
 * The order: headers are put right, the route is found, the filters run, and the router sends the
 * request on. The response goes through the filters the other way round. Whatever answers instead
 * does so through `localReply`.
 */
export class HttpStream implements RoutedStream, FilterStream, InformedStream, TimedStream {
  readonly head: RequestHead;
  readonly context: ProxyContext;
  readonly #carrier: StreamCarrier;
  readonly router: Router;
  readonly times: StreamTimes;
  /** Counts for logs what goes over the wire, for whoever carries the stream. */
  readonly meter: ByteMeter | undefined;
  readonly #log: StreamLog | undefined;
  /** What header values and access logs read. */
  readonly info: HttpStreamInfo;
  readonly #timers: StreamTimers;
  readonly #filters: FilterRun;
  readonly notes = new FilterNotes();
  #metadata: Map<string, DynamicMetadata> | undefined = undefined;
  scheme = "http";
  knownRemote: PeerAddress | undefined = undefined;
  route: Route | undefined = undefined;
  choice: ClusterChoice | undefined = undefined;
  virtualHost: VirtualHost | undefined = undefined;
  /** Routes that an internal redirect led away from, by name. */
  redirects: string[] = [];
  readonly #way: RequestWay;
  readonly trace: StreamTrace | undefined;
  /** What filters put before the client, and the first of it; absent when none did. */
  #responseMakes: MakeSink[] | undefined = undefined;
  #responseSink: BodySink | undefined = undefined;
  #isRequestDone = false;
  #isResponseStarted = false;
  #isOver = true;
  /** The head of the response has gone out. */
  #isHeadSent = false;
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

  constructor(carrier: StreamCarrier, head: RequestHead) {
    this.head = head;
    this.context = carrier.context;
    this.#carrier = carrier;
    const { tracing, keepsTimes } = carrier.service;
    this.info = new HttpStreamInfo(this);
    this.#log = StreamLog.of(carrier.service, this.info, this.context);
    this.times = new StreamTimes(this.context.clock, keepsTimes);
    this.meter = this.#log?.meter;
    this.router = new Router(this, this.#log?.upstreamMeter);
    this.trace = tracing && new StreamTrace(tracing, this);
    this.#filters = new FilterRun(carrier.service.filters, this);
    this.#timers = new StreamTimers(this);
    this.#way = new RequestWay(this.#routerSink, () => this.#carrier.pauseReading());
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
    return this.#carrier.service.config;
  }

  get protocol(): string {
    return this.#carrier.protocol;
  }
  get connection(): ConnectionInfo {
    return this.#carrier.connection;
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
  filterState(key: string): FilterStateObject | undefined {
    return this.notes.stateOf(key);
  }

  /** The head has been read. */
  start(isRequestDone: boolean): void {
    this.#reset(isRequestDone);
    const { config, head } = this;
    // What follows these is no body: an answer of our own ends the connection.
    if (head.upgrade !== "" || head.method === "CONNECT") this.#isRequestDone = false;
    this.times.note("headEndMs");
    const reply =
      this.context.overload?.replyToHead(this.#carrier.service.stats.counters) ??
      config.prepareTarget?.(head, this.connection.local.port);
    if (reply !== undefined) return this.localReply(reply);
    prepareRequest(this, this.#carrier.service.routes.current);
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
    this.#log?.onRequest();
    if (!allowsUpgrade(head, this.route, config)) return this.localReply(UPGRADE_REFUSED);
    this.trace?.begin();
    this.#runFilters();
  }

  #findRoute(): void {
    this.refreshRoute();
    this.#begin();
  }

  refreshRoute(): void {
    const { current } = this.#carrier.service.routes;
    this.virtualHost = current?.findVirtualHost(this.head.authority);
    const route = this.virtualHost && routeWithin(this.virtualHost, this, this.context.prng);
    this.route = route;
    this.choice = undefined;
    if (route !== undefined && route.action.kind === "cluster") {
      this.choice = route.action.chooseCluster(this, this.context.prng);
      this.#timers.follow(route.action, this.times.startMs, this.head.headers);
    }
  }

  /** The filters have seen nothing of what is on its way now. */
  #begin(): void {
    this.#way.begin();
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
    (this.#metadata ??= new Map()).set(namespace, { ...this.#metadata.get(namespace), ...values });
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
    // What a trace says of the redirect is its answer.
    this.status = response.status;
    this.trace?.finish();
    this.router.leave(response.status !== 303);
    // Envoy brings the body along, not what follows it.
    this.requestTrailers = undefined;
    this.#filters.onStreamEnd(this.context.faults.note);
    this.#begin();
    this.status = 0;
    this.trace?.beginAgain();
    this.#runFilters();
    return true;
  }

  /** Lets the filters that have not seen the request see it; the last one is the router. */
  #runFilters(): void {
    const way = this.#way;
    const isEnd = this.#isRequestDone && way.isClear;
    if (!this.#filters.run(isEnd)) {
      if (!this.#isOver) way.hold();
      return;
    }
    const { counters } = this.#carrier.service.stats;
    counters.rq_total++;
    const reply = this.context.overload?.replyAtRouter(this, counters);
    if (reply !== undefined) return this.localReply(reply);
    this.router.start(isEnd && way.isClear);
    if (!way.isClear && !this.#isOver) way.open();
  }

  get onDemand(): FilterStream["onDemand"] {
    return this.#carrier.service.routes.onDemand;
  }

  restart(): void {
    if (!this.#way.isHeld || this.#isOver) return;
    this.isRestarted = true;
    this.#filters.onStreamEnd(this.context.faults.note);
    this.#findRoute();
    if (allowsUpgrade(this.head, this.route, this.config)) this.continueRequest();
    else this.localReply(UPGRADE_REFUSED);
  }

  continueRequest(): void {
    if (!this.#way.isHeld || this.#isOver) return;
    this.#way.letGo();
    this.#runFilters();
    if (this.#way.isHeld || this.#isOver) return;
    this.router.flushRequest();
    if (!this.#isRequestDone) this.#carrier.resumeReading();
  }

  addFlag(flag: string): void {
    this.flag = joinFlags(this.flag, flag);
  }

  #reset(isRequestDone: boolean): void {
    const nowMs = this.context.clock.monotonicMs();
    this.times.reset(nowMs);
    this.router.reset();
    this.knownRemote = undefined;
    if (isRequestDone) this.times.requestEndMs = nowMs;
    this.#isRequestDone = isRequestDone;
    this.#way.reset(isRequestDone);
    this.#isResponseStarted = false;
    this.#isHeadSent = false;
    this.#isOver = false;
    this.closes = false;
    this.isRestarted = false;
    this.#isClientBlocked = false;
    this.#isUpstreamPaused = false;
    this.#metadata = undefined;
    this.notes.reset();
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
  }

  /** Answers in the upstream's stead, or breaks off what it has begun. */
  onTimeout({ whole, partial }: TimeoutReply): void {
    const reply = this.#isRequestDone ? whole : partial;
    if (this.#isResponseStarted) return this.onUpstreamBroken(reply.flag, reply.details);
    this.router.destroy();
    this.localReply(reply);
  }

  // From the client.

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.bytesReceived += to - from;
    if (this.#isOver) return;
    this.#timers.moved();
    this.#way.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#isRequestDone = true;
    this.requestTrailers = trailers;
    this.#timers.requestEnded();
    this.times.requestEndMs = this.context.clock.monotonicMs();
    if (!this.#isOver) this.#way.onBodyEnd(trailers);
  }

  onReadEnd(): void {
    if (!this.#isOver && !this.#way.isHeld) this.router.flushRequest();
  }

  /** Where the request's body leaves the filters. */
  readonly #routerSink: BodySink = {
    onBodyBytes: (buffer, from, to) => {
      if (!this.#isOver) this.router.sendBytes(buffer, from, to);
    },
    onBodyEnd: (trailers) => {
      if (this.#isOver) return;
      this.requestTrailers = trailers;
      this.router.endRequest();
    },
  };

  interceptRequest(make: MakeSink): void {
    this.#way.intercept(make);
  }

  gatherRequest(whole: WholeRequest): void {
    this.#way.gather(whole);
    if (!this.#isRequestDone) this.#carrier.resumeReading();
  }

  flushRequest(): void {
    this.onReadEnd();
  }

  /** The head could not be read; where the client is not `told`, that is logged only. */
  refuse(reply: LocalReply, told = true): void {
    this.#reset(false);
    this.scheme = "";
    this.times.requestEndMs = this.times.startMs;
    if (told) return this.localReply(reply);
    this.onDownstreamReset(reply.flag, reply.details);
  }

  /** The body could not be read. */
  onBadBody(reply: LocalReply): void {
    if (this.#isOver) return;
    this.router.destroy();
    if (this.#isResponseStarted) this.onUpstreamBroken("DPE", reply.details);
    else this.localReply(reply);
  }

  /** There is no client any more, or none that the answer could be sent to. */
  onDownstreamReset(flag: ResponseFlag | "", details: string): void {
    if (this.#isOver) return;
    this.router.destroy();
    this.addFlag(flag);
    this.details = details;
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
    this.#carrier.pauseReading();
  }

  resumeRequest(): void {
    if (!this.#isOver) this.#carrier.resumeReading();
  }

  // From the upstream.

  onUpstreamInterim(head: ResponseHead): void {
    if (this.config.proxies100Continue && !this.#isResponseStarted) this.#carrier.sendInterim(head);
  }

  onUpstreamHead(head: ResponseHead, hasBody: boolean): void {
    this.#timers.moved();
    if (this.#isRequestDone) tellServiceTime(head.headers, this);
    this.router.tellCookies(head.headers);
    this.status = head.status;
    if (this.head.upgrade !== "" && head.status !== 101) return this.#refuseTunnel(head, hasBody);
    this.#respond(head, hasBody);
  }

  /** The upstream does not change the protocol. Of a WebSocket's refusal only the head is sent. */
  #refuseTunnel(head: ResponseHead, hasBody: boolean): void {
    if (this.protocol !== "HTTP/2") this.details = "websocket_handshake_unsuccessful";
    if (!hasBody || !emptyRefusal(this, head)) return this.#respond(head, hasBody);
    this.#respond(head, false);
    this.router.destroy();
    this.#finish();
  }

  /** Sends a head, the upstream's or our own, through the filters to the client. */
  #respond(head: ResponseHead, hasBody: boolean): void {
    this.#isResponseStarted = true;
    this.#responseMakes = undefined;
    this.#responseSink = undefined;
    const mutations = (this.choice ?? this.route)?.mutations.response;
    if (mutations !== undefined && mutations.length > 0) mutateHead(mutations, head, this.info);
    this.status = head.status;
    this.responseHeaders = head.headers;
    this.#filters.onResponseHead(head, hasBody);
    if (this.#responseMakes !== undefined) {
      this.#responseSink = chainSinks(this.#responseMakes, this.#clientSink);
    }
    this.#sendHead(head, hasBody);
  }

  interceptResponse(make: MakeSink): void {
    (this.#responseMakes ??= []).push(make);
  }

  onUpstreamBytes(buffer: Buffer, from: number, to: number): void {
    this.#timers.moved();
    if (this.#responseSink === undefined) this.#sendBytes(buffer, from, to);
    else this.#responseSink.onBodyBytes(buffer, from, to);
  }

  onUpstreamEnd(trailers: HeaderList | undefined): void {
    if (!this.#isRequestDone && endsTunnel(this)) {
      // Of a tunnel the end is a reset for Envoy, though it is passed on in order.
      this.addFlag("UC");
      this.details = "upstream_reset_after_response_started{connection_termination}";
    }
    if (this.#responseSink === undefined) return this.#sendEnd(trailers);
    this.responseTrailers = trailers;
    this.#responseSink.onBodyEnd(trailers);
  }

  /** The last of the response's sinks. */
  readonly #clientSink: BodySink = {
    onBodyBytes: (buffer, from, to) => {
      if (this.#isOver) return;
      this.#timers.moved();
      this.#sendBytes(buffer, from, to);
    },
    onBodyEnd: (trailers) => {
      if (!this.#isOver) this.#sendEnd(trailers);
    },
  };

  #sendBytes(buffer: Buffer, from: number, to: number): void {
    this.bytesSent += to - from;
    this.#carrier.sendBytes(buffer, from, to);
  }

  #sendEnd(trailers: HeaderList | undefined): void {
    this.responseTrailers = trailers;
    this.#carrier.sendEnd(trailers);
    this.#finish();
  }

  onUpstreamReadEnd(): void {
    this.flushResponse();
  }

  flushResponse(): void {
    if (this.#isOver) return;
    this.#carrier.flush();
    if (!this.#carrier.isFull || this.#isClientBlocked) return;
    this.#isClientBlocked = true;
    this.#isUpstreamPaused = true;
    this.router.pauseResponse();
  }

  // To the client.

  /** Answers in the upstream's stead; the one place where the proxy makes up a response. */
  localReply(reply: LocalReply): void {
    if (this.#isOver) return;
    this.#way.drop();
    if (reply.flag !== "") this.addFlag(reply.flag);
    this.details = reply.details;
    if (reply.closes === true) this.closes = true;
    this.#localHead ??= new ResponseHead();
    const replies = this.config.localReplies;
    const body = fillLocalHead(this.#localHead, reply, this.head, replies && { replies, of: this });
    const hasBody = body !== "" && this.head.method !== "HEAD";
    this.#respond(this.#localHead, hasBody);
    if (!hasBody) return this.#finish();
    writeText(this.#responseSink ?? this.#clientSink, body);
  }

  #sendHead(head: ResponseHead, hasBody: boolean): void {
    this.times.note("answerBeginMs");
    const carrier = this.#carrier;
    const { counters } = carrier.service.stats;
    if (!this.notes.isHealthCheck) countResponse(counters, head.status);
    prepareResponse(head.headers, this);
    this.trace?.onResponseHead(head.headers);
    const closes =
      this.closes || carrier.isDraining || this.context.overload?.endsKeepAlive(counters) === true;
    this.#isHeadSent = true;
    this.closes = carrier.sendHead(head, this.head, hasBody, this.#isRequestDone, closes);
    if (head.status === 101 || opensTunnel(this.head.method, head.status)) this.#log?.onTunnel();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.times.note("answerEndMs");
    this.#over();
    this.#carrier.finishResponse(this.#isRequestDone, this.closes);
  }

  /** The response cannot be ended in order: the client must see that it is cut off. */
  onUpstreamBroken(flag: string, details: string): void {
    this.router.destroy();
    this.addFlag(flag);
    this.details = details;
    this.#over();
    this.#carrier.breakResponse();
  }

  /**
   * Something of this stream has thrown. Filters have no more say in it: it is answered with 500, or
   * cut off where the answer has begun.
   */
  fail(): void {
    if (this.#isOver) return;
    if (this.#isHeadSent) return this.onUpstreamBroken("", FAILED.details);
    this.router.destroy();
    this.#filters.leave();
    this.localReply(FAILED);
  }

  /** Lets the carrier go, whatever state this is in. */
  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timers.cancel();
    this.#carrier.breakResponse();
  }

  #over(): void {
    this.#isOver = true;
    this.#way.drop();
    this.#timers.cancel();
    this.times.endMs = this.context.clock.monotonicMs();
    countStream(this, this.#carrier.service.stats);
    this.#log?.end();
    this.trace?.finish();
    this.#filters.onStreamEnd(this.context.faults.note);
    this.responseHeaders = undefined;
    this.#responseSink = undefined;
  }

  /** Made by the first answer of our own. */
  #localHead: ResponseHead | undefined = undefined;
}
