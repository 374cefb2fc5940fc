import type { Kind } from "./http-input.ts";
import { traceLlhttp } from "./llhttp-trace.ts";
import type { Trace, TracedMessage } from "./trace.ts";
import { encodeMessages, LIMITS, traceWeft } from "./weft-trace.ts";

/** One input of the fuzzer. */
export interface FuzzCase {
  readonly kind: Kind;
  readonly text: string;
  /** Where it is cut into reads. */
  readonly cuts: readonly number[];
}

/** What is wrong with how weft reads it; `undefined` when nothing is. */
export function checkCase(one: FuzzCase): string | undefined {
  const { kind, text, cuts } = one;
  const trace = traceWeft(kind, text, []);
  return (
    compare("cut into reads", trace, traceWeft(kind, text, cuts)) ??
    checkBounds(trace) ??
    checkStrictness(one, trace) ??
    checkEncoding(kind, trace)
  );
}

function compare(what: string, one: Trace, other: Trace): string | undefined {
  const texts = [one, other].map((trace) => JSON.stringify(trace));
  return texts[0] === texts[1] ? undefined : `${what}: ${texts.join(" became ")}`;
}

function checkBounds({ messages }: Trace): string | undefined {
  for (const { first, headers } of messages) {
    // The Host and the coding are facts of their own, and Host may come from the target.
    if (headers.length > LIMITS.headerCountMax + 1) return `${headers.length} headers were taken`;
    const size = first.length + headers.join("\r\n").length;
    // What is written back as a fact may be longer than what was read: "transfer-encoding: chunked".
    if (size > LIMITS.headBytesMax + 30) return `a head of ${size} bytes was taken`;
    const text = [first, ...headers].join("");
    // oxlint-disable-next-line no-control-regex
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(text)) return `a control character was taken: ${text}`;
  }
  return undefined;
}

/**
 * What llhttp refuses and weft takes on purpose: fewer targets, none of which says where a message
 * ends, and extensions of chunks, in which Envoy too takes anything but control characters.
 */
const AGREED: ReadonlySet<string> = new Set(["HPE_INVALID_URL", "HPE_STRICT"]);

/** llhttp obeys framing headers among the trailers too; weft drops all trailers. */
const FRAMED_BY_TRAILER =
  /\n0+[^\r\n]*\r\n(?:[^\r\n]+\r\n)*(connection|proxy-connection|transfer-encoding|content-length|upgrade):/i;

/** llhttp knows no tab behind the value of a framing header, which is a blank like another. */
const TAB_BEHIND = /(content-length|transfer-encoding):[^\r\n]*\t *\r\n/i;

/** Every message that weft took must be there for llhttp too, with the same bytes in it. */
function checkStrictness({ kind, text }: FuzzCase, weft: Trace): string | undefined {
  const llhttp = traceLlhttp(kind, text);
  if (AGREED.has(llhttp.end)) return undefined;
  if (TAB_BEHIND.test(text) || FRAMED_BY_TRAILER.test(text)) return undefined;
  for (const [at, message] of weft.messages.entries()) {
    const theirs = llhttp.messages[at];
    if (theirs === undefined) {
      // After an upgrade llhttp looks at nothing more.
      if (llhttp.end === "over") return undefined;
      // It takes an interim response of HTTP/1.0 for the last one.
      const isAfterInterim = (weft.messages[at - 1]?.first ?? "2") < "2";
      if (llhttp.end === "HPE_CLOSED_CONNECTION" && isAfterInterim) return undefined;
      return `llhttp does not take message ${at} (${llhttp.end}): ${JSON.stringify(message)}`;
    }
    const difference = compareMessage(kind, message, theirs);
    if (difference === undefined) continue;
    // Of what is wrong behind a request for an upgrade llhttp does not tell.
    if (llhttp.end === "over" && at === llhttp.messages.length - 1) return undefined;
    return `llhttp reads message ${at} otherwise (${llhttp.end}), ${difference}: ${JSON.stringify([message, theirs])}`;
  }
  return undefined;
}

function compareMessage(
  kind: Kind,
  ours: TracedMessage,
  theirs: TracedMessage,
): string | undefined {
  // An absolute target is taken apart.
  const isSameTarget = ours.first === theirs.first || / https?:/i.test(theirs.first);
  if (!isSameTarget) return "first line";
  if (ours.isWhole && !theirs.isWhole) return "end";
  if (ours.isWhole ? ours.body !== theirs.body : !theirs.body.startsWith(ours.body)) return "body";
  const known = new Set(theirs.headers);
  for (const header of ours.headers) {
    if (known.has(header) || header.startsWith("te: ")) continue;
    if (kind === "request" && header.startsWith("host: ")) continue;
    if (/^transfer-encoding:|^host:/.test(header)) continue;
    return `header ${header}`;
  }
  return undefined;
}

/** What weft writes on must be read as it was meant, by itself and by llhttp. */
function checkEncoding(kind: Kind, trace: Trace): string | undefined {
  const messages = trace.messages.filter(
    ({ isWhole, first, headers }) =>
      isWhole &&
      // What has no path is answered by the proxy itself.
      (kind === "response" || first.includes(" /")) &&
      // Until its connection ends: nothing can follow it.
      (kind === "request" ||
        first < "200" ||
        headers.some((line) => /^(transfer-encoding|content-length):/.test(line))),
  );
  const text = encodeMessages(kind, messages);
  for (const read of [traceWeft(kind, text, []), traceLlhttp(kind, text)]) {
    if (read.end === "HPE_INVALID_URL") continue;
    const again = read.messages.map(({ first, body, isWhole }) => ({ first, body, isWhole }));
    const wanted = messages.map(({ first, body, isWhole }) => ({ first, body, isWhole }));
    if (JSON.stringify(again) === JSON.stringify(wanted)) continue;
    return `written on as ${JSON.stringify(text)} it becomes ${JSON.stringify(read)}`;
  }
  return undefined;
}
