import type { TagValue } from "../../match/custom-tag.ts";
import type { HeaderList } from "../http/header-list.ts";
import { type B3Context, type B3Headers, readB3, writeB3 } from "./b3-context.ts";
import type { RandomIds } from "./random-ids.ts";
import type { Span, SpanStart, Tracer } from "./span.ts";
import type { SpanReporter } from "./span-reporter.ts";
import type { TraceClock } from "./trace-clock.ts";
import { readTraceparent, writeTraceparent } from "./w3c-context.ts";

/** What is known of a Zipkin span when it has ended. Times are microseconds since 1970. */
export interface ZipkinRecord extends B3Context {
  readonly isClient: boolean;
  /** Whether another process may report a span with the same ID. */
  readonly isShared: boolean;
  readonly name: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly endUs: number;
  readonly tags: ReadonlyMap<string, string>;
  readonly notes: readonly { readonly event: string; readonly atUs: number }[];
}

/** How a Zipkin tracer makes its spans. */
export interface ZipkinOptions {
  /** Whether traces that begin here have IDs of 128 bits. */
  readonly hasLongIds: boolean;
  /** Whether the server's span is the client's, seen from the other side. */
  readonly sharesContext: boolean;
  /** Whether W3C's header is read where there are none of B3, and written beside them. */
  readonly usesW3c: boolean;
}

/** What all spans of one tracer share. */
interface ZipkinDeps {
  readonly options: ZipkinOptions;
  readonly ids: RandomIds;
  readonly clock: TraceClock;
  readonly reporter: SpanReporter<ZipkinRecord>;
}

/** Makes spans as Envoy's `envoy.tracers.zipkin` does. */
export class ZipkinTracer implements Tracer {
  readonly #deps: ZipkinDeps;

  constructor(deps: ZipkinDeps) {
    this.#deps = deps;
  }

  start(start: SpanStart): Span | undefined {
    const { headers, host, isClient, isTraced, startMs } = start;
    const { options, ids } = this.#deps;
    const parent = this.#readParent(headers);
    if (parent === "invalid") return undefined;
    const isSampled = parent?.isSampled ?? isTraced;
    const place = { isClient, isSampled, isSingle: parent?.isSingle === true };
    const context =
      parent?.context === undefined
        ? newTrace(ids, options.hasLongIds)
        : this.#follow(parent.context, isClient);
    return new ZipkinSpan(this.#deps, context, place, host, startMs);
  }

  #readParent(headers: HeaderList): B3Headers | "invalid" | undefined {
    const b3 = readB3(headers);
    if (b3 !== undefined || !this.#deps.options.usesW3c) return b3;
    const w3c = readTraceparent(headers);
    if (w3c === undefined || w3c === "invalid") return undefined;
    const { traceId, spanId, isSampled } = w3c;
    const [traceHigh, traceLow] = [traceId.substring(0, 16), traceId.substring(16)];
    return { context: { traceHigh, traceLow, spanId, parentId: "" }, isSampled, isSingle: false };
  }

  #follow(parent: B3Context, isClient: boolean): B3Context {
    const { options, ids } = this.#deps;
    return options.sharesContext && !isClient ? parent : childOf(parent, ids);
  }
}

function newTrace(ids: RandomIds, isLong: boolean): B3Context {
  const traceLow = ids.next();
  const traceHigh = isLong ? ids.next() : "";
  return { traceHigh, traceLow, spanId: traceLow, parentId: "" };
}

function childOf({ traceHigh, traceLow, spanId }: B3Context, ids: RandomIds): B3Context {
  return { traceHigh, traceLow, spanId: ids.next(), parentId: spanId };
}

/** Which side of an exchange a span is, and how it goes on. */
interface SpanPlace {
  readonly isClient: boolean;
  readonly isSampled: boolean;
  readonly isSingle: boolean;
}

class ZipkinSpan implements Span {
  readonly #deps: ZipkinDeps;
  readonly #context: B3Context;
  readonly #place: SpanPlace;
  readonly #startMs: number;
  #name: string;
  /** Made by the first tag. */
  #tags: Map<string, string> | undefined = undefined;
  /** Made by the first note. */
  #notes: ZipkinRecord["notes"][number][] | undefined = undefined;
  readonly spanId = undefined;

  constructor(
    deps: ZipkinDeps,
    context: B3Context,
    place: SpanPlace,
    name: string,
    startMs: number,
  ) {
    this.#deps = deps;
    this.#context = context;
    this.#place = place;
    this.#name = name;
    this.#startMs = startMs;
  }

  get isSampled(): boolean {
    return this.#place.isSampled;
  }

  get traceId(): string {
    return this.#context.traceHigh + this.#context.traceLow;
  }

  setOperation(name: string): void {
    this.#name = name;
  }

  setTag(name: string, value: TagValue): void {
    if (!this.isSampled || name === "" || value === "") return;
    this.#tags ??= new Map();
    this.#tags.set(name, String(value));
  }

  note(event: string, atMs: number): void {
    if (!this.isSampled) return;
    this.#notes ??= [];
    this.#notes.push({ event, atUs: this.#deps.clock.epochUs(atMs) });
  }

  inject(headers: HeaderList): void {
    const { traceHigh, traceLow, spanId } = this.#context;
    writeB3(headers, this.#context, this.#place);
    if (!this.#deps.options.usesW3c) return;
    const traceId = (traceHigh + traceLow).padStart(32, "0");
    writeTraceparent(headers, { traceId, spanId, isSampled: this.isSampled });
  }

  startChild(operation: string): Span {
    const { ids, clock } = this.#deps;
    const place = { ...this.#place, isClient: true };
    const context = childOf(this.#context, ids);
    return new ZipkinSpan(this.#deps, context, place, operation, clock.monotonicMs);
  }

  finish(): void {
    if (!this.isSampled) return;
    const { clock, options, reporter } = this.#deps;
    const { isClient } = this.#place;
    const { traceHigh, traceLow, spanId, parentId } = this.#context;
    const endMs = clock.monotonicMs;
    reporter.report({
      traceHigh,
      traceLow,
      spanId,
      parentId,
      isClient,
      isShared: !isClient && options.sharesContext,
      name: this.#name,
      startUs: clock.epochUs(this.#startMs),
      durationUs: Math.round((endMs - this.#startMs) * 1000),
      endUs: clock.epochUs(endMs),
      tags: this.#tags ?? NO_TAGS,
      notes: this.#notes ?? NO_NOTES,
    });
  }
}

const NO_TAGS: ReadonlyMap<string, string> = new Map();
const NO_NOTES: ZipkinRecord["notes"] = [];
