/** What the codec does with a header it knows; `plain` ones are only passed on. */
export const HEADER = {
  plain: 0,
  /** Hop-by-hop and nothing else, or not for a client to set: left out of the list. */
  drop: 1,
  host: 2,
  connection: 3,
  contentLength: 4,
  transferEncoding: 5,
  upgrade: 6,
  expect: 7,
  te: 8,
  proxyConnection: 9,
  /** Only those inside the mesh may say it; taken out of what others send. */
  internal: 10,
} as const;

/** Longer names than this are rare and not worth a place in the table. */
const TABLE_SIZE = 1024;

/**
 * Header names seen often, so that parsing one allocates nothing and comparing two is comparing
 * pointers. A name that is missing here is only slower.
 */
const COMMON = [
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "accept-ranges",
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-expose-headers",
  "access-control-max-age",
  "access-control-request-headers",
  "access-control-request-method",
  "age",
  "allow",
  "authorization",
  "b3",
  "baggage",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-location",
  "content-range",
  "content-security-policy",
  "content-type",
  "cookie",
  "date",
  "dnt",
  "end-user",
  "etag",
  "expires",
  "forwarded",
  "from",
  "grpc-message",
  "grpc-status",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "link",
  "location",
  "origin",
  "pragma",
  "priority",
  "range",
  "referer",
  "referrer-policy",
  "retry-after",
  "sec-ch-ua",
  "sec-ch-ua-mobile",
  "sec-ch-ua-platform",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "sec-fetch-user",
  "server",
  "set-cookie",
  "strict-transport-security",
  "traceparent",
  "tracestate",
  "trailer",
  "upgrade-insecure-requests",
  "user-agent",
  "vary",
  "via",
  "www-authenticate",
  "x-b3-flags",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-spanid",
  "x-b3-traceid",
  "x-content-type-options",
  "x-envoy-attempt-count",
  "x-envoy-decorator-operation",
  "x-envoy-upstream-service-time",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-frame-options",
  "x-ot-span-context",
  "x-powered-by",
  "x-request-id",
  "x-xss-protection",
] as const;

/** The same in both directions. */
const FRAMING: Readonly<Record<string, number>> = {
  connection: HEADER.connection,
  "content-length": HEADER.contentLength,
  "keep-alive": HEADER.drop,
  "proxy-connection": HEADER.proxyConnection,
  "transfer-encoding": HEADER.transferEncoding,
};

/** Headers that the router obeys, which only an internal caller may set (Envoy, "HTTP headers"). */
export const INTERNAL_NAMES: readonly string[] = [
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-force-trace",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-internal",
  "x-envoy-ip-tags",
  "x-envoy-max-retries",
  "x-envoy-original-url",
  "x-envoy-retriable-header-names",
  "x-envoy-retriable-status-codes",
  "x-envoy-retry-grpc-on",
  "x-envoy-retry-on",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-upstream-rq-timeout-ms",
];

const REQUEST: Readonly<Record<string, number>> = {
  ...FRAMING,
  host: HEADER.host,
  expect: HEADER.expect,
  te: HEADER.te,
  upgrade: HEADER.upgrade,
  ...Object.fromEntries(INTERNAL_NAMES.map((name) => [name, HEADER.internal])),
};

const RESPONSE: Readonly<Record<string, number>> = FRAMING;

/** Lower case of every byte that a token may hold (RFC 9110 5.6.2), 0 for the others. */
export const TOKEN_LOWER: Uint8Array = createTokenTable();

/** Names by hash, with what each means in a request and in a response. */
export interface NameTable {
  readonly names: readonly (string | undefined)[];
  /** The same as bytes, for comparing. */
  readonly bytes: readonly (Uint8Array | undefined)[];
  readonly kinds: Uint8Array;
}

export const REQUEST_NAMES: NameTable = createNameTable(REQUEST);
export const RESPONSE_NAMES: NameTable = createNameTable(RESPONSE);

/** The step of the hash: `code` is already in lower case. */
function hashStep(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0;
}

/**
 * The slot that holds the name in `bytes[from, to)`, or -1. `hash` is the name's, as
 * `Math.imul(hash, 31) + lowerCode` over its bytes: the parser makes it on its way.
 */
export function findName(
  table: NameTable,
  bytes: Uint8Array,
  from: number,
  to: number,
  hash: number,
): number {
  const length = to - from;
  for (let slot = hash & (TABLE_SIZE - 1); ; slot = (slot + 1) & (TABLE_SIZE - 1)) {
    const name = table.bytes[slot];
    if (name === undefined) return -1;
    if (name.length !== length) continue;
    let at = 0;
    while (at < length && TOKEN_LOWER[bytes[from + at] ?? 0] === name[at]) at++;
    if (at === length) return slot;
  }
}

function createNameTable(kindByName: Readonly<Record<string, number>>): NameTable {
  const names = Array.from<string | undefined>({ length: TABLE_SIZE });
  const bytes = Array.from<Uint8Array | undefined>({ length: TABLE_SIZE });
  const kinds = new Uint8Array(TABLE_SIZE);
  for (const name of new Set([...Object.keys(REQUEST), ...COMMON])) {
    let hash = 0;
    for (let at = 0; at < name.length; at++) hash = hashStep(hash, name.charCodeAt(at));
    let slot = hash & (TABLE_SIZE - 1);
    while (names[slot] !== undefined) slot = (slot + 1) & (TABLE_SIZE - 1);
    names[slot] = name;
    bytes[slot] = Uint8Array.from(name, (mark) => mark.charCodeAt(0));
    kinds[slot] = kindByName[name] ?? HEADER.plain;
  }
  return { names, bytes, kinds };
}

function createTokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  const marks = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
  for (const mark of marks) table[mark.charCodeAt(0)] = mark.charCodeAt(0);
  for (let code = 65; code <= 90; code++) table[code] = code + 32;
  return table;
}
