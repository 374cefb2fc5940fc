import { type ResponseFlag } from "../../match/response-flags.ts";
import { type ClusterAction } from "../../match/route.ts";
import { routeWithin } from "../../match/tls-route.ts";
import { AttemptLog } from "../router/attempt-log.ts";
import { acceptsRoute, takeRedirect } from "../router/internal-redirect.ts";
import type { RoutedStream } from "../router/routed-stream.ts";
import { Router } from "../router/router.ts";
import { countResponse } from "../stats/http-stats.ts";
import { StreamTrace } from "../tracing/stream-trace.ts";
import { type BodySink, writeText } from "./body-sink.ts";
import type { ByteMeter } from "./byte-meter.ts";
import { FilterRun } from "./filter-run.ts";
import { opensTunnel } from "./framing.ts";
import type { HeaderList } from "./header-list.ts";
import { mutateHead } from "./header-mutation.ts";
import type { DynamicMetadata, FilterStream } from "./http-filter.ts";
import { countStream, HttpStreamInfo, type InformedStream } from "./http-stream-info.ts";
import {
  FAILED,
  type LocalReply,
  NO_PATH,
  RESPONSE_TOO_LARGE,
  UPGRADE_REFUSED,
} from "./local-reply.ts";
import { fillLocalHead } from "./local-reply-head.ts";
import { type RequestHead, ResponseHead } from "./message-head.ts";
import { prepareRequest } from "./request-headers.ts";
import { type MakeSink, RequestWay, type WholeRequest } from "./request-way.ts";
import { prepareResponse, tellServiceTime } from "./response-headers.ts";
import { type ResponseClient, ResponseWay } from "./response-way.ts";
import type { StreamCarrier } from "./stream-carrier.ts";
import { StreamFacts } from "./stream-facts.ts";
import { StreamLog } from "./stream-log.ts";
import { StreamTimers, type TimedStream, type TimeoutReply } from "./stream-timers.ts";
import { MOMENT } from "./stream-times.ts";
import { allowsUpgrade, emptyRefusal, endsTunnel, passOverUpgrade } from "./upgrade.ts";

/**
 * One request and its response, from head to end, whichever version of HTTP carries it. Reused for
 * one request after the other.
 *
 * The order: headers are put right, the route is found, the filters run, and the router sends the
 * request on. The response goes through the filters the other way round. Whatever answers instead
 * does so through `localReply`.
 */
export class HttpStream
  extends StreamFacts
  implements RoutedStream, FilterStream, InformedStream, TimedStream
{
  readonly router: Router;
  /** Counts for logs what goes over the wire, for whoever carries the stream. */
  readonly meter: ByteMeter | undefined;
  readonly #log: StreamLog | undefined;
  /** What header values and access logs read. */
  readonly info: HttpStreamInfo;
  readonly #timers: StreamTimers;
  readonly #filters: FilterRun;
  readonly #way: RequestWay;
  readonly #answer: ResponseWay;
  readonly trace: StreamTrace | undefined;
  readonly attemptLog: AttemptLog | undefined;
  #isRequestDone = false;
  #isResponseStarted = false;
  #isOver = true;
  /** The head of the response has gone out. */
  #isHeadSent = false;
  #isClientBlocked = false;
  #isUpstreamPaused = false;

  constructor(carrier: StreamCarrier, head: RequestHead) {
    super(carrier, head);
    const { service } = this;
    this.info = new HttpStreamInfo(this);
    this.#log = StreamLog.of(service, this.info, this.context);
    this.meter = this.#log?.meter;
    this.attemptLog = AttemptLog.of(service, this);
    this.router = new Router(this, this.#log?.upstreamMeter);
    this.trace = service.tracing && new StreamTrace(service.tracing, this);
    this.#filters = new FilterRun(service.filters, this);
    this.#timers = new StreamTimers(this);
    this.#way = new RequestWay(this.#routerSink, () => this.carrier.pauseReading());
    this.#answer = new ResponseWay(this.#filters, this.#client);
  }

  /** The head has been read. */
  start(isRequestDone: boolean): void {
    this.#reset(isRequestDone);
    const { config, head } = this;
    // What follows these is no body: an answer of our own ends the connection.
    if (head.upgrade !== "" || head.method === "CONNECT") this.#isRequestDone = false;
    this.times.note(MOMENT.headEnd);
    const reply =
      this.context.overload?.replyToHead(this.service.stats.counters) ??
      config.prepareTarget?.(head, this.connection.local.port);
    if (reply !== undefined) return this.localReply(reply);
    prepareRequest(this, this.service.routes.current);
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
    const { current } = this.service.routes;
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
    this.#filters.begin(this.overrides);
  }

  dynamicMetadata(namespace: string): DynamicMetadata | undefined {
    return this.#filters.addMetadata(namespace, this.notes.metadataOf(namespace));
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
    const { counters } = this.service.stats;
    counters.rq_total++;
    const reply = this.context.overload?.replyAtRouter(this, counters);
    if (reply !== undefined) return this.localReply(reply);
    this.router.start(isEnd && way.isClear);
    if (!way.isClear && !this.#isOver) way.open();
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
    if (!this.#isRequestDone) this.carrier.resumeReading();
  }

  #reset(isRequestDone: boolean): void {
    this.resetFacts(isRequestDone);
    this.router.reset();
    this.#isRequestDone = isRequestDone;
    this.#way.reset(isRequestDone);
    this.#isResponseStarted = false;
    this.#isHeadSent = false;
    this.#isOver = false;
    this.#isClientBlocked = false;
    this.#isUpstreamPaused = false;
  }

  /** Answers in the upstream's stead, or breaks off what it has begun. */
  onTimeout({ whole, partial }: TimeoutReply): void {
    const reply = this.#isRequestDone ? whole : partial;
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
    if (!this.#isRequestDone) this.carrier.resumeReading();
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
    this.localReply(this.#isHeadSent ? { ...reply, flag: "DPE" } : reply);
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
    this.carrier.pauseReading();
  }

  resumeRequest(): void {
    if (!this.#isOver) this.carrier.resumeReading();
  }

  // From the upstream.

  onUpstreamInterim(head: ResponseHead): void {
    if (this.config.proxies100Continue && !this.#isResponseStarted) this.carrier.sendInterim(head);
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
    if (!hasBody || !emptyRefusal(this, head)) {
      this.#respond(head, hasBody);
      return;
    }
    if (!this.#respond(head, false)) return;
    this.router.destroy();
    this.#firstSink.onBodyEnd();
  }

  /**
   * Sends a head, the upstream's or our own, through the filters to the client; false when one of
   * them has answered in its place.
   */
  #respond(head: ResponseHead, hasBody: boolean): boolean {
    this.#isResponseStarted = true;
    const mutations = (this.choice ?? this.route)?.mutations.response;
    if (mutations !== undefined && mutations.length > 0) mutateHead(mutations, head, this.info);
    this.status = head.status;
    this.responseHeaders = head.headers;
    return this.#answer.begin(head, hasBody);
  }

  interceptResponse(make: MakeSink): void {
    this.#answer.intercept(make);
  }

  continueResponse(hasBody?: true): void {
    if (!this.#isOver) this.#answer.goOn(hasBody);
  }

  onUpstreamBytes(buffer: Buffer, from: number, to: number): void {
    this.#timers.moved();
    const { sink } = this.#answer;
    if (sink === undefined) this.#sendBytes(buffer, from, to);
    else sink.onBodyBytes(buffer, from, to);
  }

  onUpstreamEnd(trailers: HeaderList | undefined): void {
    if (this.#isOver) return;
    if (!this.#isRequestDone && endsTunnel(this)) {
      // Of a tunnel the end is a reset for Envoy, though it is passed on in order.
      this.addFlag("UC");
      this.details = "upstream_reset_after_response_started{connection_termination}";
    }
    const { sink } = this.#answer;
    if (sink === undefined) return this.#sendEnd(trailers);
    this.responseTrailers = trailers;
    sink.onBodyEnd(trailers);
  }

  /** Where the response leaves the filters. */
  readonly #client: ResponseClient = {
    onResponseHead: (head, hasBody) => this.#sendHead(head, hasBody),
    bufferBytesMax: () => this.bufferBytesMax,
    onTooLarge: () => {
      if (this.#isOver) return;
      this.service.stats.counters.rs_too_large++;
      this.localReply(RESPONSE_TOO_LARGE);
    },
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
    this.carrier.sendBytes(buffer, from, to);
  }

  #sendEnd(trailers: HeaderList | undefined): void {
    this.responseTrailers = trailers;
    this.carrier.sendEnd(trailers);
    this.#finish();
  }

  onUpstreamReadEnd(): void {
    this.flushResponse();
  }

  flushResponse(): void {
    if (this.#isOver) return;
    this.carrier.flush();
    if (!this.carrier.isFull || this.#isClientBlocked) return;
    this.#isClientBlocked = true;
    this.#isUpstreamPaused = true;
    this.router.pauseResponse();
  }

  // To the client.

  /**
   * Answers in the upstream's stead; the one place where the proxy makes up a response. One that has
   * begun is cut off, or, where a filter holds it, answered past all filters.
   */
  localReply(reply: LocalReply): void {
    if (this.#isOver) return;
    if (this.#isHeadSent) return this.#breakOff(reply);
    if (this.#isResponseStarted) {
      this.router.destroy();
      this.#filters.leave();
    }
    this.#way.drop();
    if (reply.flag !== "") this.addFlag(reply.flag);
    this.details = reply.details;
    if (reply.closes === true) this.closes = true;
    this.#localHead ??= new ResponseHead();
    const replies = this.config.localReplies;
    const body = fillLocalHead(this.#localHead, reply, this.head, replies && { replies, of: this });
    const hasBody = body !== "" && this.head.method !== "HEAD";
    if (!this.#respond(this.#localHead, hasBody)) return;
    if (hasBody) writeText(this.#firstSink, body);
    else this.#firstSink.onBodyEnd();
  }

  get #firstSink(): BodySink {
    return this.#answer.sink ?? this.#client;
  }

  #sendHead(head: ResponseHead, hasBody: boolean): void {
    this.times.note(MOMENT.answerBegin);
    this.status = head.status;
    const carrier = this.carrier;
    const { counters } = this.service.stats;
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
    this.times.note(MOMENT.answerEnd);
    this.#over();
    this.carrier.finishResponse(this.#isRequestDone, this.closes);
  }

  onUpstreamBroken(reply: LocalReply): void {
    this.localReply(reply);
  }

  /** The response cannot be ended in order: the client must see that it is cut off. */
  #breakOff({ flag, details }: LocalReply): void {
    this.router.destroy();
    this.addFlag(flag);
    this.details = details;
    this.#over();
    this.carrier.breakResponse();
  }

  /**
   * Something of this stream has thrown. Filters have no more say in it: it is answered with 500, or
   * cut off where the answer has begun.
   */
  fail(): void {
    if (this.#isOver) return;
    this.router.destroy();
    this.#filters.leave();
    // Of a connection with other streams nothing is known to be wrong.
    this.localReply({ ...FAILED, closes: this.protocol !== "HTTP/2" });
  }

  /** Lets the carrier go, whatever state this is in. */
  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timers.cancel();
    this.carrier.breakResponse();
  }

  #over(): void {
    this.#isOver = true;
    this.#way.drop();
    this.#timers.cancel();
    this.times.endMs = this.context.clock.monotonicMs();
    countStream(this, this.service.stats);
    this.#log?.end();
    this.#finishTrace();
    this.#filters.onStreamEnd(this.context.faults.note);
    this.responseHeaders = undefined;
    this.#answer.end();
  }

  /** What a tracer throws must not keep the stream from its end. */
  #finishTrace(): void {
    try {
      this.trace?.finish();
    } catch (error) {
      this.context.faults.note(error);
    }
  }

  /** Made by the first answer of our own. */
  #localHead: ResponseHead | undefined = undefined;
}
