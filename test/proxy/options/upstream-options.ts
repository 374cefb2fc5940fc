import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { upstreamHttp1 } from "./trailer-options.ts";

const FULL = upstreamHttp1({ send_fully_qualified_url: true });
const BOTH_FRAMINGS = {
  "/both": {
    send:
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "5\r\nhello\r\n0\r\n\r\n",
  },
};

const LOCAL = { cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }] };
const CLIENTS: Readonly<Record<string, object>> = {
  strangers: { use_remote_address: true },
  others: {},
  "an internal client": { use_remote_address: true, internal_address_config: LOCAL },
};

const PROPER = { header_key_format: { proper_case_words: {} } };
const PROPER_BOTH = {
  options: {
    http_protocol_options: { ...PROPER, enable_trailers: true },
    proxy_100_continue: true,
  },
  cluster: upstreamHttp1({ ...PROPER, enable_trailers: true }),
};
const ODD_NAMES = "x_odd#name$r.z: 1\r\nX-B3-flags: 2\r\ncontent-md5: a-b:c-d\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-t: a\r\n\r\n";

/** How names are written. */
const NAMES: readonly OptionCase[] = [
  {
    name: "proper_case_words of requests and responses",
    ...PROPER_BOTH,
    scripts: { "/odd": { send: `HTTP/1.1 200 OK\r\n${ODD_NAMES}${CHUNKED}` } },
    send: `POST /odd HTTP/1.1\r\nhost: a.test\r\n${ODD_NAMES}${CHUNKED}`,
    status: [200],
  },
  {
    name: "proper_case_words of interim responses",
    ...PROPER_BOTH,
    scripts: {
      "/103": {
        send: "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
      },
    },
    send: get("/103"),
    status: [103, 200],
  },
  {
    name: "proper_case_words of answers of the proxy's own",
    ...PROPER_BOTH,
    routes: [
      { match: { prefix: "/d" }, direct_response: { status: 200, body: { inline_string: "a" } } },
    ],
    send: get("/d", "Connection: close\r\n"),
    status: [200],
  },
  {
    name: "proper_case_words of a WebSocket",
    ...PROPER_BOTH,
    options: { ...PROPER_BOTH.options, upgrade_configs: [{ upgrade_type: "websocket" }] },
    scripts: {
      "/ws": {
        send: "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        end: "fin",
      },
    },
    send: get("/ws", "connection: upgrade\r\nupgrade: websocket\r\n"),
    status: [101],
  },
];

/** How requests are written to upstreams, and responses read. */
export const UPSTREAM_OPTIONS: readonly OptionCase[] = [
  ...NAMES,
  {
    name: "send_fully_qualified_url",
    options: {},
    cluster: FULL,
    routes: [
      {
        match: { prefix: "/re" },
        route: { cluster: "up", prefix_rewrite: "/new", host_rewrite_literal: "h.test:81" },
      },
      {
        match: { prefix: "/m" },
        route: { cluster: "up", request_mirror_policies: [{ cluster: "up" }] },
      },
    ],
    send: get("/x?y=1") + get("/re/z"),
    status: [200, 200],
  },
  {
    name: "send_fully_qualified_url and copies",
    options: {},
    cluster: FULL,
    routes: [
      {
        match: { prefix: "/m" },
        route: { cluster: "up", request_mirror_policies: [{ cluster: "up" }] },
      },
    ],
    isUnordered: true,
    send: post("/m", "Content-Length: 2\r\n", "hi"),
    status: [200],
  },
  {
    name: "send_fully_qualified_url and the client's scheme",
    options: {},
    cluster: FULL,
    send: get("/x", "X-Forwarded-Proto: https\r\n"),
    status: [200],
  },
  {
    name: "send_fully_qualified_url of OPTIONS",
    options: {},
    cluster: FULL,
    send: "OPTIONS /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
    status: [200],
  },
  ...[true, false].map((allows) => ({
    name: `allow_chunked_length of an upstream: ${allows}`,
    options: {},
    cluster: upstreamHttp1({ allow_chunked_length: allows }),
    scripts: BOTH_FRAMINGS,
    send: get("/both"),
    status: [allows ? 200 : 502],
  })),
  ...Object.entries(CLIENTS).map(([who, options]) => ({
    name: `internal_only_headers of ${who}`,
    options,
    table: { internal_only_headers: ["X-Inside", "content-length"] },
    routes: [
      {
        match: { prefix: "/x", headers: [{ name: "x-inside", present_match: true }] },
        direct_response: { status: 204 },
      },
    ],
    send: post("/x", "X-Inside: 1\r\nX-INSIDE: 2\r\nX-Other: 3\r\n"),
    status: [who === "an internal client" ? 204 : 200],
  })),
  {
    name: "internal_only_headers that frame and route",
    options: {},
    table: { internal_only_headers: ["content-length", "transfer-encoding", "connection"] },
    send: post("/x", "Content-Length: 2\r\n", "hi"),
    status: [200],
  },
];
