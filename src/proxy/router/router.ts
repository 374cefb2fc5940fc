import type { Timer } from "../../base/clock.ts";
import type { RetryPolicy } from "../../match/retry-policy.ts";
import type { ClusterAction, ClusterChoice, DirectAction } from "../../match/route.ts";
import { PRIORITY } from "../cluster/breakers.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Host } from "../cluster/host.ts";
import type { ClientConnection, ResponseSink } from "../http/client-connection.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { FilterStream } from "../http/http-filter.ts";
import { HttpPool, type Waiter } from "../http/http-pool.ts";
import {
  clusterNotFound,
  type LocalReply,
  NO_HEALTHY_UPSTREAM,
  NO_ROUTE,
  RESET,
  RESPONSE_TIMEOUT,
  type ResetReason,
  upstreamReset,
} from "../http/local-reply.ts";
import type { RequestHead, ResponseHead } from "../http/message-head.ts";
import { Deadline, type DeadlineEntry } from "../net/deadlines.ts";
import { encodeRequestHead, writeRequestBytes, writeRequestEnd } from "./encode-request.ts";
import { KeptBody } from "./kept-body.ts";

/** What the router needs of the stream that it ends. */
export interface RoutedStream extends FilterStream {
  readonly config: HttpConfig;
  /** The head may be changed; it and the body follow in the order of `ResponseSink`. */
  onUpstreamHead(head: ResponseHead, hasBody: boolean): void;
  onUpstreamBytes(buffer: Buffer, from: number, to: number): void;
  onUpstreamEnd(): void;
  onUpstreamReadEnd(): void;
  /** The response broke off after its head was passed on. */
  onUpstreamBroken(flag: string, details: string): void;
  /** Stops and goes on reading from the client. */
  pauseRequest(): void;
  resumeRequest(): void;
}

/** Methods that may be sent again although the upstream may have seen them (RFC 9110 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "TRACE",
]);

/**
 * Sends a request to a cluster and its response back: the last of the HTTP filters. One object
 * serves all requests of a connection, one after the other.
 */
export class Router implements ResponseSink, Waiter, DeadlineEntry {
  readonly #stream: RoutedStream;
  readonly #timeout: Deadline;
  readonly #perTry: Deadline;
  #action: ClusterAction | undefined = undefined;
  #cluster: Cluster | undefined = undefined;
  #host: Host | undefined = undefined;
  #connection: ClientConnection | undefined = undefined;
  #retryTimer: Timer | undefined = undefined;
  #attempts = 0;
  /** Hosts that an earlier attempt went to. */
  #tried: Host[] = [];
  readonly #kept = new KeptBody();
  #keeps = false;
  #tellsAttempts = false;
  #isStarting = false;
  #isWaiting = false;
  #transportFailure = "";
  #isRequestDone = false;
  #isResponseStarted = false;
  #isRetriesExhausted = false;

  constructor(stream: RoutedStream) {
    this.#stream = stream;
    this.#timeout = new Deadline(this);
    this.#perTry = new Deadline({ onDeadline: () => this.#onPerTryTimeout() });
  }

  get attempts(): number {
    return this.#attempts;
  }

  get host(): Host | undefined {
    return this.#host ?? this.#tried.at(-1);
  }

  get cluster(): Cluster | undefined {
    return this.#cluster;
  }

  /** Whether attempts failed until none was left. */
  get isRetriesExhausted(): boolean {
    return this.#isRetriesExhausted;
  }

  start(isRequestDone: boolean): void {
    this.#cluster = undefined;
    this.#attempts = 0;
    this.#tried = [];
    this.#isRetriesExhausted = false;
    this.#host = undefined;
    const { route, virtualHost } = this.#stream;
    if (route === undefined || virtualHost === undefined) return this.#stream.localReply(NO_ROUTE);
    const { action } = route;
    if (action.kind === "cluster") {
      this.#tellsAttempts = virtualHost.tellsAttemptCount;
      this.#startCluster(action, isRequestDone);
    } else if (action.kind === "direct") {
      this.#stream.localReply(this.#directReply(action));
    } else {
      this.#stream.localReply({
        status: action.status,
        body: "",
        flag: "",
        details: "direct_response",
        headers: ["location", action.location(this.#stream)],
      });
    }
  }

  #directReply({ status, body }: DirectAction): LocalReply {
    const reply: LocalReply = { status, body, flag: "", details: "direct_response" };
    // Where what was made, or what moved, is to be found (RFC 9110 10.2.2).
    if (status !== 201 && Math.floor(status / 100) !== 3) return reply;
    const { scheme, authority, path } = this.#stream;
    return { ...reply, headers: ["location", `${scheme}://${authority}${path}`] };
  }

  #startCluster(action: ClusterAction, isRequestDone: boolean): void {
    const { context, head } = this.#stream;
    this.#action = action;
    this.#isRequestDone = isRequestDone;
    this.#isResponseStarted = false;
    const { retryPolicy } = action;
    this.#keeps = retryPolicy !== undefined && retryPolicy.retriesMax > 0 && head.upgrade === "";
    const { choice } = this.#stream;
    const cluster = choice && context.findCluster(choice.name);
    this.#cluster = cluster;
    if (choice === undefined || cluster === undefined) {
      this.#stream.localReply(clusterNotFound(action.notFoundStatus));
      return;
    }
    this.#prepareHead(action, choice);
    if (isRequestDone) this.#startTimeout();
    this.#isStarting = true;
    this.#attempt(cluster);
    this.#isStarting = false;
  }

  /** Puts into the request what the route says, before its first attempt. */
  #prepareHead(action: ClusterAction, { hostRewrite }: ClusterChoice): void {
    const { head, config } = this.#stream;
    const tellsOriginals = !config.suppressesEnvoyHeaders;
    if (action.timeoutMs !== 0 && tellsOriginals) {
      head.headers.set("x-envoy-expected-rq-timeout-ms", String(action.timeoutMs));
    }
    if (action.rewritePath !== undefined) {
      if (tellsOriginals) head.headers.set("x-envoy-original-path", head.path);
      head.path = action.rewritePath(head.path);
    }
    if (hostRewrite?.kind !== "literal") return;
    if (tellsOriginals) head.headers.set("x-envoy-original-host", head.authority);
    head.authority = hostRewrite.host;
  }

  #startTimeout(): void {
    const timeoutMs = this.#action?.timeoutMs ?? 0;
    if (timeoutMs === 0) return;
    const { clock, deadlines } = this.#stream.context;
    deadlines.set(this.#timeout, timeoutMs, clock.monotonicMs());
  }

  #attempt(cluster: Cluster): void {
    const { load } = cluster;
    const policy = this.#action?.retryPolicy;
    const avoids = policy !== undefined && policy.avoidsPreviousHosts && this.#tried.length > 0;
    const host = avoids ? cluster.pickOther(this.#tried, policy.hostDrawsMax) : cluster.pick();
    this.#attempts++;
    if (host === undefined) {
      load.noneHealthy++;
      this.#reply(NO_HEALTHY_UPSTREAM);
      return;
    }
    this.#host = host;
    const perTryTimeoutMs = policy?.perTryTimeoutMs ?? 0;
    if (perTryTimeoutMs !== 0) {
      const { clock, deadlines } = this.#stream.context;
      deadlines.set(this.#perTry, perTryTimeoutMs, clock.monotonicMs());
    }
    this.#isWaiting = true;
    HttpPool.of(host, this.#stream.context).acquire(this);
  }

  onConnection(connection: ClientConnection): void {
    const { head } = this.#stream;
    this.#isWaiting = false;
    this.#connection = connection;
    connection.begin(this, head.method === "HEAD", head.upgrade !== "");
    connection.out.text(this.#encodeHead(head));
    for (const bytes of this.#kept.pieces) {
      writeRequestBytes(connection.out, head.coding, bytes, 0, bytes.length);
    }
    if (this.#kept.bytes > connection.host.load.config.bufferBytesMax) this.#keeps = false;
    if (!this.#keeps) this.#kept.clear();
    if (this.#isRequestDone) this.#writeEnd(connection);
    // What is being read from the client right now may still add to it.
    if (this.#isRequestDone || !this.#isStarting) connection.out.flush();
    if (!this.#isStarting) this.#stream.resumeRequest();
  }

  onNoConnection(reason: ResetReason, transportFailure: string): void {
    this.#isWaiting = false;
    this.#transportFailure = transportFailure;
    this.onReset(reason);
  }

  #encodeHead(head: RequestHead): string {
    if (this.#attempts > 1) this.#tellTimeLeft(head);
    if (this.#tellsAttempts) head.headers.set("x-envoy-attempt-count", String(this.#attempts));
    return encodeRequestHead(head, head.authority);
  }

  /** What an earlier attempt took is gone. */
  #tellTimeLeft(head: RequestHead): void {
    const name = "x-envoy-expected-rq-timeout-ms";
    if (!this.#timeout.isSet || !head.headers.has(name)) return;
    const leftMs = this.#timeout.atMs - this.#stream.context.clock.monotonicMs();
    head.headers.set(name, String(Math.max(0, Math.floor(leftMs))));
  }

  /** More of the request's body; `flushRequest` follows. */
  sendBytes(buffer: Buffer, from: number, to: number): void {
    const connection = this.#connection;
    if (this.#keeps || connection === undefined) this.#keep(buffer, from, to);
    if (connection !== undefined) {
      writeRequestBytes(connection.out, this.#stream.head.coding, buffer, from, to);
    }
  }

  /** Keeps a copy. Past the bound a retry is given up, or the client has to wait. */
  #keep(buffer: Buffer, from: number, to: number): void {
    const max = this.#cluster?.config.bufferBytesMax ?? 0;
    if (this.#connection !== undefined && this.#kept.bytes + to - from > max) {
      this.#keeps = false;
      this.#kept.clear();
      return;
    }
    this.#kept.add(buffer, from, to);
    if (this.#kept.bytes > max) this.#stream.pauseRequest();
  }

  #writeEnd(connection: ClientConnection): void {
    writeRequestEnd(connection.out, this.#stream.head.coding);
    if (this.#stream.head.upgrade !== "") connection.endTunnel();
    else connection.endRequest();
  }

  endRequest(): void {
    this.#isRequestDone = true;
    if (this.#connection !== undefined) this.#writeEnd(this.#connection);
    this.#startTimeout();
  }

  /** What one read from the client brought has been handed over. */
  flushRequest(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.out.flush();
    if (connection.out.isFull) this.#stream.pauseRequest();
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

  onResponseHead(head: ResponseHead, hasBody: boolean): void {
    this.#perTry.cancel();
    const load = this.#cluster?.load;
    const digit = Math.floor(head.status / 100);
    if (load !== undefined) load.classes[digit] = (load.classes[digit] ?? 0) + 1;
    if (digit === 5 && this.#host !== undefined) this.#host.requestErrors++;
    const policy = this.#action?.retryPolicy;
    if (policy !== undefined && wantsRetry(policy, head) && this.#retry(policy)) return;
    this.#isResponseStarted = true;
    this.#keeps = false;
    this.#kept.clear();
    this.#stream.onUpstreamHead(head, hasBody);
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#stream.onUpstreamBytes(buffer, from, to);
  }

  onBodyEnd(): void {
    this.#connection = undefined;
    this.#release();
    this.#timeout.cancel();
    this.#stream.onUpstreamEnd();
  }

  onReadEnd(): void {
    this.#stream.onUpstreamReadEnd();
  }

  onReset(reason: ResetReason): void {
    const isReused = this.#connection?.isReused === true;
    if (this.#connection !== undefined) this.#transportFailure = this.#connection.transportFailure;
    this.#connection = undefined;
    if (this.#isResponseStarted) {
      this.#end();
      this.#stream.onUpstreamBroken(
        "UC",
        `upstream_reset_after_response_started{${reason.replaceAll(" ", "_")}}`,
      );
      return;
    }
    if (this.#host !== undefined) this.#host.requestErrors++;
    const policy = this.#action?.retryPolicy;
    if (
      policy !== undefined &&
      this.#isRetriable(policy, reason, isReused) &&
      this.#retry(policy)
    ) {
      return;
    }
    this.#reply(upstreamReset(reason, this.#transportFailure));
  }

  #isRetriable(policy: RetryPolicy, reason: ResetReason, isReused: boolean): boolean {
    switch (reason) {
      case RESET.connectFailure:
      case RESET.connectTimeout:
        return policy.onConnectFailure || policy.onReset;
      case RESET.termination:
        if (policy.onReset) return true;
        // A kept connection that its peer closed just now is no better than one that could not be
        // made, as long as sending the request twice does no harm.
        return (
          isReused &&
          (policy.onConnectFailure || policy.onResetBeforeRequest) &&
          IDEMPOTENT.has(this.#stream.head.method)
        );
      case RESET.protocol:
        return policy.onReset;
      case RESET.overflow:
        return false;
    }
  }

  /** Prepares the next attempt; false when there may be none. */
  #retry(policy: RetryPolicy): boolean {
    const cluster = this.#cluster;
    if (cluster === undefined || !this.#keeps) return false;
    const { load } = cluster;
    if (this.#attempts > policy.retriesMax) {
      this.#isRetriesExhausted = true;
      load.retriesExhausted++;
      return false;
    }
    const breakers = load.breakers[PRIORITY.default];
    if (!breakers.canRetry()) {
      load.retriesOverflow++;
      return false;
    }
    this.#abandon();
    this.#release();
    breakers.retries++;
    load.retriesTotal++;
    const { clock, prng } = this.#stream.context;
    const windowMs = Math.min(policy.backOffMs * (2 ** this.#attempts - 1), policy.backOffMsMax);
    this.#retryTimer = clock.setTimer(windowMs * prng.next(), () => {
      this.#retryTimer = undefined;
      breakers.retries--;
      this.#attempt(cluster);
    });
    return true;
  }

  #onPerTryTimeout(): void {
    this.#failTimeout("upstream_per_try_timeout");
  }

  onDeadline(): void {
    this.#failTimeout("response_timeout");
  }

  #failTimeout(details: string): void {
    if (this.#host !== undefined) this.#host.requestTimeouts++;
    if (this.#cluster !== undefined) this.#cluster.load.requestTimeouts++;
    const policy = this.#action?.retryPolicy;
    const isPerTry = details !== "response_timeout";
    if (isPerTry && policy?.onReset === true && this.#retry(policy)) return;
    if (!this.#isResponseStarted) return this.#reply({ ...RESPONSE_TIMEOUT, details });
    this.#end();
    this.#stream.onUpstreamBroken("UT", details);
  }

  #reply(reply: LocalReply): void {
    this.#end();
    this.#stream.localReply(reply);
  }

  /** The stream is over; whatever is in progress upstream is dropped. */
  destroy(): void {
    this.#end();
  }

  #end(): void {
    this.#abandon();
    this.#release();
    this.#timeout.cancel();
    this.#perTry.cancel();
    this.#keeps = false;
    this.#kept.clear();
    if (this.#retryTimer === undefined) return;
    this.#retryTimer.cancel();
    this.#retryTimer = undefined;
    if (this.#cluster !== undefined) this.#cluster.load.breakers[PRIORITY.default].retries--;
  }

  #abandon(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abandon();
    if (this.#isWaiting && this.#host !== undefined) {
      HttpPool.of(this.#host, this.#stream.context).cancel(this);
      this.#isWaiting = false;
    }
  }

  #release(): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#tried.push(host);
    this.#host = undefined;
  }
}

function wantsRetry(policy: RetryPolicy, head: ResponseHead): boolean {
  if (policy.onStatus(head.status)) return true;
  if (policy.onGrpcStatus.size === 0) return false;
  const status = head.headers.get("grpc-status");
  return status !== undefined && policy.onGrpcStatus.has(status);
}
