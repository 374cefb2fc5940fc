import type { HeaderList } from "../http/header-list.ts";

/** A parent by W3C's Trace Context. */
export interface W3cContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/i;
const ZEROS = /^0+$/;

/** Reads `traceparent`; `undefined` where there is none, `"invalid"` where it is none. */
export function readTraceparent(headers: HeaderList): W3cContext | "invalid" | undefined {
  const value = headers.first("traceparent");
  if (value === undefined) return undefined;
  const [, traceId = "", spanId = "", flags = ""] = TRACEPARENT.exec(value) ?? [];
  if (traceId === "" || ZEROS.test(traceId) || ZEROS.test(spanId)) return "invalid";
  return {
    traceId: traceId.toLowerCase(),
    spanId: spanId.toLowerCase(),
    isSampled: (Number.parseInt(flags, 16) & 1) === 1,
  };
}

/** Tells of a span in `traceparent`. */
export function writeTraceparent(
  headers: HeaderList,
  { traceId, spanId, isSampled }: W3cContext,
): void {
  headers.set("traceparent", `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`);
}
