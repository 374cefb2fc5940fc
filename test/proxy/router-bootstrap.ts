import { httpListener, socketAddress, staticCluster } from "./bootstrap-json.ts";

/** A route to the upstream, under a prefix of its own. */
function route(prefix: string, action: object, rest: object = {}): object {
  return { match: { prefix }, route: { cluster: "up", ...action }, ...rest };
}

function header(key: string, value: string, rest: object = {}): object {
  return { header: { key, value }, ...rest };
}

const OVERWRITE = { append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };

const RETRY = { num_retries: 2, retry_back_off: { base_interval: "0.01s", max_interval: "0.02s" } };

function retry(prefix: string, retryOn: string, rest: object = {}): object {
  return route(prefix, { retry_policy: { retry_on: retryOn, ...RETRY, ...rest } });
}

const TYPED = "type.googleapis.com/envoy.extensions.";
const PREVIOUS_HOSTS = {
  name: "envoy.retry_host_predicates.previous_hosts",
  typed_config: { "@type": `${TYPED}retry.host.previous_hosts.v3.PreviousHostsPredicate` },
};

/** Every way a route may change, repeat, copy or bound a request. */
const ROUTES: readonly object[] = [
  // Headers at the level of the route.
  route(
    "/add",
    {},
    {
      request_headers_to_add: [
        header("x-added", "a"),
        header("x-given", "b"),
        header("x-path", "%REQ(:PATH)%"),
        header("x-proto", "%PROTOCOL%"),
        header("x-empty", "%REQ(x-none)%"),
        header("x-kept", "%REQ(x-none)%", { keep_empty_value: true }),
        header("x-set", "new", { append_action: "OVERWRITE_IF_EXISTS_OR_ADD" }),
        header("x-if-there", "new", { append_action: "OVERWRITE_IF_EXISTS" }),
        header("x-if-absent", "new", { append_action: "ADD_IF_ABSENT" }),
      ],
      request_headers_to_remove: ["x-gone", "X-Given"],
      response_headers_to_add: [
        header("x-status", "%RESPONSE_CODE%"),
        header("x-up", "more"),
        header("x-attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
      ],
      response_headers_to_remove: ["x-removed"],
    },
  ),
  route(
    "/framing",
    {},
    {
      response_headers_to_add: [
        header("transfer-encoding", "chunked"),
        header("connection", "x-foo"),
        header("keep-alive", "1"),
      ],
    },
  ),
  route("/length", {}, { request_headers_to_add: [header("content-length", "1", OVERWRITE)] }),
  route(
    "/unframed",
    {},
    {
      request_headers_to_remove: ["content-length"],
      response_headers_to_remove: ["content-length", "date", "server"],
    },
  ),
  {
    match: { prefix: "/direct" },
    direct_response: { status: 403, body: { inline_string: "no" } },
    response_headers_to_add: [header("x-reason", "route-%RESPONSE_CODE%")],
  },
  {
    match: { prefix: "/moved" },
    redirect: { path_redirect: "/new" },
    response_headers_to_add: [header("x-reason", "moved")],
  },
  {
    match: { prefix: "/weighted" },
    route: {
      weighted_clusters: {
        clusters: [
          {
            name: "up",
            weight: 1,
            request_headers_to_add: [header("x-level", "cluster")],
            response_headers_to_add: [header("x-level", "cluster")],
            host_rewrite_literal: "weighted.test",
          },
        ],
      },
    },
    request_headers_to_add: [header("x-level", "route"), header("x-wins", "route", OVERWRITE)],
    response_headers_to_add: [header("x-level", "route"), header("x-wins", "route", OVERWRITE)],
  },
  {
    match: { prefix: "/both-hosts" },
    route: {
      weighted_clusters: {
        clusters: [{ name: "up", weight: 1, host_rewrite_literal: "weighted.test" }],
      },
      host_rewrite_literal: "route.test",
    },
  },
  // Where it goes.
  { match: { prefix: "/by-header" }, route: { cluster_header: "x-cluster" } },
  { match: { prefix: "/by-kind", grpc: {} }, route: { cluster_header: "x-cluster" } },
  { match: { prefix: "/by-kind" }, direct_response: { status: 404 } },
  route("/host-header", { host_rewrite_header: "x-host" }),
  route("/host-path", {
    host_rewrite_path_regex: { pattern: { regex: "^/host-path/(.+)$" }, substitution: "\\1.test" },
  }),
  { match: { prefix: "/host-auto" }, route: { cluster: "named", auto_host_rewrite: true } },
  route("/host-forwarded", { host_rewrite_literal: "b.test", append_x_forwarded_host: true }),
  route("/regex/", {
    regex_rewrite: { pattern: { regex: "/regex/([a-z]+)" }, substitution: "/r/\\1/x" },
  }),
  // Retries.
  retry("/retry-5xx", "5xx"),
  retry("/retry-gateway", "gateway-error"),
  retry("/retry-4xx", "retriable-4xx"),
  retry("/retry-codes", "retriable-status-codes", { retriable_status_codes: [418] }),
  retry("/retry-headers", "retriable-headers", {
    retriable_headers: [{ name: "x-again", string_match: { exact: "yes" } }],
  }),
  retry("/retry-request", "5xx", {
    retriable_request_headers: [{ name: "x-try", present_match: true }],
  }),
  retry("/retry-reset", "reset"),
  retry("/retry-limited", "envoy-ratelimited,5xx"),
  retry("/retry-not-limited", "5xx"),
  retry("/retry-grpc", "unavailable,resource-exhausted"),
  retry("/retry-after", "5xx", {
    num_retries: 1,
    rate_limited_retry_back_off: {
      reset_headers: [{ name: "retry-after", format: "SECONDS" }],
      max_interval: "5s",
    },
  }),
  {
    match: { prefix: "/retry-refused" },
    route: {
      cluster: "half",
      retry_policy: {
        retry_on: "connect-failure",
        ...RETRY,
        num_retries: 5,
        retry_host_predicate: [PREVIOUS_HOSTS],
        host_selection_retry_max_attempts: "5",
      },
    },
  },
  {
    match: { prefix: "/refused" },
    route: { cluster: "refused", retry_policy: { retry_on: "connect-failure", ...RETRY } },
  },
  retry("/try-timeout", "reset", { per_try_timeout: "0.15s", num_retries: 1 }),
  retry("/try-idle", "reset", { per_try_idle_timeout: "0.15s", num_retries: 1 }),
  retry("/try-no-retry", "5xx", { per_try_timeout: "0.15s", num_retries: 0 }),
  // Timeouts.
  route("/slow", { timeout: "0.2s" }),
  route("/expected", {
    timeout: "9s",
    retry_policy: { retry_on: "5xx", ...RETRY, per_try_timeout: "7s" },
  }),
  // Copies.
  route("/mirror-plain", {
    request_mirror_policies: [{ cluster: "shadow", disable_shadow_host_suffix_append: true }],
  }),
  route("/mirror-header", { request_mirror_policies: [{ cluster_header: "x-copy" }] }),
  route("/mirror-never", {
    request_mirror_policies: [
      {
        cluster: "shadow",
        runtime_fraction: { default_value: { numerator: 0, denominator: "HUNDRED" } },
      },
    ],
  }),
  route("/mirror-nowhere", { request_mirror_policies: [{ cluster: "nowhere" }] }),
  route("/mirror", { request_mirror_policies: [{ cluster: "shadow" }] }),
  // Redirects of the upstream.
  route("/follow", { internal_redirect_policy: { max_internal_redirects: 2 } }),
  route("/see-other", {
    internal_redirect_policy: { redirect_response_codes: [303], max_internal_redirects: 1 },
  }),
  route("/copied", {
    internal_redirect_policy: { response_headers_to_copy: ["x-token", "x-absent"] },
  }),
  route("/picky", {
    internal_redirect_policy: {
      predicates: [
        {
          name: "envoy.internal_redirect_predicates.allow_listed_routes",
          typed_config: {
            "@type": `${TYPED}internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig`,
            allowed_route_names: ["named"],
          },
        },
      ],
    },
  }),
  { ...(route("/named", {}) as object), name: "named" },
  route("/", {}),
];

/** What the upstream answers, by path. */
export const ROUTER_SCRIPTS = {
  "/slow": {},
  "/plain-slow": {},
  "/plain-close": { end: "fin" },
  "/try-timeout": {},
  "/try-idle": {},
  "/try-no-retry": {},
  "/retry-reset": { end: "fin" },
  "/add/removed": {
    send: "HTTP/1.1 200 OK\r\nX-Removed: 1\r\nX-Up: 1\r\nContent-Length: 0\r\n\r\n",
  },
  ...Object.fromEntries(
    [
      ["/plain-500", "500 Oops"],
      ["/plain-418", "418 Teapot\r\nX-Again: 1"],
      ["/plain-grpc", "200 OK\r\nGrpc-Status: 8"],
      ["/retry-5xx", "500 Oops"],
      ["/retry-gateway", "502 Bad"],
      ["/retry-gateway/500", "500 Oops"],
      ["/retry-4xx", "409 Conflict"],
      ["/retry-codes", "418 Teapot"],
      ["/retry-request", "500 Oops"],
      ["/retry-headers", "200 OK\r\nX-Again: yes"],
      ["/retry-limited", "429 Many\r\nX-Envoy-Ratelimited: true"],
      ["/retry-not-limited", "503 Many\r\nX-Envoy-Ratelimited: true"],
      ["/retry-grpc", "200 OK\r\nGrpc-Status: 14"],
      ["/retry-after", "503 Later\r\nRetry-After: 1"],
      ["/expected", "500 Oops"],
      ["/follow", "302 Found\r\nLocation: http://other.test/named?x=1#frag"],
      ["/follow/loop", "302 Found\r\nLocation: http://a.test/follow/loop"],
      ["/follow/relative", "302 Found\r\nLocation: /named"],
      ["/follow/https", "302 Found\r\nLocation: https://a.test/named"],
      ["/follow/nowhere", "302 Found\r\nLocation: http://unknown.example/named"],
      ["/follow/none", "302 Found"],
      ["/see-other", "303 See\r\nLocation: http://a.test/named"],
      ["/copied", "302 Found\r\nLocation: http://a.test/named\r\nX-Token: t"],
      ["/picky", "302 Found\r\nLocation: http://a.test/other"],
      ["/picky/named", "302 Found\r\nLocation: http://a.test/named"],
    ].map(([path, head]) => [path, { send: `HTTP/1.1 ${head}\r\nContent-Length: 0\r\n\r\n` }]),
  ),
} as const;

/** Listeners over the same routes: for strangers, for those inside, and with levels turned round. */
export type RouterListener = "main" | "inside" | "specific";

/** Virtual hosts over the same routes, one of them telling more. */
const TABLE = {
  name: "local",
  validate_clusters: false,
  request_headers_to_add: [header("x-level", "table"), header("x-wins", "table", OVERWRITE)],
  response_headers_to_add: [
    header("x-level", "table"),
    header("x-wins", "table", OVERWRITE),
    header("x-how", "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"),
  ],
  virtual_hosts: [
    { name: "a", domains: ["a.test", "other.test"], routes: ROUTES },
    { name: "secure", domains: ["secure.test"], routes: ROUTES, require_tls: "ALL" },
    {
      name: "outside",
      domains: ["outside.test"],
      routes: ROUTES,
      require_tls: "EXTERNAL_ONLY",
    },
    {
      name: "told",
      domains: ["told.test"],
      routes: ROUTES,
      include_request_attempt_count: true,
      include_attempt_count_in_response: true,
      include_is_timeout_retry_header: true,
      request_headers_to_add: [header("x-level", "host"), header("x-wins", "host", OVERWRITE)],
      response_headers_to_add: [header("x-level", "host"), header("x-wins", "host", OVERWRITE)],
    },
  ],
};

/** The listeners over that table, and the clusters that it names. */
export function routerBootstrap(
  ports: Readonly<Record<RouterListener | "admin", number>>,
  upstream: { readonly port: number; readonly shadowPort: number; readonly refusedPort: number },
): object {
  const named = {
    cluster_name: "named",
    endpoints: [
      {
        lb_endpoints: [
          { endpoint: { address: socketAddress(upstream.port), hostname: "upstream.name" } },
        ],
      },
    ],
  };
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("main", ports.main, { route_config: TABLE }),
        httpListener("inside", ports.inside, {
          route_config: TABLE,
          use_remote_address: true,
          internal_address_config: {
            cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }],
          },
        }),
        httpListener("specific", ports.specific, {
          route_config: { ...TABLE, most_specific_header_mutations_wins: true },
        }),
      ],
      clusters: [
        staticCluster("up", [upstream.port]),
        staticCluster("shadow", [upstream.shadowPort]),
        staticCluster("refused", [upstream.refusedPort]),
        staticCluster("half", [upstream.refusedPort, upstream.port]),
        staticCluster("named", [], { load_assignment: named }),
      ],
    },
  };
}
