import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { caseLog } from "./case-log.ts";
import type { ListenerName } from "./differential-case.ts";
import type { Script } from "./scripted-upstream.ts";

/** Ports of one data plane under test. */
export type ListenerPorts = Readonly<Record<ListenerName | "admin", number>>;

/** What the upstream answers, by path; everything else is 200 `hi`. */
export const SCRIPTS: Readonly<Record<string, Script>> = {
  "/silent": {},
  "/close": { end: "fin" },
  "/garbage": { send: "garbage\r\n\r\n" },
  "/two-lengths": { send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi" },
  "/length-and-chunks": {
    send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  },
  "/bad-chunk": { send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n" },
  "/eof": { send: "HTTP/1.1 200 OK\r\n\r\nuntil close", end: "fin" },
  "/http10": { send: "HTTP/1.0 200 OK\r\n\r\nuntil close", end: "fin" },
  "/chunked": {
    send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
  },
  "/cut-head": { send: "HTTP/1.1 200 OK\r\nContent-Le", end: "fin" },
  "/cut-head-reset": { send: "HTTP", end: "reset" },
  "/line-first": { send: "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" },
  "/204-length": { send: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi" },
  "/204-zero": { send: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n" },
  "/204-chunks": {
    send: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  },
  "/interim-length": {
    send: "HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  },
  "/204": { send: "HTTP/1.1 204 No Content\r\n\r\n" },
  "/304": { send: "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n" },
  "/304-length": { send: "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n" },
  "/zero-body": { send: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
  "/odd-status": { send: "HTTP/1.1 299 Whatever\r\nContent-Length: 0\r\n\r\n" },
  "/500": { send: "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops" },
  "/interim": {
    send: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  },
  "/hop": {
    send:
      "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-foo\r\nX-Foo: 1\r\nKeep-Alive: timeout=5\r\n" +
      "Proxy-Connection: x\r\nServer: nginx\r\nVia: 1.1 x\r\nX-Envoy-Upstream-Service-Time: 77\r\n" +
      "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nhi",
  },
  "/early": {
    send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    isEarly: true,
  },
  "/websocket": {
    send:
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Accept: x\r\n\r\nfirst frame",
    end: "fin",
  },
};

const DIRECT = { status: 418, body: { inline_string: "teapot" } };

const ROUTES = [
  { match: { prefix: "/query?a" }, direct_response: { status: 206 } },
  { match: { path: "/query?b" }, direct_response: { status: 206 } },
  { match: { prefix: "/foreign" }, route: { cluster: "up", prefix_rewrite: "/é中" } },
  { match: { prefix: "/abroad" }, route: { cluster: "up", host_rewrite_literal: "ĊÀ.test" } },
  { match: { prefix: "/far" }, redirect: { path_redirect: "/ĊÀ" } },
  {
    match: { prefix: "/stays" },
    redirect: { host_redirect: "b.test", path_redirect: "", strip_query: true },
  },
  { match: { safe_regex: { regex: "[^/]{0,2}" } }, direct_response: { status: 206 } },
  { match: { prefix: "/no-cluster" }, route: { cluster: "nowhere" } },
  {
    match: { prefix: "/no-cluster-404" },
    route: { cluster: "nowhere", cluster_not_found_response_code: "NOT_FOUND" },
  },
  { match: { prefix: "/empty" }, route: { cluster: "empty" } },
  { match: { prefix: "/refused" }, route: { cluster: "refused" } },
  { match: { prefix: "/direct" }, direct_response: DIRECT },
  { match: { prefix: "/bare" }, direct_response: { status: 502 } },
  { match: { prefix: "/silent" }, route: { cluster: "up", timeout: "0.3s" } },
  { match: { prefix: "/redirect" }, redirect: { path_redirect: "/new" } },
  {
    match: { prefix: "/https" },
    redirect: { https_redirect: true, response_code: "PERMANENT_REDIRECT" },
  },
  { match: { prefix: "/moved/" }, redirect: { host_redirect: "b.test", prefix_rewrite: "/x/" } },
  { match: { prefix: "/rewrite" }, route: { cluster: "up", prefix_rewrite: "/to" } },
  { match: { prefix: "/host" }, route: { cluster: "up", host_rewrite_literal: "other.test" } },
  { match: { prefix: "/no-timeout" }, route: { cluster: "up", timeout: "0s" } },
  {
    match: { prefix: "/user", headers: [{ name: "end-user", string_match: { exact: "jason" } }] },
    direct_response: { status: 206 },
  },
  {
    match: { prefix: "/retry-503" },
    route: {
      cluster: "up",
      prefix_rewrite: "/500",
      retry_policy: {
        retry_on: "retriable-status-codes",
        retriable_status_codes: [500],
        num_retries: 1,
      },
    },
  },
  ...(
    [
      ["/not-user", { string_match: { exact: "jason" }, invert_match: true }],
      ["/joined", { string_match: { exact: "jason,jane" } }],
      ["/contains", { string_match: { contains: "n,j" } }],
      ["/name", { string_match: { exact: "é中" } }],
      ["/any-case", { string_match: { prefix: "É-A", ignore_case: true } }],
      ["/counts", { present_match: true, treat_missing_header_as_empty: true }],
      ["/regex", { string_match: { safe_regex: { regex: "ja.e" } } }],
      ["/range", { range_match: { start: 1, end: 5 } }],
      ["/absent", { present_match: false }],
      ["/not-present", { present_match: true, invert_match: true }],
      ["/blank", { string_match: { exact: "" }, treat_missing_header_as_empty: true }],
      [
        "/not-missing",
        { string_match: { exact: "x" }, invert_match: true, treat_missing_header_as_empty: true },
      ],
    ] as const
  ).map(([prefix, matcher]) => ({
    match: { prefix, headers: [{ name: "end-user", ...matcher }] },
    direct_response: { status: 205 },
  })),
  { match: { prefix: "/created" }, direct_response: { status: 201 } },
  { match: { prefix: "/elsewhere" }, direct_response: { status: 302 } },
  { match: { safe_regex: { regex: "/re/[0-9]+" } }, direct_response: { status: 202 } },
  { match: { prefix: "/" }, route: { cluster: "up" }, decorator: { operation: "op" } },
];

/** The same configuration for both, but for the ports. */
export function differentialBootstrap(
  ports: ListenerPorts,
  upstream: { readonly port: number; readonly refusedPort: number },
  log: string,
): object {
  const access_log = caseLog(log);
  const hosts = {
    name: "local",
    validate_clusters: false,
    virtual_hosts: [
      { name: "a", domains: ["a.test", "a.test:80"], routes: ROUTES },
      {
        name: "counted",
        domains: ["counted.test"],
        include_request_attempt_count: true,
        routes: ROUTES,
      },
      {
        name: "wild",
        domains: ["*.wild.test"],
        routes: [{ match: { prefix: "/" }, direct_response: { status: 203 } }],
      },
    ],
  };
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("main", ports.main, { route_config: hosts, access_log }),
        httpListener("edge", ports.edge, {
          access_log,
          route_config: hosts,
          use_remote_address: true,
          normalize_path: true,
          merge_slashes: true,
          server_name: "weft-test",
          always_set_request_id_in_response: false,
          upgrade_configs: [{ upgrade_type: "websocket" }],
        }),
        httpListener("http10", ports.http10, {
          access_log,
          route_config: hosts,
          http_protocol_options: { accept_http_10: true },
          normalize_path: true,
        }),
        httpListener("plain", ports.plain, {
          access_log,
          route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: "up" } }]),
          generate_request_id: false,
          server_header_transformation: "PASS_THROUGH",
          common_http_protocol_options: { max_headers_count: 5 },
          max_request_headers_kb: 1,
        }),
      ],
      clusters: [
        staticCluster("up", [upstream.port]),
        staticCluster("refused", [upstream.refusedPort]),
        staticCluster("empty", []),
      ],
    },
  };
}
