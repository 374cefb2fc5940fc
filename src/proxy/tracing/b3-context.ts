import type { HeaderList } from "../http/header-list.ts";

/** A parent by Zipkin's B3 headers. IDs are 16 hexadecimal digits each. */
export interface B3Context {
  /** The upper half of a trace's ID; "" where it has only 64 bits. */
  readonly traceHigh: string;
  readonly traceLow: string;
  readonly spanId: string;
  /** "" for none. */
  readonly parentId: string;
}

/** What the headers of a request say of a parent. */
export interface B3Headers {
  /** `undefined` where there is none. */
  readonly context: B3Context | undefined;
  /** `undefined` where they leave that to whoever gets them. */
  readonly isSampled: boolean | undefined;
  /** Whether all of it stands in the one header `b3`. */
  readonly isSingle: boolean;
}

/** Reads B3 headers; `"invalid"` where they cannot be read, `undefined` where there are none. */
export function readB3(headers: HeaderList): B3Headers | "invalid" | undefined {
  if (!hasB3(headers)) return undefined;
  const single = headers.first("b3");
  return single === undefined ? readSeveral(headers) : readSingle(single);
}

/** One look at each name, since most requests have none of them. */
function hasB3({ entries, end }: HeaderList): boolean {
  for (let at = 0; at < end; at += 2) {
    const name = entries[at] ?? "";
    // Hardly any other name has this digit there.
    if (name.charCodeAt(3) === 51 && name.startsWith("x-b3-")) return true;
    if (name.length === 2 && name === "b3") return true;
  }
  return false;
}

function readSeveral(headers: HeaderList): B3Headers | "invalid" | undefined {
  const flag = headers.first("x-b3-sampled");
  const isSampled = flag === undefined ? undefined : flag === "1" || flag === "true";
  const traceId = headers.first("x-b3-traceid");
  const spanId = headers.first("x-b3-spanid");
  if (traceId === undefined || spanId === undefined) {
    return flag === undefined ? undefined : { context: undefined, isSampled, isSingle: false };
  }
  const [high, low] =
    traceId.length === 32 ? [traceId.substring(0, 16), traceId.substring(16)] : ["0", traceId];
  const parentId = headers.first("x-b3-parentspanid") || "0";
  const context = createContext(high, low, spanId, parentId);
  return context === undefined ? "invalid" : { context, isSampled, isSingle: false };
}

const FLAGS = /^[01d]$/;
const SINGLE = /^(?:([\da-f]{16}))?([\da-f]{16})-([\da-f]{16})(?:-([01d])(?:-([\da-f]{16}))?)?$/i;

function readSingle(value: string): B3Headers | "invalid" {
  const isSingle = true;
  if (FLAGS.test(value)) return { context: undefined, isSampled: value !== "0", isSingle };
  const match = SINGLE.exec(value);
  if (match === null) return "invalid";
  const [, high = "0", low = "", spanId = "", flag, parentId = "0"] = match;
  const context = createContext(high, low, spanId, parentId);
  if (context === undefined) return "invalid";
  return { context, isSampled: flag === undefined ? undefined : flag !== "0", isSingle };
}

const ID = /^[\da-f]{1,16}$/i;
const ZERO = "0".repeat(16);

function createContext(
  high: string,
  low: string,
  spanId: string,
  parentId: string,
): B3Context | undefined {
  if (!ID.test(high) || !ID.test(low) || !ID.test(spanId) || !ID.test(parentId)) return undefined;
  return {
    traceHigh: orNone(full(high)),
    traceLow: full(low),
    spanId: full(spanId),
    parentId: orNone(full(parentId)),
  };
}

function full(id: string): string {
  return id.toLowerCase().padStart(16, "0");
}

function orNone(id: string): string {
  return id === ZERO ? "" : id;
}

/** Tells of a span in the headers that its own parent came in. */
export function writeB3(
  headers: HeaderList,
  { traceHigh, traceLow, spanId, parentId }: B3Context,
  { isSampled, isSingle }: { readonly isSampled: boolean; readonly isSingle: boolean },
): void {
  const sampled = isSampled ? "1" : "0";
  if (isSingle) {
    const parent = parentId === "" ? "" : `-${parentId}`;
    headers.set("b3", `${traceHigh}${traceLow}-${spanId}-${sampled}${parent}`);
    return;
  }
  headers.set("x-b3-traceid", traceHigh + traceLow);
  headers.set("x-b3-spanid", spanId);
  if (parentId !== "") headers.set("x-b3-parentspanid", parentId);
  headers.set("x-b3-sampled", sampled);
}
