import { HEADER, type NameTable } from "../http/header-name.ts";
import { isAuthority, parseContentLength } from "../http/parse-fields.ts";

/**
 * What HTTP/2 does with a header. Those that HTTP/1.1 knows keep their numbers (`HEADER`); of what
 * HTTP/2 forbids (RFC 9113 8.2, 8.3) all is `malformed`.
 */
export const FIELD = {
  plain: HEADER.plain,
  host: HEADER.host,
  contentLength: HEADER.contentLength,
  expect: HEADER.expect,
  internal: HEADER.internal,
  /** Comes in crumbs, which are put together again. */
  cookie: 32,
  /** A name with an underscore, where that matters. */
  underscore: 33,
  malformed: 34,
  method: 64,
  path: 65,
  scheme: 66,
  authority: 67,
  protocol: 68,
  status: 69,
} as const;

/** The pseudo headers of a request, and of a response. */
const REQUEST_PSEUDO: Readonly<Record<string, number>> = {
  ":method": FIELD.method,
  ":path": FIELD.path,
  ":scheme": FIELD.scheme,
  ":authority": FIELD.authority,
  ":protocol": FIELD.protocol,
};
const RESPONSE_PSEUDO: Readonly<Record<string, number>> = { ":status": FIELD.status };

/** Which messages a decoder reads: what a name means depends on it. */
export type MessageSide = "request" | "response";

/** What a pseudo header's name means. */
export function pseudoKind(name: string, side: MessageSide): number {
  return (side === "request" ? REQUEST_PSEUDO : RESPONSE_PSEUDO)[name] ?? FIELD.malformed;
}

/** What a name of HTTP/1.1's table means in HTTP/2. */
export function kindOfKnown(table: NameTable, slot: number): number {
  const kind = table.kinds[slot] ?? HEADER.plain;
  switch (kind) {
    case HEADER.plain:
      return table.names[slot] === "cookie" ? FIELD.cookie : FIELD.plain;
    case HEADER.drop:
    case HEADER.connection:
    case HEADER.transferEncoding:
    case HEADER.upgrade:
    case HEADER.proxyConnection:
      return FIELD.malformed;
    default:
      return kind;
  }
}

/** A method is a token (RFC 9110 9.1). */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const STATUS = /^[1-9]\d\d$/;

/**
 * What a header with this value is, by its name's kind: one whose value cannot be is `malformed`.
 * Asked once for each literal, so that an indexed field costs nothing.
 */
export function kindOfValue(nameKind: number, value: string): number {
  switch (nameKind) {
    case FIELD.contentLength:
      return parseContentLength(value) !== -1 ? nameKind : FIELD.malformed;
    case HEADER.te:
      return value === "trailers" ? FIELD.plain : FIELD.malformed;
    case FIELD.method:
      return METHOD.test(value) ? nameKind : FIELD.malformed;
    case FIELD.path:
      return isPath(value) ? nameKind : FIELD.malformed;
    case FIELD.scheme:
      return SCHEME.test(value) ? nameKind : FIELD.malformed;
    case FIELD.host:
    case FIELD.authority:
      return isHost(value) ? nameKind : FIELD.malformed;
    case FIELD.status:
      return STATUS.test(value) ? nameKind : FIELD.malformed;
    default:
      return nameKind;
  }
}

/** Without the user information that may stand before it in a URL. */
function isHost(value: string): boolean {
  return value !== "" && isAuthority(value) && !value.includes("@");
}

function isPath(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code <= 32 || code >= 127) return false;
  }
  return value.length > 0;
}
