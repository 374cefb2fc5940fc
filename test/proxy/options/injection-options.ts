import { get } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";

/** What would end a header line, and begin another, where somebody decodes it. */
const ATTACK = "%0d%0aX-Evil:%201%0D%0A%0d%0a";

function pattern(regex: string): object {
  return { google_re2: {}, regex };
}

function added(...values: readonly string[]): object {
  return values.map((value, at) => ({ header: { key: `x-f${at}`, value } }));
}

const FORMATS = added(
  "%REQ(:PATH)%",
  "%REQ(X-IN)%",
  "%REQ(:AUTHORITY)%",
  "%PATH(WQ)%",
  "%QUERY_PARAMS(DECODED)%",
  "%QUERY_PARAMS(ORIG)%",
);

const DECODED = added("%QUERY_PARAM(q)%");

const ROUTES: Readonly<Record<string, object>> = {
  "a prefix that is rewritten": { route: { cluster: "up", prefix_rewrite: "/new" } },
  "a path that is rewritten by a regex": {
    route: {
      cluster: "up",
      regex_rewrite: { pattern: pattern("^/at/(.*)$"), substitution: "/to/\\1" },
    },
  },
  "a host from the path": {
    route: {
      cluster: "up",
      host_rewrite_path_regex: { pattern: pattern("^/at/(.*)$"), substitution: "\\1" },
    },
  },
  "a host from a header": { route: { cluster: "up", host_rewrite_header: "x-in" } },
  "a redirect": { redirect: { https_redirect: true } },
  "a redirect with a prefix": { redirect: { prefix_rewrite: "/new" } },
  "a redirect by a regex": {
    redirect: { regex_rewrite: { pattern: pattern("^/at/(.*)$"), substitution: "/to/\\1" } },
  },
  "format values": {
    route: { cluster: "up" },
    request_headers_to_add: FORMATS,
    response_headers_to_add: FORMATS,
  },
  "format values of an answer of the proxy's own": {
    direct_response: { status: 200 },
    response_headers_to_add: FORMATS,
  },
  "a decoded parameter in a request": {
    route: { cluster: "up" },
    request_headers_to_add: DECODED,
  },
};

/** Line ends that are written as escapes: nothing may turn them into lines. */
export const INJECTION_OPTIONS: readonly OptionCase[] = Object.entries(ROUTES).map(
  ([name, route]) => ({
    name: `line ends in ${name}`,
    options: { normalize_path: true, path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD" },
    routes: [{ match: { prefix: "/at" }, ...route }],
    send: get(`/at/a${ATTACK}b?q=c${ATTACK}d&e=${ATTACK}`, `X-In: in${ATTACK}\r\n`),
    status: ["redirect" in route ? 301 : JSON.stringify(route).includes("PARAM(") ? 503 : 200],
  }),
);
