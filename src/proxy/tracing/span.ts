import type { TagValue } from "../../match/custom-tag.ts";
import type { HeaderList } from "../http/header-list.ts";

/**
 * A span: one side's view of one exchange. One that is not sampled takes everything and keeps nothing
 * but who it is, which the next one is told all the same.
 */
export interface Span {
  /** In hexadecimal digits, 16 or 32; both as access logs show them. */
  readonly traceId: string;
  /** 16 digits; `undefined` where Envoy's tracer of that kind does not tell it. */
  readonly spanId: string | undefined;
  /** Whether it will be reported: nobody needs to work anything out for one that will not. */
  readonly isSampled: boolean;
  setOperation(name: string): void;
  setTag(name: string, value: TagValue): void;
  /** Something happened, at that moment of the monotonic clock. */
  note(event: string, atMs: number): void;
  /** Tells whoever gets these headers that this span is its parent. */
  inject(headers: HeaderList): void;
  /** The span of a request that goes out. */
  startChild(operation: string): Span;
  /** Reports it. Nothing may be called afterwards. */
  finish(): void;
}

/** What a span begins with. */
export interface SpanStart {
  readonly headers: HeaderList;
  /** The host that the request is for. */
  readonly host: string;
  /** Its name, until somebody gives it another one. */
  readonly operation: string;
  /** Whether it is the client's side of an exchange. */
  readonly isClient: boolean;
  /** What was decided here: parents may have decided otherwise. */
  readonly isTraced: boolean;
  /** When the request began, on the monotonic clock. */
  readonly startMs: number;
}

/** Makes spans and sends them somewhere. */
export interface Tracer {
  /** `undefined` where the headers tell of a parent in a way that cannot be read: nothing is told on. */
  start(start: SpanStart): Span | undefined;
}
