import { writeLatin1 } from "../net/latin1.ts";
import { findName, HEADER, type NameTable, TOKEN_LOWER } from "./header-name.ts";
import { CODING, type HeadError, type MessageHead, type RequestHead } from "./message-head.ts";

const LF = 10;
const CR = 13;
const TAB = 9;
const SPACE = 32;
const COLON = 58;

/** What Envoy's codec counts as the longest content length. */
const CONTENT_LENGTH_DIGITS_MAX = 15;

export const BAD_REQUEST: HeadError = { status: 400, detail: "http1.codec_error" };
export const BAD_CHARACTER: HeadError = { status: 400, detail: "http1.invalid_characters" };
const BAD_UNDERSCORE: HeadError = { status: 400, detail: "http1.unexpected_underscore" };
const BAD_AUTHORITY: HeadError = { status: 400, detail: "http.invalid_authority" };
const BAD_NOMINATION: HeadError = { status: 400, detail: "http1.connection_header_rejected" };
const TOO_MANY: HeadError = { status: 431, detail: "http1.too_many_headers" };

/** What to do with a header whose name has an underscore; Envoy's `allow` is the default. */
export type UnderscoreAction = "allow" | "reject" | "drop";

/** How header lines are read. */
interface FieldOptions {
  readonly headerCountMax: number;
  readonly underscores: UnderscoreAction;
}

/** Bytes that a header value may hold: no control character but the tab (RFC 9110 5.5). */
export const VALUE_BYTES: Uint8Array = new Uint8Array(256).map((_, code) =>
  (code < 32 && code !== TAB) || code === 127 ? 0 : 1,
);

/** Whether a text can stand in a header: no line end and no other control character but the tab. */
export function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code < 32 && code !== TAB) || code === 127) return false;
  }
  return true;
}

/**
 * Parses the header lines in `text[from, to)`, each with its CRLF, into `head`. `to` must not be
 * the end of the text: the empty line follows.
 *
 * Strict where a lax reader would make two proxies disagree on where a message ends: a bare CR or
 * LF, a folded line, a space before the colon, a control character end the connection.
 */
export function parseFields(
  text: string,
  from: number,
  to: number,
  head: MessageHead,
  names: NameTable,
  { headerCountMax, underscores }: FieldOptions,
): HeadError | undefined {
  const bytes = bytesOf(text);
  let count = 0;
  for (let at = from; at < to; ) {
    if (++count > headerCountMax) return TOO_MANY;
    const nameStart = at;
    let hash = 0;
    let code = byteAt(bytes, at);
    for (let lower = byteAt(TOKEN_LOWER, code); lower !== 0; lower = byteAt(TOKEN_LOWER, code)) {
      hash = (Math.imul(hash, 31) + lower) | 0;
      code = byteAt(bytes, ++at);
    }
    if (code !== COLON || at === nameStart) return BAD_REQUEST;
    const nameEnd = at;
    code = byteAt(bytes, ++at);
    while (code === SPACE || code === TAB) code = byteAt(bytes, ++at);
    const valueStart = at;
    while (VALUE_BYTES[code] === 1) code = byteAt(bytes, ++at);
    if (code !== CR || bytes[at + 1] !== LF) return BAD_CHARACTER;
    let valueEnd = at;
    while (valueEnd > valueStart && isBlank(byteAt(bytes, valueEnd - 1))) valueEnd--;
    at += 2;

    const value = text.substring(valueStart, valueEnd);
    const slot = findName(names, bytes, nameStart, nameEnd, hash);
    const error =
      slot === -1
        ? addOther(head, text.substring(nameStart, nameEnd), value, underscores)
        : takeKnown(head, names.kinds[slot] ?? HEADER.plain, names.names[slot] ?? "", value);
    if (error !== undefined) return error;
  }
  return undefined;
}

let scratch = Buffer.allocUnsafeSlow(4096);

/**
 * The text's bytes, valid until the next call: a loop over bytes takes a third of the time that one
 * over a string's characters does, and copying them costs less than a dozen characters.
 */
function bytesOf(text: string): Uint8Array {
  if (text.length > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * text.length);
  writeLatin1(scratch, text, 0);
  return scratch;
}

/** The empty line at the end of a head keeps every `at` of the parser inside. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** A header that is not in the table; no name there has an underscore. */
function addOther(
  { headers }: MessageHead,
  name: string,
  value: string,
  underscores: UnderscoreAction,
): HeadError | undefined {
  if (underscores !== "allow" && name.includes("_")) {
    return underscores === "reject" ? BAD_UNDERSCORE : undefined;
  }
  headers.add(name.toLowerCase(), value);
  return undefined;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Headers in the table: most are only passed on, some frame the message or end at this hop. */
function takeKnown(
  head: MessageHead,
  kind: number,
  name: string,
  value: string,
): HeadError | undefined {
  switch (kind) {
    case HEADER.plain:
      head.headers.add(name, value);
      return undefined;
    case HEADER.internal:
      (head as RequestHead).hasInternalHeaders = true;
      head.headers.add(name, value);
      return undefined;
    case HEADER.host:
      return takeHost(head as RequestHead, value);
    case HEADER.connection:
      takeConnection(head, value);
      return undefined;
    case HEADER.proxyConnection:
      if (value.toLowerCase() === "close") head.wantsClose = true;
      return undefined;
    case HEADER.contentLength: {
      // Twice is refused even when both say the same: Envoy does too.
      const length = parseContentLength(value);
      if (length === -1 || head.contentLength !== -1) return BAD_REQUEST;
      head.contentLength = length;
      head.headers.add(name, value);
      return undefined;
    }
    case HEADER.transferEncoding:
      // What to answer depends on whether a length stands there too.
      head.coding =
        head.coding === CODING.none && value.toLowerCase() === "chunked"
          ? CODING.chunked
          : CODING.unknown;
      return undefined;
    case HEADER.upgrade:
      takeUpgrade(head as RequestHead, value);
      return undefined;
    case HEADER.expect:
      if (value.toLowerCase() === "100-continue") (head as RequestHead).expectsContinue = true;
      else head.headers.add(name, value);
      return undefined;
    case HEADER.te:
      if (value.toLowerCase().includes("trailers")) head.headers.set(name, "trailers");
      return undefined;
    default:
      return undefined;
  }
}

/** Several are one list, which no configuration names; so is an empty one. */
function takeUpgrade(head: RequestHead, value: string): void {
  head.upgrade = head.upgrade === "" ? value || "," : `${head.upgrade},${value}`;
}

function takeHost(head: RequestHead, value: string): HeadError | undefined {
  if (head.hasHost) return BAD_REQUEST;
  if (!isAuthority(value)) return BAD_AUTHORITY;
  head.hasHost = true;
  head.authority = value;
  return undefined;
}

/** Bytes that may stand in a host with a port or user information (RFC 3986 3.2). */
const AUTHORITY: Uint8Array = new Uint8Array(256).map((_, code) =>
  code <= SPACE || code >= 127 || '"#/<>?\\^`{|}'.includes(String.fromCharCode(code)) ? 0 : 1,
);

/** Whether every byte may stand in a host with a port or user information. */
export function isAuthority(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    if (AUTHORITY[value.charCodeAt(at)] !== 1) return false;
  }
  return true;
}

function takeConnection(head: MessageHead, value: string): void {
  head.connection = value;
  // What nearly every message says, without splitting.
  if (value === "keep-alive") {
    head.wantsKeepAlive = true;
    return;
  }
  if (value === "close") {
    head.wantsClose = true;
    return;
  }
  for (const part of value.split(",")) {
    const token = part.trim().toLowerCase();
    if (token === "") continue;
    if (token === "close") head.wantsClose = true;
    else if (token === "keep-alive") head.wantsKeepAlive = true;
    else head.nominated = head.nominated === "" ? token : `${head.nominated},${token}`;
  }
}

/**
 * Removes what `Connection` names, as it was meant for this hop only. Naming what a proxy adds or
 * routes by is an attack and refused, as Envoy does.
 */
export function removeNominated(head: MessageHead): HeadError | undefined {
  for (const token of head.nominated.split(",")) {
    if (token === "host" || token.startsWith(":")) return BAD_NOMINATION;
    if (token === "forwarded" || token.startsWith("x-forwarded-")) return BAD_NOMINATION;
    // Removing the length would change how the body is framed after it was decided.
    if (token === "content-length" || token === "transfer-encoding") return BAD_NOMINATION;
    if (token !== "te") head.headers.remove(token);
  }
  return undefined;
}

/** Digits only, as many as a number holds exactly; -1 for anything else. */
export function parseContentLength(value: string): number {
  if (value.length === 0 || value.length > CONTENT_LENGTH_DIGITS_MAX) return -1;
  let length = 0;
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length;
}
