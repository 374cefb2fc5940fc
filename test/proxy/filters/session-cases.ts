import { get } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { casesOf, filters, own, route, toOwn, typed } from "./filter-case.ts";

const TYPE = "stateful_session.v3.StatefulSession";
const OF_ROUTE = "stateful_session.v3.StatefulSessionPerRoute";
const STATES = "type.googleapis.com/envoy.extensions.http.stateful_session";
const STATS = "stateful_session";
const OK = [200];

function byHeader(name = "x-session"): object {
  return {
    name: "envoy.http.stateful_session.header",
    typed_config: { "@type": `${STATES}.header.v3.HeaderBasedSessionState`, name },
  };
}

function byCookie(cookie: object): object {
  return {
    name: "envoy.http.stateful_session.cookie",
    typed_config: { "@type": `${STATES}.cookie.v3.CookieBasedSessionState`, cookie },
  };
}

function sessions(state: object | undefined, more: object = {}): object {
  const session = { ...(state && { session_state: state }), stat_prefix: "s", ...more };
  return filters(own(TYPE, session));
}

/** Nobody listens at the first; a session leads to the second, which does. */
const DEAD_KEY = "127.0.0.77:1";
const ELSEWHERE = "127.0.0.78:1";

function base64(text: string): string {
  return Buffer.from(text, "latin1").toString("base64");
}

function header(key: string): string {
  return `X-Session: ${base64(key)}\r\n`;
}

/** A cookie as Envoy writes it: field 1 is the address, field 2 the end of its time. */
function cookie(key: string, expires = ""): string {
  return `Cookie: a=b; s="${base64(`\n${String.fromCharCode(key.length)}${key}${expires}`)}"\r\n`;
}

const LONG_AGO = "\x10\x01";
const FAR_AWAY = "\x10\xff\xff\xff\xff\x7f";

function dead(status: string, more: object = {}): object {
  const address = { socket_address: { address: "127.0.0.77", port_value: 1 } };
  return {
    connect_timeout: "1s",
    ...more,
    load_assignment: {
      cluster_name: "up",
      endpoints: [{ lb_endpoints: [{ endpoint: { address }, health_status: status }] }],
    },
  };
}

/** The proxy's own port is not known here, nor is the upstream's: they are not compared. */
const TELLS = { ignoredHeaders: ["x-session", "set-cookie"] };

export const SESSION_CASES: readonly OptionCase[] = [
  ...casesOf({ options: sessions(byHeader()), stats: STATS, ...TELLS }, [
    { name: "session: a header that is not there", send: get("/x"), status: OK },
    {
      name: "session: a header for a host that is gone",
      send: get("/x", header(ELSEWHERE)),
      status: OK,
    },
    {
      name: "session: a header that is no base64",
      send: get("/x", "X-Session: ?\r\n"),
      status: OK,
    },
    { name: "session: an empty header", send: get("/x", "X-Session:\r\n"), status: OK },
  ]),
  ...casesOf({ options: sessions(byHeader()), cluster: dead("HEALTHY"), stats: STATS }, [
    { name: "session: at a host that refuses", send: get("/x", header(DEAD_KEY)), status: [503] },
    { name: "session: tells of a host that refuses", send: get("/x"), status: [503] },
  ]),
  ...casesOf({ options: sessions(byHeader(), { strict: true }), stats: STATS, ...TELLS }, [
    { name: "session: strict and gone", send: get("/x", header(ELSEWHERE)), status: [503] },
    { name: "session: strict without a header", send: get("/x"), status: OK },
  ]),
  ...casesOf(
    {
      options: sessions(byHeader(), { strict: true, status_on_strict_destination_not_found: 418 }),
      ...TELLS,
    },
    [
      {
        name: "session: strict and gone, with a status",
        send: get("/x", header(ELSEWHERE)),
        status: [418],
      },
    ],
  ),
  ...["UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED", "UNKNOWN"].map((status) => ({
    name: `session: at a host that is ${status}`,
    options: sessions(byHeader(), { strict: true }),
    cluster: dead(status, { common_lb_config: { healthy_panic_threshold: { value: 0 } } }),
    send: get("/x", header(DEAD_KEY)),
    status: [503],
    stats: "upstream_cx_total",
  })),
  ...(
    [
      ["DRAINING", ["DRAINING"]],
      ["HEALTHY", ["DRAINING"]],
      ["HEALTHY", []],
      ["UNHEALTHY", ["HEALTHY", "UNHEALTHY"]],
    ] as const
  ).map(([status, statuses]) => ({
    name: `session: a host that is ${status} where ${statuses.join(", ") || "nothing"} will do`,
    options: sessions(byHeader(), { strict: true }),
    cluster: dead(status, {
      common_lb_config: {
        healthy_panic_threshold: { value: 0 },
        override_host_status: { statuses },
      },
    }),
    send: get("/x", header(DEAD_KEY)),
    status: [503],
    stats: "upstream_cx_total",
  })),
  ...casesOf(
    {
      options: sessions(
        byCookie({
          name: "s",
          ttl: "60s",
          path: "/a",
          attributes: [{ name: "SameSite", value: "Lax" }, { name: "Secure" }],
        }),
      ),
      cluster: dead("HEALTHY"),
      stats: STATS,
      // It says when it ends.
      ignoredHeaders: ["set-cookie"],
    },
    [
      { name: "session: a cookie for another path", send: get("/b"), status: [503] },
      { name: "session: a cookie for the beginning of a name", send: get("/ab"), status: [503] },
      { name: "session: a cookie for a path below", send: get("/a/b"), status: [503] },
      { name: "session: a cookie for a path with a query", send: get("/a?b"), status: [503] },
      { name: "session: a cookie that is there", send: get("/a", cookie(DEAD_KEY)), status: [503] },
    ],
  ),
  ...casesOf(
    {
      options: sessions(byCookie({ name: "s", path: "/", attributes: [{ name: "Secure" }] })),
      cluster: dead("HEALTHY"),
      stats: STATS,
    },
    [
      { name: "session: a new cookie", send: get("/x"), status: [503] },
      { name: "session: a known cookie", send: get("/x", cookie(DEAD_KEY)), status: [503] },
      {
        name: "session: a cookie whose time is over",
        send: get("/x", cookie(DEAD_KEY, LONG_AGO)),
        status: [503],
      },
      {
        name: "session: a cookie with time left",
        send: get("/x", cookie(DEAD_KEY, FAR_AWAY)),
        status: [503],
      },
      {
        name: "session: a cookie of nothing but an address",
        send: get("/x", `Cookie: s=${base64(DEAD_KEY)}\r\n`),
        status: [503],
      },
      {
        name: "session: a cookie that is garbage",
        send: get("/x", "Cookie: s=garbage\r\n"),
        status: [503],
      },
    ],
  ),
  {
    name: "session: none where nothing keeps one",
    options: sessions(undefined),
    send: get("/x", header(ELSEWHERE)),
    status: OK,
    stats: STATS,
  },
  {
    name: "session: none for a route",
    options: sessions(byHeader(), { strict: true }),
    routes: [route(toOwn(OF_ROUTE, { disabled: true }))],
    send: get("/x", header(ELSEWHERE)),
    status: OK,
    stats: STATS,
  },
  {
    name: "session: another one for a route",
    options: sessions(byHeader()),
    routes: [
      route(
        toOwn(OF_ROUTE, { stateful_session: { session_state: byHeader("x-other"), strict: true } }),
      ),
    ],
    send: get("/x", `${header(ELSEWHERE)}X-Other: ${base64(ELSEWHERE)}\r\n`),
    status: [503],
    stats: STATS,
  },
  {
    name: "session: a retry goes elsewhere",
    options: sessions(byHeader()),
    cluster: dead("HEALTHY"),
    routes: [
      {
        match: { prefix: "/" },
        route: { cluster: "up", retry_policy: { retry_on: "connect-failure", num_retries: 1 } },
      },
    ],
    send: get("/x", header(DEAD_KEY)),
    status: [503],
    stats: STATS,
  },
  {
    name: "session: a local reply of another filter",
    options: filters(own(TYPE, { session_state: byHeader(), stat_prefix: "s" }), {
      name: "fault",
      typed_config: typed("fault.v3.HTTPFault", {
        abort: { http_status: 418, percentage: { numerator: 100 } },
      }),
    }),
    routes: [],
    send: get("/x", header(ELSEWHERE)),
    status: [418],
    stats: STATS,
  },
];
