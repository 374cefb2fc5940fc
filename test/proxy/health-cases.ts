import { type CheckAnswer, response, SILENCE, withBody } from "./checked-server.ts";

/** Checks of one host that both proxies must make and understand alike. */
export interface HealthCase {
  readonly name: string;
  /** Merged into the health check. */
  readonly check: object;
  /** Merged into the cluster, and into its endpoint. */
  readonly cluster?: object;
  readonly endpoint?: object;
  /** After these the server falls silent; each is one check, or one connection. */
  readonly answers: readonly CheckAnswer[];
  /** What the events say, in order; `undefined` where only the two proxies are compared. */
  readonly events: readonly string[] | undefined;
  /** The flags that `/clusters` shows in the end. */
  readonly flags: string;
  /** Whether checks fail by taking too long: then there is no end to be looked at. */
  readonly isEndless?: boolean;
}

function http(options: object): object {
  return { http_health_check: { path: "/check", ...options } };
}

/** The answers that come must come sooner, on a machine that does much else too. */
const SLOW = { timeout: "3s" };

const OK = response(200);
const FIRST = "add_healthy_event first_check";
const BACK = "add_healthy_event";
const FINE = "successful_health_check_event";
const CHUNKED =
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
const UNTIL_CLOSE = { send: "HTTP/1.1 200 OK\r\n\r\nabcdef", end: "fin" } as const;

function eject(kind: string, status = 0): string {
  return `eject_unhealthy_event ${kind} ${status}`;
}

function fails(kind: string, status = 0): string {
  return `health_check_failure_event ${kind} ${status}`;
}

function firstFails(kind: string, status = 0): string {
  return `health_check_failure_event ${kind} ${status} first_check`;
}

/** Hexadecimal digits. */
function hex(text: string): { readonly text: string } {
  return { text: Buffer.from(text).toString("hex") };
}

const RANGES = {
  expected_statuses: [
    { start: 200, end: 300 },
    { start: 401, end: 402 },
  ],
};
const RETRIABLE = { retriable_statuses: [{ start: 500, end: 600 }] };
const ABC_DEF = { receive: [hex("abc"), { binary: "ZGVm" }] };
const DEGRADED = response(200, "X-Envoy-Degraded: \r\n");
const LEAVE = "x-envoy-immediate-health-check-fail: true\r\n";

export const HTTP_CASES: readonly HealthCase[] = [
  {
    name: "one success is enough at first, later the threshold counts",
    check: http({}),
    answers: [OK, OK, response(500), OK, OK, OK],
    events: [FIRST, FINE, eject("ACTIVE", 500), fails("ACTIVE", 500), FINE, BACK, FINE],
    flags: "healthy",
  },
  {
    name: "a failure at first is no way back at once",
    check: http({}),
    answers: [response(503), OK, OK],
    events: [firstFails("ACTIVE", 503), FINE, BACK],
    flags: "healthy",
  },
  {
    name: "a success in between begins the count anew",
    check: http(RETRIABLE),
    answers: [OK, response(500), OK, response(501), response(599), response(400)],
    events: [
      FIRST,
      fails("ACTIVE", 500),
      FINE,
      fails("ACTIVE", 501),
      eject("ACTIVE", 599),
      fails("ACTIVE", 599),
      fails("ACTIVE", 400),
    ],
    flags: "/failed_active_hc",
  },
  {
    name: "statuses that are expected",
    check: http(RANGES),
    answers: [response(299), response(401), response(300), response(402), response(204)],
    events: [FIRST, FINE, eject("ACTIVE", 300), fails("ACTIVE", 300), fails("ACTIVE", 402), FINE],
    flags: "/failed_active_hc",
  },
  {
    name: "degraded and back",
    check: http({}),
    answers: [DEGRADED, DEGRADED, OK, DEGRADED],
    events: [
      FIRST,
      "degraded_healthy_host",
      FINE,
      FINE,
      "no_longer_degraded_host",
      FINE,
      "degraded_healthy_host",
    ],
    flags: "/degraded_active_hc",
  },
  {
    name: "the body says it, whole or in pieces",
    check: http({ ...ABC_DEF, ...RETRIABLE }),
    answers: [
      withBody(200, "--abc--def--"),
      CHUNKED,
      UNTIL_CLOSE,
      withBody(200, "def abc"),
      withBody(500, "abcdef"),
    ],
    events: [FIRST, FINE, FINE, eject("ACTIVE", 200), fails("ACTIVE", 200), fails("ACTIVE", 500)],
    flags: "/failed_active_hc",
  },
  {
    name: "what stands behind the buffer's end is not seen",
    check: http({ ...ABC_DEF, response_buffer_size: 10 }),
    answers: [withBody(200, "abc-def---"), withBody(200, "abc-----def")],
    events: [FIRST, eject("ACTIVE", 200), fails("ACTIVE", 200)],
    flags: "/failed_active_hc",
  },
  {
    name: "a buffer without bound sees all",
    check: http({ ...ABC_DEF, response_buffer_size: 0 }),
    answers: [withBody(200, `ab${"abc".padEnd(100_000, "-")}def`)],
    events: [FIRST],
    flags: "healthy",
  },
  {
    name: "a wrong body is a failure at once, whatever the status",
    check: http({ ...ABC_DEF, ...RETRIABLE }),
    answers: [withBody(200, "abcdef"), withBody(500, "no")],
    events: [FIRST, eject("ACTIVE", 500), fails("ACTIVE", 500)],
    flags: "/failed_active_hc",
  },
  {
    name: "a host that wants to be left alone",
    check: http({}),
    answers: [response(200, LEAVE), response(503, LEAVE), OK],
    events: [FIRST, eject("ACTIVE", 503), fails("ACTIVE", 503), FINE],
    flags: "/failed_active_hc/excluded_via_immediate_hc_fail",
  },
  {
    name: "a host that calls itself otherwise",
    check: http({ service_name_matcher: { prefix: "loc" } }),
    answers: [
      response(200, "X-Envoy-Upstream-Healthchecked-Cluster: locations\r\n"),
      response(200, "X-Envoy-Upstream-Healthchecked-Cluster: other\r\n"),
      OK,
    ],
    events: [FIRST, eject("ACTIVE", 200), fails("ACTIVE", 200), fails("ACTIVE", 200)],
    flags: "/failed_active_hc",
  },
  {
    name: "a body to send, headers to write and to leave out",
    check: http({
      path: "/check?a=ü",
      host: "checked.test",
      method: "POST",
      send: { text: "68c3BC" },
      request_headers_to_add: [
        { header: { key: "X-A", value: "%UPSTREAM_METADATA(e:k)% %PROTOCOL%" } },
        { header: { key: "x-b", value: "%DOWNSTREAM_REMOTE_ADDRESS% %RESPONSE_CODE% ü" } },
        {
          header: { key: "x-c", value: "%REQ(x-nothing)%%UPSTREAM_CLUSTER%" },
          keep_empty_value: true,
        },
      ],
      request_headers_to_remove: ["User-Agent"],
    }),
    answers: [OK],
    events: [FIRST],
    flags: "healthy",
  },
  ...(["HEAD", "PUT", "OPTIONS", "DELETE"] as const).map((method) => ({
    name: `a check by ${method}`,
    check: http({ method }),
    answers: [method === "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" : OK],
    events: [FIRST],
    flags: "healthy",
  })),
  {
    name: "an endpoint that is checked under another name",
    check: http({ host: "checked.test" }),
    endpoint: { health_check_config: { hostname: "own.test" } },
    answers: [OK],
    events: [FIRST],
    flags: "healthy",
  },
  {
    name: "names and targets as the cluster writes them",
    check: http({ request_headers_to_add: [{ header: { key: "x-some-name", value: "a" } }] }),
    cluster: {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicit_http_config: {
            http_protocol_options: {
              header_key_format: { proper_case_words: {} },
              send_fully_qualified_url: true,
            },
          },
        },
      },
    },
    answers: [OK],
    events: [FIRST],
    flags: "healthy",
  },
  {
    name: "a connection of its own for each check",
    check: { ...http({}), reuse_connection: false },
    answers: [OK, OK, response(500)],
    events: [FIRST, FINE, eject("ACTIVE", 500), fails("ACTIVE", 500)],
    flags: "/failed_active_hc",
  },
  {
    name: "answers after which a connection is not kept",
    check: http({}),
    answers: [
      response(200, "Connection: close\r\n"),
      "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
      response(200, "Proxy-Connection: Close\r\n"),
      { send: OK, end: "fin" },
      UNTIL_CLOSE,
      OK,
    ],
    events: [FIRST, FINE, FINE, FINE, FINE, FINE, FINE],
    flags: "healthy",
  },
  {
    name: "connections that break",
    check: http({}),
    answers: [
      OK,
      { end: "reset" },
      { end: "fin" },
      { send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", end: "fin" },
      { send: "HTTP/1.1 200 OK\r\nConte", end: "reset" },
    ],
    events: [
      FIRST,
      fails("NETWORK"),
      eject("NETWORK"),
      fails("NETWORK"),
      fails("NETWORK"),
      fails("NETWORK"),
    ],
    flags: "/failed_active_hc",
  },
  {
    name: "answers that are none",
    check: http({}),
    answers: [
      "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
    events: [firstFails("NETWORK"), fails("NETWORK"), fails("ACTIVE", 101), fails("NETWORK")],
    flags: "/failed_active_hc",
  },
  {
    name: "something before the answer",
    check: http({}),
    answers: [`HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}`, OK],
    events: [FIRST, FINE],
    flags: "healthy",
  },
  {
    name: "more than an answer",
    check: http({}),
    answers: [OK + response(500), OK],
    events: [FIRST, FINE],
    flags: "healthy",
  },
  {
    name: "half an answer in time",
    check: { ...http({}), ...SLOW, unhealthy_threshold: 1 },
    answers: [OK, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", response(500), OK, OK],
    events: [
      FIRST,
      eject("NETWORK_TIMEOUT"),
      fails("NETWORK_TIMEOUT"),
      fails("ACTIVE", 500),
      FINE,
      BACK,
    ],
    flags: "healthy",
    isEndless: true,
  },
  {
    name: "no answer in time",
    check: { ...http({}), ...SLOW },
    answers: [SILENCE, OK],
    events: [firstFails("NETWORK_TIMEOUT"), FINE],
    flags: "/failed_active_hc",
    isEndless: true,
  },
  {
    name: "an answer without end",
    check: { ...http({ ...ABC_DEF, response_buffer_size: 0 }), ...SLOW },
    answers: [
      (socket) => {
        const more = (): void => {
          if (!socket.destroyed) socket.write("ab".repeat(5000), () => setTimeout(more, 20));
        };
        socket.write("HTTP/1.1 200 OK\r\n\r\n", more);
      },
      withBody(200, "abcdef"),
    ],
    events: [firstFails("NETWORK_TIMEOUT"), FINE],
    flags: "/failed_active_hc/active_hc_timeout",
    isEndless: true,
  },
];

function tcp(options: object): object {
  return { tcp_health_check: options };
}

const PING = { send: hex("ping\n"), receive: [hex("po"), hex("ng")] };

export const TCP_CASES: readonly HealthCase[] = [
  ...["V1", "V2"].map((version) => ({
    name: `the PROXY protocol's header first, ${version}`,
    check: tcp({ ...PING, proxy_protocol_config: { version } }),
    answers: ["pong", "pong"],
    events: [FIRST, FINE],
    flags: "healthy",
  })),
  {
    name: "payloads in order, whatever stands between",
    check: tcp(PING),
    answers: ["pong", "..po..\u0000\u00ff..ng..", "pong"],
    events: [FIRST, FINE, FINE],
    flags: "healthy",
  },
  {
    name: "a connection of its own for each check",
    check: { ...tcp(PING), reuse_connection: false },
    answers: ["pong", "pong", { end: "fin" }],
    events: [FIRST, FINE, fails("NETWORK")],
    flags: "healthy",
  },
  {
    name: "hosts that hang up",
    check: tcp(PING),
    answers: ["pong", { end: "fin" }, { end: "reset" }, { send: "po", end: "fin" }, "pong", "pong"],
    events: [
      FIRST,
      fails("NETWORK"),
      eject("NETWORK"),
      fails("NETWORK"),
      fails("NETWORK"),
      FINE,
      BACK,
    ],
    flags: "healthy",
  },
  {
    name: "the wrong answer is none",
    check: { ...tcp(PING), ...SLOW },
    answers: ["pong", "ngpo", "pong"],
    events: [FIRST, fails("NETWORK_TIMEOUT"), FINE],
    flags: "healthy",
    isEndless: true,
  },
];
