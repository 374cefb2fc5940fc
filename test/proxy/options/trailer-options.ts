import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";

const OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const ENABLED = { http_protocol_options: { enable_trailers: true } };

/** A cluster's options for HTTP/1.1. */
export function upstreamHttp1(options: object): object {
  return {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": OPTIONS,
        explicit_http_config: { http_protocol_options: options },
      },
    },
  };
}

const PASSES = upstreamHttp1({ enable_trailers: true });

/** A chunked request with these trailer lines. */
function withTrailers(path: string, trailers: string, lines = CHUNKED): string {
  return post(path, lines, `3\r\nabc\r\n0\r\n${trailers}\r\n`);
}

function answer(trailers: string): { send: string } {
  return {
    send: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n${trailers}\r\n`,
  };
}

const FORBIDDEN =
  "Content-Length: 50\r\nTransfer-Encoding: chunked\r\nHost: b.test\r\nConnection: close\r\n" +
  "X-Forwarded-For: 1.1.1.1\r\nX-Envoy-Max-Retries: 3\r\nUpgrade: x\r\nTE: trailers\r\nKeep-Alive: 5\r\n";

/** Who lets them through decides. */
const PASSED: readonly OptionCase[] = [true, false].flatMap((downstream) =>
  [true, false].map((upstream) => ({
    name: `trailers: client's side ${downstream}, upstream's side ${upstream}`,
    options: downstream ? ENABLED : {},
    cluster: upstream ? PASSES : {},
    scripts: { "/t": answer("X-T: answer\r\nX-U: 1\r\nx-u: 2\r\n") },
    send: withTrailers("/t", "X-T: asked\r\nx-b:  2 \r\nX-B: 3\r\n") + get("/after"),
    status: [200, 200],
  })),
);

const LIMITS = {
  "as many as may be": "X-T: 1\r\n".repeat(100),
  "one too many": "X-T: 1\r\n".repeat(101),
  "too large": `X-T: ${"a".repeat(90_000)}\r\n`,
};

const BAD = {
  "without a colon": "bad\r\n",
  "a blank in the name": "bad name: x\r\n",
  "a blank before the colon": "bad : x\r\n",
  "without a name": ": x\r\n",
  "a NUL": "X-T: a\0b\r\n",
};

const CASES: Readonly<Record<string, string>> = {
  ...LIMITS,
  ...BAD,
  "an empty value": "X-T:\r\n",
  "what frames a message": FORBIDDEN,
  "an underscore": "X_T: 1\r\n",
  "bytes past ASCII": "X-T: \xe4\xff\r\n",
};

const REFUSED: ReadonlySet<string> = new Set(Object.keys(BAD));
const TOO_MUCH: ReadonlySet<string> = new Set(["one too many", "too large"]);

/** What is in them, both ways. */
const CONTENTS: readonly OptionCase[] = Object.entries(CASES).flatMap(([name, trailers], at) => [
  {
    name: `trailers of a request: ${name}`,
    options: ENABLED,
    cluster: PASSES,
    send: withTrailers("/x", trailers),
    status: [REFUSED.has(name) ? 400 : TOO_MUCH.has(name) ? 431 : 200],
  },
  {
    name: `trailers of a response: ${name}`,
    options: ENABLED,
    cluster: PASSES,
    scripts: { [`/t${at}`]: answer(trailers) },
    send: get(`/t${at}`),
    status: REFUSED.has(name) || TOO_MUCH.has(name) ? [] : [200],
  },
]);

const RETRY = {
  retry_policy: { retry_on: "5xx", num_retries: 1, retry_back_off: { base_interval: "0.01s" } },
};

const SPECIAL: readonly OptionCase[] = [
  {
    name: "trailers of requests that are tried again and copied",
    options: ENABLED,
    cluster: PASSES,
    routes: [
      {
        match: { prefix: "/503" },
        route: { cluster: "up", ...RETRY },
      },
    ],
    scripts: { "/503": { send: "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" } },
    send: withTrailers("/503", "X-T: 1\r\n"),
    status: [503],
  },
  {
    name: "trailers of requests that are copied",
    isUnordered: true,
    options: ENABLED,
    cluster: PASSES,
    routes: [
      {
        match: { prefix: "/m" },
        route: { cluster: "up", request_mirror_policies: [{ cluster: "up" }] },
      },
    ],
    send: withTrailers("/m", "X-T: 1\r\n"),
    status: [200],
  },
  {
    name: "trailers for a client of HTTP/1.0",
    options: { http_protocol_options: { enable_trailers: true, accept_http_10: true } },
    cluster: PASSES,
    scripts: { "/t": answer("X-T: answer\r\n") },
    send: "GET /t HTTP/1.0\r\nHost: a\r\n\r\n",
    status: [200],
  },
  {
    name: "trailers without a body",
    options: ENABLED,
    cluster: PASSES,
    send: post("/x", CHUNKED, "0\r\nX-T: 1\r\n\r\n"),
    status: [200],
  },
  {
    name: "trailers in pieces",
    options: ENABLED,
    cluster: PASSES,
    send: [post("/x", CHUNKED, "0\r\nX-"), "T", ": ", "1\r", "\n", "\r", "\n"],
    status: [200],
  },
  {
    name: "trailers of a request that a redirect leads elsewhere",
    // Envoy logs the way that was left too.
    ignoredLog: "internal_redirect",
    options: ENABLED,
    cluster: PASSES,
    routes: [
      {
        match: { prefix: "/from" },
        route: { cluster: "up", internal_redirect_policy: { redirect_response_codes: [307] } },
      },
    ],
    scripts: {
      "/from": {
        send: "HTTP/1.1 307 No\r\nLocation: http://a.test/to\r\nContent-Length: 0\r\n\r\n",
      },
    },
    send: withTrailers("/from", "X-T: 1\r\n"),
    status: [200],
  },
];

/** What connection managers and clusters do with trailers. */
export const TRAILER_OPTIONS: readonly OptionCase[] = [...PASSED, ...CONTENTS, ...SPECIAL];
