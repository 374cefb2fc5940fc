import type { TagValue } from "../../match/custom-tag.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { RandomIds } from "./random-ids.ts";
import type { Sampler } from "./samplers.ts";
import type { Span, SpanStart, Tracer } from "./span.ts";
import type { SpanReporter } from "./span-reporter.ts";
import type { TraceClock } from "./trace-clock.ts";
import { readTraceparent, writeTraceparent } from "./w3c-context.ts";

/** Who a span is. IDs are hexadecimal digits: 32 for the trace, 16 for spans. */
interface OtelContext {
  readonly traceId: string;
  readonly spanId: string;
  /** "" for none. */
  readonly parentId: string;
  /** Whether the parent is in another process. */
  readonly isParentRemote: boolean;
  readonly traceState: string;
  readonly isSampled: boolean;
}

/** What is known of an OpenTelemetry span when it has ended. Times are microseconds since 1970. */
export interface OtelRecord extends OtelContext {
  readonly isClient: boolean;
  readonly name: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly attributes: ReadonlyMap<string, TagValue>;
  readonly events: readonly { readonly name: string; readonly atUs: number }[];
  /** `undefined` where nothing was said of how it ended. */
  readonly status: "unset" | "error" | undefined;
}

/** What all spans of one tracer share. */
interface OtelDeps {
  /** `undefined`: as the parent did, and where there is none as was decided here. */
  readonly sampler: Sampler | undefined;
  readonly ids: RandomIds;
  readonly clock: TraceClock;
  readonly reporter: SpanReporter<OtelRecord>;
}

/** Makes spans as Envoy's `envoy.tracers.opentelemetry` does. */
export class OtelTracer implements Tracer {
  readonly #deps: OtelDeps;

  constructor(deps: OtelDeps) {
    this.#deps = deps;
  }

  start({ headers, operation, isClient, isTraced, startMs }: SpanStart): Span | undefined {
    const { sampler, ids } = this.#deps;
    const parent = readTraceparent(headers);
    if (parent === "invalid") return undefined;
    const traceId = parent?.traceId ?? ids.next() + ids.next();
    const context: OtelContext = {
      traceId,
      spanId: ids.next(),
      parentId: parent?.spanId ?? "",
      isParentRemote: parent !== undefined,
      traceState: parent === undefined ? "" : (headers.first("tracestate") ?? ""),
      // What is not traced here is not traced, whatever parents and samplers say.
      isSampled:
        isTraced &&
        (sampler === undefined ? parent?.isSampled !== false : sampler(parent?.isSampled, traceId)),
    };
    return new OtelSpan(this.#deps, context, isClient, operation, startMs);
  }
}

/** Of OpenTelemetry's semantic conventions; others are told as one. */
const METHODS: ReadonlySet<TagValue> = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "TRACE",
]);

/** Of the statuses of gRPC (google.rpc.Code) those that are a server's fault. */
const GRPC_SERVER_ERRORS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

class OtelSpan implements Span {
  readonly #deps: OtelDeps;
  readonly #context: OtelContext;
  readonly #isClient: boolean;
  readonly #startMs: number;
  #name: string;
  /** Made by the first attribute. */
  #attributes: Map<string, TagValue> | undefined = undefined;
  /** Made by the first event. */
  #events: OtelRecord["events"][number][] | undefined = undefined;
  #status: OtelRecord["status"] = undefined;

  constructor(
    deps: OtelDeps,
    context: OtelContext,
    isClient: boolean,
    name: string,
    startMs: number,
  ) {
    this.#deps = deps;
    this.#context = context;
    this.#isClient = isClient;
    this.#name = name;
    this.#startMs = startMs;
  }

  get isSampled(): boolean {
    return this.#context.isSampled;
  }
  get traceId(): string {
    return this.#context.traceId;
  }
  get spanId(): string {
    return this.#context.spanId;
  }

  setOperation(name: string): void {
    this.#name = name;
  }

  setTag(name: string, value: TagValue): void {
    if (!this.isSampled || name === "") return;
    if (name === "http.status_code") this.#judge(Number(value));
    else if (name === "grpc.status_code") this.#judgeGrpc(Number(value) || 0);
    this.#attributes ??= new Map();
    const isOther = name === "http.method" && !METHODS.has(value);
    this.#attributes.set(name, isOther ? "_OTHER" : value);
  }

  /** Which statuses are errors, by OpenTelemetry's conventions. */
  #judge(status: number): void {
    if (status >= (this.#isClient ? 400 : 500)) this.#status = "error";
  }

  #judgeGrpc(status: number): void {
    const isError = this.#isClient ? status !== 0 : GRPC_SERVER_ERRORS.has(status);
    this.#status = isError ? "error" : "unset";
  }

  note(name: string, atMs: number): void {
    if (!this.isSampled) return;
    this.#events ??= [];
    this.#events.push({ name, atUs: this.#deps.clock.epochUs(atMs) });
  }

  inject(headers: HeaderList): void {
    writeTraceparent(headers, this.#context);
    headers.set("tracestate", this.#context.traceState);
  }

  startChild(operation: string): Span {
    const { ids, clock } = this.#deps;
    const context = {
      ...this.#context,
      spanId: ids.next(),
      parentId: this.#context.spanId,
      isParentRemote: false,
    };
    return new OtelSpan(this.#deps, context, true, operation, clock.monotonicMs);
  }

  finish(): void {
    if (!this.isSampled) return;
    const { clock, reporter } = this.#deps;
    reporter.report({
      ...this.#context,
      isClient: this.#isClient,
      name: this.#name,
      startUs: clock.epochUs(this.#startMs),
      endUs: clock.epochUs(clock.monotonicMs),
      attributes: this.#attributes ?? NO_ATTRIBUTES,
      events: this.#events ?? [],
      status: this.#status,
    });
  }
}

const NO_ATTRIBUTES: ReadonlyMap<string, TagValue> = new Map();
