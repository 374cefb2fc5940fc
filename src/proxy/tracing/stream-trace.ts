import type { Host } from "../cluster/host.ts";
import type { HeaderList } from "../http/header-list.ts";
import { flagOfReset, type ResetReason } from "../http/local-reply.ts";
import type { ResponseHead } from "../http/message-head.ts";
import type { HttpTracing } from "./http-tracing.ts";
import type { Span } from "./span.ts";
import { type TaggedStream, tagAttempt, tagGrpcResponse, tagRequest } from "./span-tags.ts";
import { decideTrace, type TraceReason } from "./trace-decision.ts";

/**
 * The trace of one request: its span, those of its attempts, and what other proxies are told. One
 * object serves all requests of a stream object, one after the other; there is none where nothing is
 * traced.
 */
export class StreamTrace {
  readonly #tracing: HttpTracing;
  readonly #stream: TaggedStream;
  /** `undefined` before the request is decided about, and where its headers forbid one. */
  #span: Span | undefined = undefined;
  /** What a decorator called the span, for the other side; "" for nothing to tell. */
  #operation = "";
  #attempt: Attempt | undefined = undefined;
  /** What was decided about the request. */
  isTraced = false;

  constructor(tracing: HttpTracing, stream: TaggedStream) {
    this.#tracing = tracing;
    this.#stream = stream;
  }

  get traceId(): string | undefined {
    return this.#span?.traceId;
  }
  get spanId(): string | undefined {
    return this.#span?.spanId;
  }

  /** The route is known: decides, and begins the span. */
  begin(): void {
    const { config } = this.#tracing;
    const { head, route, context } = this.#stream;
    const { runtime, prng } = context;
    const sampling = route?.tracing?.sampling ?? config.sampling;
    this.#start(decideTrace(head.headers, config.requestIds, { sampling, runtime, prng }));
  }

  /** A redirect that is followed inside is another request, which Envoy decides nothing about. */
  beginAgain(): void {
    this.#start("not_traceable");
  }

  #start(reason: TraceReason): void {
    const stream = this.#stream;
    const { config, tracer, isEgress, counters } = this.#tracing;
    const { head, context } = stream;
    const { headers, authority: host } = head;
    counters[reason]++;
    this.isTraced = reason !== "not_traceable";
    this.#span = tracer?.start({
      headers,
      host,
      operation: isEgress ? `egress ${host}` : "ingress",
      isClient: isEgress && !config.spawnsUpstreamSpan,
      isTraced: this.isTraced,
      startMs: stream.times.startMs,
    });
    this.#span?.setTag("node_id", context.node.id);
    this.#span?.setTag("zone", context.node.zone);
    this.#nameSpan();
  }

  #nameSpan(): void {
    const { config, isEgress } = this.#tracing;
    const { route, info, head } = this.#stream;
    const format = route?.tracing?.operation ?? config.operation;
    if (format !== undefined) return this.#span?.setOperation(format(info));
    const decorator = route?.decorator;
    if (decorator !== undefined && decorator.operation !== "") {
      this.#span?.setOperation(decorator.operation);
      if (decorator.isPropagated) this.#operation = decorator.operation;
    }
    if (isEgress) {
      // Whoever gets the request may call its span the same.
      if (this.#operation !== "") {
        head.headers.set("x-envoy-decorator-operation", this.#operation);
      }
      return;
    }
    const asked = head.headers.first("x-envoy-decorator-operation");
    if (asked === undefined) return;
    if (asked !== "") {
      this.#span?.setOperation(asked);
      this.#operation = "";
    }
    head.headers.remove("x-envoy-decorator-operation");
  }

  /** The response goes out: the side that called is told the name, or told it to us. */
  onResponseHead(headers: HeaderList): void {
    const { config, isEgress } = this.#tracing;
    const format = this.#stream.route?.tracing?.operation ?? config.operation;
    if (format !== undefined) return;
    if (!isEgress) {
      if (this.#operation !== "") headers.set("x-envoy-decorator-operation", this.#operation);
      return;
    }
    const answered = headers.first("x-envoy-decorator-operation");
    if (answered === undefined) return;
    if (answered !== "") this.#span?.setOperation(answered);
    headers.remove("x-envoy-decorator-operation");
  }

  /** An attempt begins, the `count`th: its host gets to know of the span. */
  startAttempt(host: Host, count: number): void {
    const span = this.#span;
    if (span === undefined) return;
    const { config } = this.#tracing;
    const { head, info, route } = this.#stream;
    if (!config.spawnsUpstreamSpan) {
      if (config.propagates) span.inject(head.headers);
      return;
    }
    const format = route?.tracing?.upstreamOperation ?? config.upstreamOperation;
    const { clusterAlias, cluster } = info.upstream;
    const child = span.startChild(
      format === undefined ? `router ${clusterAlias ?? cluster ?? ""} egress` : format(info),
    );
    if (count > 1) child.setTag("retry.count", String(count - 1));
    if (config.propagates) child.inject(head.headers);
    this.#attempt = { span: child, host, status: 0, flag: "", isWhole: false };
  }

  onAttemptHead({ status, headers }: ResponseHead, hasBody: boolean): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    attempt.status = status;
    attempt.isWhole = !hasBody;
    if (attempt.span.isSampled) tagGrpcResponse(attempt.span, headers);
  }

  /** It ran out of its own time. */
  onAttemptTimeout(): void {
    if (this.#attempt !== undefined) this.#attempt.flag = "UT";
  }

  /** The response has come to its end. */
  endAttempt(trailers: HeaderList | undefined): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    if (attempt.span.isSampled) tagGrpcResponse(attempt.span, trailers);
    this.#finishAttempt(attempt);
  }

  /** It broke off, or had no connection. */
  failAttempt(reason: ResetReason): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    attempt.span.setTag("error", "true");
    attempt.span.setTag("error.reason", reason);
    attempt.flag = flagOfReset(reason);
    this.#finishAttempt(attempt);
  }

  /** Nobody wants its response any more. */
  cancelAttempt(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    if (!attempt.isWhole) attempt.span.setTag("canceled", "true");
    this.#finishAttempt(attempt);
  }

  #finishAttempt(attempt: Attempt): void {
    this.#attempt = undefined;
    const { span } = attempt;
    const protocol = this.#stream.router.search.last?.protocol;
    const { config } = this.#tracing;
    if (span.isSampled) tagAttempt(span, this.#stream, config, { ...attempt, protocol });
    span.finish();
  }

  /** The request is over. */
  finish(): void {
    const span = this.#span;
    this.isTraced = false;
    this.#operation = "";
    if (span === undefined) return;
    this.cancelAttempt();
    if (span.isSampled) tagRequest(span, this.#stream, this.#tracing.config);
    this.#span = undefined;
    span.finish();
  }
}

/** The span of an attempt in progress, and what is known of how it goes. */
interface Attempt {
  readonly span: Span;
  readonly host: Host;
  status: number;
  flag: string;
  /** Whether all of its response has come. */
  isWhole: boolean;
}
