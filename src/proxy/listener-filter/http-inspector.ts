import { latin1 } from "../net/latin1.ts";
import { INSPECT, type ListenerFilterConfig } from "./listener-filter.ts";

const ZERO = {
  http10_found: 0,
  http11_found: 0,
  http2_found: 0,
  http_not_found: 0,
  read_error: 0,
};

/** What an HTTP/2 client that knows its server begins with, RFC 9113 3.4. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const LINE_FEED = 10;
/** The characters of a method, RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const VERSION = /^HTTP\/\d\.\d$/;

type Found = "http/1.0" | "http/1.1" | "h2c" | "none";

const COUNTER_OF = {
  "http/1.0": "http10_found",
  "http/1.1": "http11_found",
  h2c: "http2_found",
  none: "http_not_found",
} as const;

/** Finds out whether a client that speaks plain text speaks HTTP, and which. */
export const HTTP_INSPECTOR: ListenerFilterConfig = {
  create({ context }) {
    const counters = context.counters.get("http_inspector", ZERO);
    return {
      needsBytes: true,
      inspect(connection, bytes) {
        if (connection.transportProtocol === "tls") return 0;
        const found = inspectHttp(bytes);
        if (found === "more") return INSPECT.more;
        counters[COUNTER_OF[found]]++;
        if (found !== "none") connection.applicationProtocols = [found];
        return 0;
      },
    };
  },
};

/** Looks at the first line: as Envoy, laxly, for what is not right gets its answer further on. */
export function inspectHttp(bytes: Buffer): Found | "more" {
  const shared = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, shared, 0, shared) === 0) {
    return shared === PREFACE.length ? "h2c" : "more";
  }
  if (!TOKEN.test(latin1(bytes, 0, 1))) return "none";
  const end = bytes.indexOf(LINE_FEED);
  if (end === -1) return "more";
  const [method = "", target, version, ...rest] = latin1(bytes, 0, end)
    .trimEnd()
    .split(/[ \t]+/);
  if (target === undefined || rest.length > 0 || !TOKEN.test(method)) return "none";
  if (version === undefined) return "http/1.0";
  if (!VERSION.test(version)) return "none";
  return version === "HTTP/1.1" ? "http/1.1" : "http/1.0";
}
