import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";

const XFF = "X-Forwarded-For: 9.9.9.1, 9.9.9.2,9.9.9.3\r\nX-Forwarded-Proto: https\r\n";
const INTERNAL =
  "X-Envoy-Internal: true\r\nX-Envoy-Force-Trace: 1\r\nX-Envoy-Ip-Tags: a\r\n" +
  "X-Envoy-Original-Url: c\r\n" +
  "X-Envoy-Decorator-Operation: d\r\nX-Envoy-Downstream-Service-Cluster: e\r\n" +
  "X-Envoy-Downstream-Service-Node: f\r\nX-Envoy-External-Address: 7.7.7.7\r\n";
const LOCAL = { cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }] };
const NINE = { cidr_ranges: [{ address_prefix: "9.9.9.0", prefix_len: 24 }] };

function edge(more: object = {}): object {
  return { use_remote_address: true, ...more };
}

/** Who the client is, and what it may say. */
const CLIENT: readonly OptionCase[] = [
  { name: "X-Forwarded-For of a trusted proxy", options: {}, send: get("/x", XFF), status: [200] },
  {
    name: "one address in X-Forwarded-For",
    options: {},
    send: get("/x", "X-Forwarded-For: 9.9.9.1\r\n"),
    status: [200],
  },
  {
    name: "no address in X-Forwarded-For",
    options: {},
    send: get("/x", "X-Forwarded-For: 9.9.9.1, unknown\r\n"),
    status: [200],
  },
  {
    name: "IPv6 in X-Forwarded-For",
    options: {},
    send: get("/x", "X-Forwarded-For: ::1\r\n"),
    status: [200],
  },
  ...[1, 2, 3, 4].map((hops) => ({
    name: `${hops} trusted hops`,
    options: { xff_num_trusted_hops: hops },
    send: get("/x", XFF),
    status: [200],
  })),
  ...[1, 2, 4].map((hops) => ({
    name: `${hops} trusted hops before the edge`,
    options: edge({ xff_num_trusted_hops: hops, append_x_forwarded_port: true }),
    send: get("/x", `${XFF}X-Forwarded-Port: 77\r\n`),
    status: [200],
  })),
  {
    name: "trusted hops that said nothing",
    options: edge({ xff_num_trusted_hops: 1, append_x_forwarded_port: true }),
    send: get("/x"),
    status: [200],
  },
  {
    name: "skip_xff_append",
    options: edge({ skip_xff_append: true }),
    send: get("/x", XFF),
    status: [200],
  },
  {
    name: "append_x_forwarded_port",
    options: edge({ append_x_forwarded_port: true }),
    send: get("/x", "X-Forwarded-Port: 77\r\n"),
    status: [200],
  },
  {
    name: "append_x_forwarded_port within",
    options: { append_x_forwarded_port: true },
    send: get("/x"),
    status: [200],
  },
  {
    name: "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
    options: edge({ represent_ipv4_remote_address_as_ipv4_mapped_ipv6: true }),
    send: get("/x"),
    status: [200],
  },
  { name: "what strangers claim", options: edge(), send: get("/x", INTERNAL), status: [200] },
  { name: "what others claim", options: {}, send: get("/x", INTERNAL), status: [200] },
  {
    name: "an internal client",
    options: edge({ internal_address_config: LOCAL }),
    send: get("/x", INTERNAL),
    status: [200],
  },
  {
    name: "an internal client behind another",
    options: edge({ internal_address_config: LOCAL }),
    send: get("/x", `${INTERNAL}X-Forwarded-For: 1.2.3.4\r\n`),
    status: [200],
  },
  {
    name: "an internal client by X-Forwarded-For",
    options: { internal_address_config: NINE },
    send: get("/x", `${INTERNAL}X-Forwarded-For: 9.9.9.9\r\n`),
    status: [200],
  },
  {
    name: "two addresses are never internal",
    options: { internal_address_config: NINE },
    send: get("/x", `${INTERNAL}X-Forwarded-For: 9.9.9.8,9.9.9.9\r\n`),
    status: [200],
  },
  {
    name: "no X-Forwarded-For is not internal",
    options: { internal_address_config: LOCAL },
    send: get("/x", INTERNAL),
    status: [200],
  },
];

/** Headers that the proxy adds. */
const ADDED: readonly OptionCase[] = [
  { name: "via", options: { via: "weft" }, send: get("/x"), status: [200] },
  {
    name: "via behind another",
    options: { via: "weft" },
    send: get("/via", "Via: 1.1 a\r\n"),
    scripts: {
      "/via": { send: "HTTP/1.1 200 OK\r\nVia: 1.1 b\r\nContent-Length: 2\r\n\r\nhi" },
    },
    status: [200],
  },
  {
    name: "via of an answer of the proxy's own",
    options: { via: "weft" },
    routes: [{ match: { prefix: "/d" }, direct_response: { status: 204 } }],
    send: get("/d"),
    status: [204],
  },
  {
    name: "preserve_external_request_id",
    options: edge({ preserve_external_request_id: true }),
    send: get("/x", "X-Request-Id: mine\r\n"),
    status: [200],
  },
  {
    name: "always_set_request_id_in_response",
    options: { always_set_request_id_in_response: true },
    send: get("/x", "X-Request-Id: mine\r\n"),
    status: [200],
  },
  {
    name: "scheme_to_overwrite",
    options: { scheme_header_transformation: { scheme_to_overwrite: "https" } },
    routes: [{ match: { prefix: "/r" }, redirect: { path_redirect: "/s" } }],
    send: get("/r"),
    status: [301],
  },
  {
    name: "X-Forwarded-Proto decides the scheme",
    options: {},
    routes: [{ match: { prefix: "/r" }, redirect: { path_redirect: "/s" } }],
    send: get("/r", "X-Forwarded-Proto: https\r\n"),
    status: [301],
  },
  {
    name: "X-Forwarded-Proto of another scheme",
    options: {},
    routes: [{ match: { prefix: "/r" }, redirect: { path_redirect: "/s" } }],
    send: get("/r", "X-Forwarded-Proto: ftp\r\n"),
    status: [301],
  },
];

const UNDERSCORE = "X_Y: 1\r\nContent_Length: 2\r\nX-Z: 3\r\n";

function common(options: object): object {
  return { common_http_protocol_options: options };
}

/** How heads are read. */
const HEADS: readonly OptionCase[] = [
  ...["ALLOW", "REJECT_REQUEST", "DROP_HEADER"].map((action) => ({
    name: `headers_with_underscores_action ${action}`,
    options: common({ headers_with_underscores_action: action }),
    send: get("/x", UNDERSCORE),
    status: [action === "REJECT_REQUEST" ? 400 : 200],
  })),
  {
    name: "max_headers_count",
    options: common({ max_headers_count: 3 }),
    send: get("/x", "A: 1\r\nB: 2\r\nC: 3\r\n"),
    status: [431],
  },
  {
    name: "max_request_headers_kb",
    options: { max_request_headers_kb: 1 },
    send: get("/x", `A: ${"a".repeat(1100)}\r\n`),
    status: [431],
  },
  {
    name: "allow_chunked_length",
    options: { http_protocol_options: { allow_chunked_length: true } },
    send: post(
      "/x",
      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
      "5\r\nhello\r\n0\r\n\r\n",
    ),
    status: [200],
  },
  {
    name: "allow_chunked_length and an unknown coding",
    options: { http_protocol_options: { allow_chunked_length: true } },
    send: post("/x", "Content-Length: 3\r\nTransfer-Encoding: x\r\n", "abc"),
    status: [400],
  },
  {
    name: "allow_absolute_url: false",
    options: { http_protocol_options: { allow_absolute_url: false } },
    send: "GET http://a.test/x HTTP/1.1\r\nHost: b.test\r\n\r\n",
    status: [404],
  },
  {
    name: "default_host_for_http_10",
    options: {
      http_protocol_options: { accept_http_10: true, default_host_for_http_10: "d.test" },
    },
    send: "GET /x HTTP/1.0\r\n\r\n",
    status: [200],
  },
  {
    name: "HTTP/1.0 without a host",
    options: { http_protocol_options: { accept_http_10: true } },
    send: "GET /x HTTP/1.0\r\n\r\n",
    status: [400],
  },
];

/** What connection managers do with headers. */
export const HEADER_OPTIONS: readonly OptionCase[] = [...CLIENT, ...ADDED, ...HEADS];
