import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";

const SHORT = "0.3s";
const SHORT_MS = 300;
const HEAD_ONLY = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi";

function common(options: object): object {
  return { common_http_protocol_options: options };
}

/** What a route says counts, whatever the connection manager has. */
const OF_ROUTES: readonly OptionCase[] = [
  { idle_timeout: SHORT },
  { max_stream_duration: { max_stream_duration: SHORT } },
].flatMap((limit) => {
  const [name = ""] = Object.keys(limit);
  const options = { stream_idle_timeout: "3s", ...common({ max_stream_duration: "3s" }) };
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", ...limit } }];
  const shared = { options, routes, waitsMs: SHORT_MS };
  return [
    {
      name: `${name} of a route and half a body`,
      ...shared,
      send: post("/x", "Content-Length: 10\r\n", "hi"),
      status: [408],
    },
    {
      name: `${name} of a route and a silent upstream`,
      ...shared,
      scripts: { "/quiet": {} },
      send: get("/quiet"),
      status: [504],
    },
    {
      name: `${name} of a route and half an answer`,
      ...shared,
      scripts: { "/half": { send: HEAD_ONLY } },
      send: get("/half"),
      status: [],
    },
  ];
});

/** How long connection managers and routes wait, and what slow peers get. */
export const TIME_OPTIONS: readonly OptionCase[] = [
  ...OF_ROUTES,
  {
    name: "max_stream_duration of a route in place of its timeout",
    options: {},
    routes: [
      {
        match: { prefix: "/quiet" },
        route: {
          cluster: "up",
          timeout: "0.05s",
          max_stream_duration: { max_stream_duration: SHORT },
        },
      },
    ],
    scripts: { "/quiet": {} },
    send: get("/quiet"),
    waitsMs: SHORT_MS,
    status: [504],
  },
  {
    name: "request_headers_timeout",
    options: { request_headers_timeout: SHORT },
    send: "GET /x HTTP/1.1\r\nHost: a",
    waitsMs: SHORT_MS,
    status: [408],
  },
  {
    name: "request_headers_timeout and a head byte by byte",
    options: { request_headers_timeout: SHORT },
    send: "GET /x HTTP/1.1\r\nHost: a.test\r\n".split(""),
    waitsMs: SHORT_MS,
    status: [408],
  },
  {
    name: "request_timeout and half a body",
    options: { request_timeout: SHORT },
    send: post("/x", "Content-Length: 10\r\n", "hi"),
    waitsMs: SHORT_MS,
    status: [408],
  },
  {
    name: "request_timeout after the request",
    options: { request_timeout: "0.1s", stream_idle_timeout: SHORT },
    scripts: { "/quiet": {} },
    send: get("/quiet"),
    waitsMs: SHORT_MS,
    status: [504],
  },
  {
    name: "stream_idle_timeout and half a body",
    options: { stream_idle_timeout: SHORT },
    send: post("/x", "Content-Length: 10\r\n", "hi"),
    waitsMs: SHORT_MS,
    status: [408],
  },
  {
    name: "stream_idle_timeout and a silent upstream",
    options: { stream_idle_timeout: SHORT },
    scripts: { "/quiet": {} },
    send: get("/quiet"),
    waitsMs: SHORT_MS,
    status: [504],
  },
  {
    name: "stream_idle_timeout and half an answer",
    options: { stream_idle_timeout: SHORT },
    scripts: { "/half": { send: HEAD_ONLY } },
    send: get("/half"),
    waitsMs: SHORT_MS,
    status: [],
  },
  {
    name: "max_stream_duration and half a body",
    options: common({ max_stream_duration: SHORT }),
    send: post("/x", "Content-Length: 10\r\n", "hi"),
    waitsMs: SHORT_MS,
    status: [408],
  },
  {
    name: "max_stream_duration and a silent upstream",
    options: common({ max_stream_duration: SHORT }),
    scripts: { "/quiet": {} },
    send: get("/quiet"),
    waitsMs: SHORT_MS,
    status: [504],
  },
  {
    name: "max_stream_duration and half an answer",
    options: common({ max_stream_duration: SHORT }),
    scripts: { "/half": { send: HEAD_ONLY } },
    send: get("/half"),
    waitsMs: SHORT_MS,
    status: [],
  },
  {
    name: "max_requests_per_connection",
    options: common({ max_requests_per_connection: 2 }),
    send: [get("/1"), get("/2"), get("/3")],
    status: [200, 200],
  },
  {
    name: "max_requests_per_connection, sent ahead",
    options: common({ max_requests_per_connection: 2 }),
    send: get("/1") + get("/2") + get("/3"),
    status: [200, 200],
  },
  {
    name: "max_connection_duration without a request",
    options: common({ max_connection_duration: SHORT }),
    send: "",
    waitsMs: SHORT_MS,
    status: [],
  },
  {
    name: "idle_timeout",
    options: common({ idle_timeout: SHORT }),
    send: "",
    waitsMs: SHORT_MS,
    status: [],
  },
  {
    name: "a flood of interim responses",
    options: { stream_idle_timeout: "1s" },
    scripts: {
      "/flood": {
        send: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(20_000),
      },
    },
    send: get("/flood"),
    waitsMs: 1000,
    status: [504],
  },
];
