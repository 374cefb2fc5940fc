import type { RetryPolicy } from "../../match/retry-policy.ts";
import type { ClusterAction, ClusterChoice } from "../../match/route.ts";
import { PRIORITY, type Priority } from "../cluster/breakers.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Host } from "../cluster/host.ts";
import type { UpstreamNames } from "../cluster/host-dial.ts";
import { heedImmediateFail } from "../health/immediate-fail.ts";
import type { ByteMeter } from "../http/byte-meter.ts";
import { opensTunnel } from "../http/framing.ts";
import type { HeaderList } from "../http/header-list.ts";
import {
  brokenOff,
  flagOfReset,
  invalidHeaderValue,
  type LocalReply,
  maxDurationReached,
  NO_ROUTE,
  RESET,
  type ResetReason,
  upstreamReset,
} from "../http/local-reply.ts";
import type { RequestHead, ResponseHead } from "../http/message-head.ts";
import { MOMENT } from "../http/stream-times.ts";
import type { ResponseSink, UpstreamExchange } from "../http/upstream-exchange.ts";
import { AttemptFilters, type FilteredAttempt } from "./attempt-filters.ts";
import {
  AttemptTimers,
  countTimeout,
  TIMEOUT,
  type TimeoutKind,
  timedOut,
} from "./attempt-timers.ts";
import { BAD_CONNECT, canConnectTo, tunnelPrefix } from "./connect.ts";
import { dropOverload } from "./drop-overload.ts";
import { ExchangeSearch, type Seeker } from "./exchange-search.ts";
import { judgeReset, judgeResponse } from "./judge-host.ts";
import { RequestBody } from "./request-body.ts";
import { prepareRequestHead, takeHostName } from "./request-head.ts";
import { NO_LIMITS, type RequestLimits, requestLimits } from "./request-limits.ts";
import { RequestPick } from "./request-pick.ts";
import { Retries } from "./retries.ts";
import { isRetriableReset, isRetriableResponse } from "./retry-decision.ts";
import { answerMissing, answerRoute, noHost } from "./route-answer.ts";
import type { RoutedStream } from "./routed-stream.ts";
import { tellTimeLeft } from "./time-left.ts";
import { upstreamNames } from "./upstream-names.ts";

/**
 * Sends a request to a cluster and its response back: the last of the HTTP filters. One object
 * serves all requests of a connection, one after the other.
 */
export class Router implements ResponseSink, Seeker, FilteredAttempt {
  readonly #stream: RoutedStream;
  readonly meter: ByteMeter | undefined;
  readonly #timers: AttemptTimers;
  /** Of the attempt in progress; absent where its cluster has none. */
  #filters: AttemptFilters | undefined = undefined;
  #action: ClusterAction | undefined = undefined;
  #limits: RequestLimits = NO_LIMITS;
  cluster: Cluster | undefined = undefined;
  #host: Host | undefined = undefined;
  #connection: UpstreamExchange | undefined = undefined;
  readonly search: ExchangeSearch;
  /** Where the host's name is being looked up. */
  #cancelLookup: (() => void) | undefined = undefined;
  readonly #retries: Retries;
  readonly #pick: RequestPick;
  /** By which names its TLS connections are made; absent where the cluster's hold. */
  #names: UpstreamNames | undefined = undefined;
  readonly #body: RequestBody;
  #tellsAttempts = false;
  #isStarting = false;
  #isResponseStarted = false;
  /** Whether the last attempt ran out of time. */
  #isTimeoutRetry = false;

  /** `meter` counts what goes over the wire, all attempts together; absent where nobody asks. */
  constructor(stream: RoutedStream, meter: ByteMeter | undefined) {
    this.#stream = stream;
    this.meter = meter;
    this.#pick = new RequestPick(stream);
    this.#retries = new Retries(stream);
    this.#body = new RequestBody(stream);
    this.search = new ExchangeSearch(stream, this, meter);
    this.#timers = new AttemptTimers(stream.context, (kind) => this.#failTimeout(kind));
  }

  get host(): Host | undefined {
    return this.#host ?? this.#pick.lastTried;
  }

  /** Of the request's body, in the last attempt. */
  get bytesSent(): number {
    return this.#body.bytesSent;
  }

  /** Begun so far. */
  get attempts(): number {
    return this.#pick.attempts;
  }

  /** A request begins: of what was before it nothing is told, whoever answers it. */
  reset(): void {
    this.cluster = undefined;
    this.search.reset();
    this.#pick.begin();
    this.#host = undefined;
  }

  /** A request that a redirect sent here again brings its body along; others begin without. */
  start(isRequestDone: boolean): void {
    const { route, virtualHost, choice } = this.#stream;
    if (route === undefined || virtualHost === undefined) return this.#stream.localReply(NO_ROUTE);
    const { action } = route;
    if (action.kind === "cluster") {
      if (choice !== undefined) this.#startCluster(action, choice, isRequestDone);
    } else {
      this.#stream.localReply(answerRoute(action, this.#stream));
    }
  }

  #startCluster(action: ClusterAction, choice: ClusterChoice, isRequestDone: boolean): void {
    const { context, head, route, virtualHost } = this.#stream;
    this.#action = action;
    this.#isResponseStarted = false;
    this.#tellsAttempts = virtualHost?.tellsAttemptCount === true;
    const cluster = context.findCluster(choice.name);
    this.cluster = cluster;
    this.#body.begin(isRequestDone, route?.bufferBytesMax ?? cluster?.config.bufferBytesMax ?? 0);
    if (cluster === undefined) {
      return this.#stream.localReply(answerMissing(action, choice, this.#stream));
    }
    const dropped = dropOverload(cluster, this.#stream);
    if (dropped !== undefined) return this.#stream.localReply(dropped);
    this.#retries.start(cluster.load.breakers[this.priority], cluster.load);
    this.#limits = requestLimits(action, this.#stream);
    const policy = this.#limits.retryPolicy;
    this.#pick.policy = policy;
    const mayRetry = policy !== undefined && policy.retriesMax > 0;
    const mayRepeat = mayRetry || action.internalRedirect !== undefined;
    const isConnect = head.method === "CONNECT";
    const isUpgrade = head.upgrade !== "";
    this.#body.prepare(mayRepeat && !isUpgrade, isConnect || isUpgrade);
    this.#tellTimeLeft(head);
    const refused =
      prepareRequestHead(this.#stream, action, choice) || this.#stream.notes.refusedHeader;
    if (refused !== "") return this.#reply(invalidHeaderValue(refused));
    const { names } = cluster.config.connection;
    this.#names = names && upstreamNames(names, head);
    if (isRequestDone) this.#timers.startResponse(this.#limits.timeoutMs);
    if (isConnect && !canConnectTo(head)) return this.#reply(BAD_CONNECT);
    if (action.mirrors.length > 0 && !isConnect) {
      this.#body.startShadows(action.mirrors, this.#limits.timeoutMs);
    }
    this.#isStarting = true;
    this.#attempt(cluster);
    this.#isStarting = false;
  }

  /** What the client is given by the choice of its host, for the response. */
  tellCookies(headers: HeaderList): void {
    this.#pick.tellCookies(headers);
  }

  get priority(): Priority {
    return this.#action?.isHighPriority === true ? PRIORITY.high : PRIORITY.default;
  }

  #attempt(cluster: Cluster): void {
    this.#pick.attempts++;
    // By the time of a retry it may have been replaced, or be gone.
    const current = this.#isStarting
      ? cluster
      : this.#stream.context.findCluster(cluster.config.name);
    this.#cancelLookup = current?.awaitHost?.(this.#pick, () => this.#choose(cluster, current));
    if (this.#cancelLookup === undefined) this.#choose(cluster, current);
  }

  #choose(cluster: Cluster, current: Cluster | undefined): void {
    this.#cancelLookup = undefined;
    const host = current?.pick(this.#pick);
    if (host === undefined) {
      cluster.load.noneHealthy++;
      this.#reply(noHost(cluster, this.#pick.overrideHost));
      return;
    }
    this.#host = host;
    const action = this.#action;
    if (action !== undefined && this.#stream.choice?.hostRewrite?.kind === "auto") {
      takeHostName(this.#stream, action, host);
    }
    this.#stream.trace?.startAttempt(host, this.attempts);
    this.#stream.attemptLog?.start();
    this.#filters = AttemptFilters.of(host, this.#stream, this);
    // An attempt that filters hold has begun; any other one begins with its connection.
    if (this.#filters !== undefined) this.#startPerTry();
    if (this.#filters?.run() === false) return;
    this.#connect(host);
  }

  #startPerTry(): void {
    if (this.#body.isDone) this.#timers.startPerTry(this.#limits.perTryTimeoutMs);
  }

  onFiltersPassed(): void {
    if (this.#host !== undefined) this.#connect(this.#host);
  }

  /** To all that comes behind it this is an answer of the upstream. */
  onFilterReply(head: ResponseHead, body: string, { flag, details }: LocalReply): void {
    const { attempts } = this;
    const hasBody = body !== "" && this.#stream.head.method !== "HEAD";
    this.onResponseHead(head, hasBody);
    if (!this.#isResponseStarted || attempts !== this.attempts) return;
    this.#stream.details = details;
    this.#stream.addFlag(flag);
    if (hasBody) this.onBodyBytes(Buffer.from(body, "latin1"), 0, body.length);
    this.onBodyEnd();
  }

  #connect(host: Host): void {
    const { connection, head } = this.#stream;
    const tunnel = this.#action && tunnelPrefix(head.method, this.#action, connection);
    this.search.open(host, { priority: this.priority, names: this.#names, tunnelPrefix: tunnel });
  }

  onExchange(exchange: UpstreamExchange): void {
    const { head, times, scheme, attemptLog } = this.#stream;
    this.#connection = exchange;
    exchange.host.outlier?.onConnected();
    times.startAttempt();
    attemptLog?.onConnected();
    this.#tellAttempt(head);
    exchange.begin(this, head, scheme, this.#body.isNone);
    this.#body.sendKept(exchange);
    this.#startPerTry();
    this.#timers.startIdle(this.#pick.policy?.perTryIdleTimeoutMs ?? 0);
    // What is being read from the client right now may still add to it.
    if (this.#body.isDone || !this.#isStarting) exchange.flush();
    if (!this.#isStarting) this.#stream.resumeRequest();
  }

  onNoExchange(reason: ResetReason): void {
    this.onReset(reason);
  }

  /** What one attempt says of itself. */
  #tellAttempt(head: RequestHead): void {
    const { virtualHost } = this.#stream;
    const { headers } = head;
    if (this.attempts > 1) this.#tellTimeLeft(head);
    if (this.#tellsAttempts) headers.set("x-envoy-attempt-count", String(this.attempts));
    if (this.attempts > 1 && virtualHost?.tellsTimeoutRetry === true) {
      headers.set("x-envoy-is-timeout-retry", String(this.#isTimeoutRetry));
    }
  }

  #tellTimeLeft({ headers }: RequestHead): void {
    const tellsEnvoy = !this.#stream.config.suppressesEnvoyHeaders;
    const isRequestDone = this.#body.isDone;
    const progress = { attempts: this.attempts, isRequestDone, timers: this.#timers };
    tellTimeLeft(headers, this.#limits, progress, tellsEnvoy);
  }

  /** More of the request's body; `flushRequest` follows. */
  sendBytes(buffer: Buffer, from: number, to: number): void {
    this.#body.send(this.#connection, buffer, from, to);
  }

  endRequest(): void {
    this.#body.end(this.#connection);
    this.#timers.startResponse(this.#limits.timeoutMs);
    if (this.#connection !== undefined || this.#filters !== undefined) this.#startPerTry();
  }

  /** What one read from the client brought has been handed over. */
  flushRequest(): void {
    this.#body.flush(this.#connection);
  }

  /** The client reads slower than the upstream sends. */
  pauseResponse(): void {
    this.#connection?.pause();
  }

  resumeResponse(): void {
    this.#connection?.resume();
  }

  onSendDrain(): void {
    this.#stream.resumeRequest();
  }

  onInterim(head: ResponseHead): void {
    this.cluster?.load.countResponse(head.status);
    this.#stream.onUpstreamInterim(head);
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): void {
    this.#timers.endPerTry();
    this.#timers.moved();
    this.#stream.times.note(MOMENT.readBegin);
    if (!hasBody) this.#stream.times.note(MOMENT.readEnd);
    this.#stream.trace?.onAttemptHead(head, hasBody);
    this.#stream.attemptLog?.onHead(head);
    judgeResponse(this.#host, this.#stream.head, head);
    this.#host?.countResponse(head.status);
    heedImmediateFail(this.#host, head);
    const policy = this.#pick.policy;
    const load = this.cluster?.load;
    const retries = policy && isRetriableResponse(policy, head) && this.#retry(policy, head);
    load?.countResponse(head.status, retries);
    if (retries === true) return;
    const action = this.#action;
    if (action?.internalRedirect?.statuses.has(head.status) === true) {
      if (this.#followRedirect(action, head)) return;
    }
    this.#retries.end(head.status < 500);
    this.#isResponseStarted = true;
    if (this.#body.isTunnelShut) this.#openTunnel(head);
    this.#body.drop();
    if (this.#stream.virtualHost?.answersAttemptCount === true) {
      head.headers.set("x-envoy-attempt-count", String(this.attempts));
    }
    this.#stream.onUpstreamHead(head, hasBody);
  }

  /** Bytes behind what was not granted would be taken for requests. */
  #openTunnel({ status }: ResponseHead): void {
    const connection = this.#connection;
    const { method, upgrade } = this.#stream.head;
    const isOpen = upgrade === "" ? opensTunnel(method, status) : status === 101;
    if (connection !== undefined && isOpen) this.#body.openTunnel(connection);
  }

  #followRedirect(action: ClusterAction, head: ResponseHead): boolean {
    const load = this.cluster?.load;
    // What is not here in full cannot be sent again.
    const isWhole = this.#body.isDone && this.#body.stays;
    if (!isWhole || !this.#stream.redirectInternally(action, head)) {
      if (load !== undefined) load.redirectsFailed++;
      return false;
    }
    if (load !== undefined) load.redirectsFollowed++;
    return true;
  }

  /** Drops the attempt in favour of the way that a redirect names; the body stays. */
  leave(keepsBody: boolean): void {
    this.#retries.end(false);
    this.#timers.end();
    this.#abandon();
    this.#release();
    this.#body.leave(keepsBody);
    this.reset();
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#timers.moved();
    this.#stream.times.noteFirst(MOMENT.readBody);
    this.#stream.attemptLog?.onBytes(to - from);
    this.#stream.onUpstreamBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#stream.times.note(MOMENT.readEnd);
    this.#stream.trace?.endAttempt(trailers);
    this.#stream.attemptLog?.end(trailers);
    this.#connection = undefined;
    this.#filters?.end();
    this.#release();
    this.#timers.end();
    this.#body.release();
    this.#stream.onUpstreamEnd(trailers);
  }

  onReadEnd(): void {
    this.#stream.onUpstreamReadEnd();
  }

  onReset(reason: ResetReason): void {
    const connection = this.#connection;
    if (connection !== undefined) this.search.transportFailure = connection.line.transportFailure;
    this.#connection = undefined;
    judgeReset(this.#host, reason);
    this.#stream.trace?.failAttempt(reason);
    this.#stream.attemptLog?.addFlag(flagOfReset(reason));
    this.#stream.attemptLog?.end();
    if (this.#isResponseStarted) {
      this.#end();
      this.#stream.onUpstreamBroken(brokenOff(reason));
      return;
    }
    if (this.#host !== undefined) this.#host.requestErrors++;
    const policy = this.#pick.policy;
    const attempt = {
      method: this.#stream.head.method,
      isReused: connection?.isReused === true,
      isSent: connection !== undefined,
    };
    this.#isTimeoutRetry = false;
    if (
      policy !== undefined &&
      isRetriableReset(policy, reason, attempt) &&
      this.#retry(policy, undefined)
    ) {
      return;
    }
    if (reason === RESET.maxDuration) return this.#reply(maxDurationReached(this.#body.isDone));
    const isRetried = this.attempts > 1;
    const { transportFailure } = this.search;
    this.#reply(upstreamReset(reason, { isRetried, transportFailure }));
  }

  /** Prepares the next attempt; false when there may be none. */
  #retry(policy: RetryPolicy, response: ResponseHead | undefined): boolean {
    const cluster = this.cluster;
    if (cluster === undefined) return false;
    const { attempts } = this;
    if (!this.#retries.isAllowed(policy, attempts, this.#body.stays)) return false;
    this.#timers.endAttempt();
    this.#abandon();
    this.#release();
    this.#retries.schedule(policy, attempts, response, () => this.#attempt(cluster));
    return true;
  }

  #failTimeout(kind: TimeoutKind): void {
    if (this.#host !== undefined) this.#host.requestTimeouts++;
    if (this.#connection !== undefined && (kind !== TIMEOUT.response || !this.#isResponseStarted)) {
      this.#host?.outlier?.onTimeout(this.#limits.answersTimeoutWith204 ? 204 : 504);
    }
    if (this.cluster !== undefined) countTimeout(this.cluster.load, kind);
    if (kind !== TIMEOUT.response && !this.#isResponseStarted) {
      this.#stream.trace?.onAttemptTimeout();
      this.#stream.attemptLog?.addFlag(kind === TIMEOUT.perTryIdle ? "SI" : "UT");
    }
    const policy = this.#pick.policy;
    if (kind !== TIMEOUT.response && !this.#isResponseStarted && policy?.onReset === true) {
      this.#isTimeoutRetry = true;
      if (this.#retry(policy, undefined)) return;
    }
    if (this.#isResponseStarted) {
      this.#end();
      this.#stream.onUpstreamBroken(timedOut(kind, this.#limits.answersTimeoutWith204));
    } else this.#reply(timedOut(kind, this.#limits.answersTimeoutWith204));
  }

  #reply(reply: LocalReply): void {
    this.cluster?.load.countResponse(reply.status);
    this.#end();
    const tells = this.#stream.virtualHost?.answersAttemptCount === true;
    const { headers = [] } = reply;
    const count = ["x-envoy-attempt-count", String(this.attempts)];
    this.#stream.localReply(tells ? { ...reply, headers: [...headers, ...count] } : reply);
  }

  /** The stream is over; whatever is in progress upstream is dropped. */
  destroy(): void {
    this.#end();
  }

  #end(): void {
    this.#body.destroy();
    this.#retries.cancel();
    this.#abandon();
    this.#release();
    this.#timers.end();
    this.#cancelLookup?.();
    this.#cancelLookup = undefined;
  }

  #abandon(): void {
    this.#filters?.end();
    this.#stream.trace?.cancelAttempt();
    this.#stream.attemptLog?.end();
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abandon();
    this.search.cancel();
  }

  #release(): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#pick.addTried(host);
    this.#host = undefined;
  }
}
