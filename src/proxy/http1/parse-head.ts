import { REQUEST_NAMES, RESPONSE_NAMES } from "../http/header-name.ts";
import {
  CODING,
  type HeadError,
  type MessageHead,
  type RequestHead,
  type ResponseHead,
} from "../http/message-head.ts";
import {
  BAD_REQUEST,
  parseFields,
  removeNominated,
  type UnderscoreAction,
} from "../http/parse-fields.ts";
import { hasBareLineFeed } from "./head-reader.ts";

/** How one message's head is read; Envoy's defaults are 60 KiB and 100 headers. */
export interface HeadOptions {
  readonly headBytesMax: number;
  readonly headerCountMax: number;
  /** Header names with an underscore: some servers read it as a dash. */
  readonly underscores: UnderscoreAction;
  /** Whether chunks count, and the length does not, where a message has both. */
  readonly allowsChunkedLength: boolean;
}

/** The same for requests. */
export interface HeadLimits extends HeadOptions {
  /** Envoy answers 426 to HTTP/1.0 unless told otherwise. */
  readonly acceptsHttp10: boolean;
  /** The host of a request of HTTP/1.0 that names none; "" for none. */
  readonly defaultHost10: string;
  /** Whether the URI of an absolute target is taken apart. */
  readonly takesAbsoluteUrl: boolean;
}

/** The methods that Envoy's codec knows; another is 400. */
const METHODS: ReadonlySet<string> = new Set(
  (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL " +
    "MOVE M-SEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH " +
    "SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE"
  ).split(" "),
);

const OLD_VERSION: HeadError = { status: 426, detail: "low_version" };
const MISSING_HOST: HeadError = { status: 400, detail: "missing_host_header" };
const FRAGMENT: HeadError = { status: 400, detail: "path_normalization_failed" };
const BOTH_FRAMINGS: HeadError = {
  status: 400,
  detail: "http1.content_length_and_chunked_not_allowed",
};
const BAD_URL: HeadError = { status: 400, detail: "http1.invalid_url" };
const BAD_SCHEME: HeadError = { status: 400, detail: "http1.invalid_scheme" };
const UNKNOWN_CODING: HeadError = { status: 501, detail: "http1.invalid_transfer_encoding" };
const UNSAFE_CONNECT: HeadError = { status: 400, detail: "http1.body_disallowed" };

/**
 * Parses a whole request head: first line, header lines and the empty line, which ends the text.
 * What is wrong with it is returned; `head` then holds whatever was read before.
 */
export function parseRequestHead(
  text: string,
  head: RequestHead,
  limits: HeadLimits,
): HeadError | undefined {
  const error = parseRequest(text, head, limits);
  return error === undefined ? undefined : asReadSlowly(error, text);
}

/** A head that comes in pieces is refused at the first bare LF; then so is one that comes whole. */
function asReadSlowly(error: HeadError, text: string): HeadError {
  return hasBareLineFeed(text, 0) ? BAD_REQUEST : error;
}

function parseRequest(text: string, head: RequestHead, limits: HeadLimits): HeadError | undefined {
  head.reset();
  const lineEnd = text.indexOf("\r\n");
  const methodEnd = text.indexOf(" ");
  if (methodEnd <= 0 || methodEnd > lineEnd) return BAD_REQUEST;
  const method = parseMethod(text, methodEnd);
  if (method === "") return BAD_REQUEST;
  head.method = method;
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  // HTTP/0.9 has no version at all.
  if (targetEnd === -1 || targetEnd > lineEnd) return OLD_VERSION;
  const minor = parseVersion(text, targetEnd + 1, lineEnd);
  if (minor === -1) return BAD_REQUEST;
  if (minor === 0 ? !limits.acceptsHttp10 : minor !== 1) return OLD_VERSION;
  head.minor = minor;
  const fieldsError = parseFields(text, lineEnd + 2, text.length - 2, head, REQUEST_NAMES, limits);
  if (fieldsError !== undefined) return fieldsError;
  if (head.nominated !== "") {
    const error = removeNominated(head);
    if (error !== undefined) return error;
  }
  if (head.coding !== CODING.none) {
    if (head.contentLength !== -1 && !preferChunks(head, limits)) return BOTH_FRAMINGS;
    if (head.coding === CODING.unknown) return UNKNOWN_CODING;
    // A 1.0 peer may have passed it on without knowing what it means (RFC 9112 6.1).
    if (minor === 0) return BOTH_FRAMINGS;
  }
  if (head.upgrade !== "" && !head.nominated.split(",").includes("upgrade")) head.upgrade = "";
  return takeTarget(text.substring(methodEnd + 1, targetEnd), head, limits);
}

/** Forgets the length of a message in chunks, where configuration says so. */
function preferChunks(head: MessageHead, { allowsChunkedLength }: HeadOptions): boolean {
  if (!allowsChunkedLength || head.coding !== CODING.chunked) return false;
  head.contentLength = -1;
  head.headers.remove("content-length");
  return true;
}

/** Nearly every request's method is found without a look into a set; "" for one that is unknown. */
function parseMethod(text: string, end: number): string {
  const first = text.charCodeAt(0);
  if (end === 3 && first === 71 && text.startsWith("GET")) return "GET";
  if (end === 4 && first === 80 && text.startsWith("POST")) return "POST";
  const method = text.substring(0, end);
  return METHODS.has(method) ? method : "";
}

/** `HTTP/1.0` → 0, `HTTP/1.1` → 1, another version → 9, no version → -1. */
function parseVersion(text: string, from: number, to: number): number {
  if (to - from !== 8) return -1;
  // HTTP/ and a dot
  if (text.charCodeAt(from) !== 72 || text.charCodeAt(from + 1) !== 84) return -1;
  if (text.charCodeAt(from + 2) !== 84 || text.charCodeAt(from + 3) !== 80) return -1;
  if (text.charCodeAt(from + 4) !== 47 || text.charCodeAt(from + 6) !== 46) return -1;
  const major = text.charCodeAt(from + 5) - 48;
  const minor = text.charCodeAt(from + 7) - 48;
  if (major < 0 || major > 9 || minor < 0 || minor > 9) return -1;
  return major === 1 && minor <= 1 ? minor : 9;
}

function takeTarget(target: string, head: RequestHead, limits: HeadLimits): HeadError | undefined {
  const fragment = checkTarget(target);
  if (fragment === "bad") return BAD_REQUEST;
  if (head.method === "CONNECT") return takeConnectTarget(target, head);
  if (target.charCodeAt(0) === 47) head.path = target;
  else if (target === "*" && head.method === "OPTIONS") head.path = target;
  else if (!limits.takesAbsoluteUrl) head.path = target;
  else {
    const error = takeAbsoluteTarget(target, head);
    if (error !== undefined) return error;
  }
  if (!head.hasHost) {
    if (head.minor === 1 || limits.defaultHost10 === "") return MISSING_HOST;
    head.authority = limits.defaultHost10;
  }
  return fragment === "fragment" ? FRAGMENT : undefined;
}

/** Bytes that stand in no target, and the fragment that a client must not send. */
function checkTarget(target: string): "ok" | "bad" | "fragment" {
  let result: "ok" | "fragment" = "ok";
  for (let at = 0; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code <= 32 || code >= 127) return "bad";
    if (code === 35) result = "fragment";
  }
  return target.length === 0 ? "bad" : result;
}

/** What Envoy's parser of URLs takes for a host, less than it takes in a Host header. */
const URL_AUTHORITY = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d*)?$/;

/** `http://host/path` as a client sends it to its proxy: the URI decides, not the Host header. */
function takeAbsoluteTarget(target: string, head: RequestHead): HeadError | undefined {
  const schemeEnd = target.indexOf("://");
  if (schemeEnd < 1) return BAD_REQUEST;
  const scheme = target.substring(0, schemeEnd).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return BAD_SCHEME;
  const start = schemeEnd + 3;
  let end = start;
  for (; end < target.length; end++) {
    const code = target.charCodeAt(end);
    if (code === 47 || code === 63 || code === 35) break;
  }
  const at = target.indexOf("@", start);
  const hasUser = at !== -1 && at < end;
  // Where the user ends is where parsers of URLs disagree.
  if (hasUser && !/^[^\\[\]^`{|}"<>]*$/.test(target.substring(start, at))) return BAD_URL;
  const authority = target.substring(hasUser ? at + 1 : start, end);
  if (!URL_AUTHORITY.test(authority) || !hasPortInRange(authority)) return BAD_URL;
  const rest = target.substring(end);
  head.authority = authority;
  head.hasHost = true;
  head.path = rest === "" ? "/" : rest;
  return undefined;
}

function takeConnectTarget(target: string, head: RequestHead): HeadError | undefined {
  const hasPort = /:\d{1,5}$/.test(target);
  if (!hasPort || !URL_AUTHORITY.test(target) || !hasPortInRange(target)) return BAD_URL;
  if (head.coding !== CODING.none) return UNKNOWN_CODING;
  if (head.contentLength > 0) return UNSAFE_CONNECT;
  // A length of nothing is no harm, and goes no further.
  if (head.contentLength === 0) {
    head.contentLength = -1;
    head.headers.remove("content-length");
  }
  head.authority = target;
  head.hasHost = true;
  return undefined;
}

function hasPortInRange(authority: string): boolean {
  const colon = authority.lastIndexOf(":");
  // Inside the brackets of an IPv6 address it is no port.
  const bracket = authority.indexOf("]");
  if (colon === -1 || colon < bracket) return true;
  if (authority.indexOf(":", bracket + 1) !== colon) return false;
  const digits = authority.substring(colon + 1);
  return /^\d{1,5}$/.test(digits) && Number(digits) <= 65_535;
}

const RESPONSE_ERROR: HeadError = { status: 400, detail: "http1.codec_error" };

/** Parses a whole response head. HTTP/1.0 and 1.1 are accepted from upstreams. */
export function parseResponseHead(
  text: string,
  head: ResponseHead,
  limits: HeadOptions,
): HeadError | undefined {
  const error = parseResponse(text, head, limits);
  return error === undefined ? undefined : asReadSlowly(error, text);
}

function parseResponse(
  text: string,
  head: ResponseHead,
  limits: HeadOptions,
): HeadError | undefined {
  head.reset();
  const lineEnd = text.indexOf("\r\n");
  // "HTTP/1.1 200", then a reason that may be missing with its space.
  if (lineEnd < 12) return RESPONSE_ERROR;
  const minor = parseVersion(text, 0, 8);
  if (minor !== 0 && minor !== 1) return RESPONSE_ERROR;
  if (text.charCodeAt(8) !== 32) return RESPONSE_ERROR;
  if (lineEnd > 12 && text.charCodeAt(12) !== 32) return RESPONSE_ERROR;
  const status =
    (text.charCodeAt(9) - 48) * 100 + (text.charCodeAt(10) - 48) * 10 + text.charCodeAt(11) - 48;
  for (let at = 9; at < 12; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return RESPONSE_ERROR;
  }
  if (status < 100) return RESPONSE_ERROR;
  for (let at = 12; at < lineEnd; at++) {
    const code = text.charCodeAt(at);
    if (code < 32 && code !== 9) return RESPONSE_ERROR;
  }
  head.minor = minor;
  head.status = status;
  const error = parseFields(text, lineEnd + 2, text.length - 2, head, RESPONSE_NAMES, limits);
  if (error !== undefined) return error;
  if (head.coding === CODING.none) return undefined;
  if (head.contentLength !== -1 && !preferChunks(head, limits)) return BOTH_FRAMINGS;
  return head.coding === CODING.unknown ? UNKNOWN_CODING : undefined;
}
