import type { DifferentialCase } from "../differential-case.ts";
import { get, HOST_LINE } from "./request-text.ts";

const METHODS = ["DELETE", "OPTIONS", "TRACE", "PUT", "PATCH", "POST", "PROPFIND"];

/** Routes, local replies and what headers become. */
export const ROUTING_CASES: readonly DifferentialCase[] = [
  {
    name: "a plain request",
    send: get("/x?q=1", "User-Agent: Foo\r\nX-Foo_Bar: A\r\n"),
    status: [200],
  },
  { name: "a prefix with a query", send: get("/query?a"), status: [200] },
  { name: "a path with a query", send: get("/query?b"), status: [200] },
  { name: "a path rewritten to more than ASCII", send: get("/foreign/x"), status: [200] },
  { name: "a host rewritten to more than ASCII", send: get("/abroad"), status: [200] },
  { name: "a redirect to more than ASCII", send: get("/far?q"), status: [301] },
  { name: "a redirect that leaves the path", send: get("/stays/x?q"), status: [301] },
  {
    name: "a header beyond ASCII",
    send: get("/name", "End-User: \xc3\xa9\xe4\xb8\xad\r\n"),
    status: [205],
  },
  {
    name: "a header beyond ASCII in any case",
    send: get("/any-case", "End-User: \xc3\x89-a\r\n"),
    status: [205],
  },
  {
    name: "a letter beyond ASCII in another case",
    send: get("/any-case", "End-User: \xc3\xa9-a\r\n"),
    status: [200],
  },
  { name: "a missing header that counts as empty", send: get("/counts"), status: [205] },
  { name: "no virtual host", send: "GET / HTTP/1.1\r\nHost: nope\r\n\r\n", status: [404] },
  {
    name: "another port than the domain's",
    send: "GET / HTTP/1.1\r\nHost: a.test:81\r\n\r\n",
    status: [404],
  },
  {
    name: "the domain with its port, in capitals",
    send: "GET / HTTP/1.1\r\nHost: A.TEST:80\r\n\r\n",
    status: [200],
  },
  { name: "a wildcard domain", send: "GET / HTTP/1.1\r\nHost: x.wild.test\r\n\r\n", status: [203] },
  {
    name: "a wildcard domain without a prefix",
    send: "GET / HTTP/1.1\r\nHost: .wild.test\r\n\r\n",
    status: [404],
  },
  { name: "an unknown cluster", send: get("/no-cluster"), status: [503] },
  { name: "a cluster without hosts", send: get("/empty"), status: [503] },
  { name: "a host that refuses", send: get("/refused"), status: [503] },
  { name: "a direct response", send: get("/direct"), status: [418] },
  {
    name: "a direct response to HEAD",
    send: `HEAD /direct HTTP/1.1\r\n${HOST_LINE}\r\n`,
    methods: ["HEAD"],
    status: [418],
  },
  { name: "a direct response without a body", send: get("/bare"), status: [502] },
  { name: "a route timeout", send: get("/silent"), status: [504] },
  { name: "a route without a timeout", send: get("/no-timeout"), status: [200] },
  { name: "a redirect to a path", send: get("/redirect?a=1"), status: [301] },
  { name: "a redirect to https", send: get("/https/x"), status: [308] },
  { name: "a redirect to another host and prefix", send: get("/moved/a?b"), status: [301] },
  { name: "a rewritten prefix", send: get("/rewrite/a?b"), status: [200] },
  { name: "a rewritten host", send: get("/host"), status: [200] },
  {
    name: "a header that a route asks for",
    send: get("/user", "End-User: jason\r\n"),
    status: [206],
  },
  { name: "another value of that header", send: get("/user", "End-User: jane\r\n"), status: [200] },
  {
    name: "that header twice, either of which may match",
    send: get("/user", "End-User: jason\r\nEnd-User: jane\r\n"),
    status: [206],
  },
  { name: "a regular expression", send: get("/re/12?x"), status: [202] },
  { name: "a regular expression that matches a part", send: get("/re/12x"), status: [200] },
  ...(
    [
      ["/not-user", "jason", "jane", 200],
      ["/not-user", "jill", "jane", 205],
      ["/joined", "jason", "jane", 200],
      ["/joined", "jason,jane", "x", 205],
      ["/contains", "jason", "jane", 200],
      ["/regex", "jason", "jane", 205],
      ["/range", "9", "3", 205],
      ["/absent", "a", "b", 200],
    ] as const
  ).map(([path, first, second, status]) => ({
    name: `the header twice, ${first} and ${second}, on ${path}`,
    send: get(path, `End-User: ${first}\r\nEnd-User: ${second}\r\n`),
    status: [status],
  })),
  ...(
    [
      ["/not-user", 200],
      ["/absent", 205],
      ["/not-present", 205],
      ["/blank", 205],
      ["/not-missing", 205],
      ["/regex", 200],
    ] as const
  ).map(([path, status]) => ({
    name: `no header on ${path}`,
    send: get(path),
    status: [status],
  })),
  { name: "a direct 201", send: get("/created?x"), status: [201] },
  { name: "a direct 302", send: get("/elsewhere"), status: [302] },
  {
    name: "an attempt count",
    send: "GET /x HTTP/1.1\r\nHost: counted.test\r\n\r\n",
    status: [200],
  },
  {
    name: "a status that is tried again",
    send: "GET /retry-503 HTTP/1.1\r\nHost: counted.test\r\n\r\n",
    status: [500],
  },
  {
    name: "repeated headers",
    send: get("/x", "X: a\r\nX: b\r\nCookie: a=1\r\nCookie: b=2\r\n"),
    status: [200],
  },
  { name: "blanks around a value", send: get("/x", "X:  a b \t \r\nY:\r\n"), status: [200] },
  { name: "a long path", send: get(`/${"a".repeat(9000)}`), status: [200] },
  { name: "odd characters in a path", send: get('/x<>"{}|^`\\'), status: [200] },
  { name: "percent signs in a path", send: get("/x%zz%00%2f"), status: [200] },
  { name: "dots in a path, as they are", send: get("/a/../b//c/./d"), status: [200] },
  {
    name: "headers of this hop",
    send: get(
      "/x",
      "Connection: keep-alive, x-foo\r\nX-Foo: 1\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n" +
        "TE: trailers, gzip\r\nUpgrade-Insecure-Requests: 1\r\n",
    ),
    status: [200],
  },
  {
    name: "headers that the router obeys, from a stranger",
    send: get(
      "/x",
      "X-Envoy-Internal: true\r\nX-Envoy-Retry-On: 5xx\r\nX-Envoy-Max-Retries: 3\r\n" +
        "X-Envoy-Upstream-Rq-Timeout-Ms: 5\r\nX-Envoy-Expected-Rq-Timeout-Ms: 5\r\n" +
        "X-Envoy-Decorator-Operation: zz\r\nX-Envoy-Original-Path: /z\r\nX-Envoy-Attempt-Count: 3\r\n" +
        "X-Envoy-Downstream-Service-Cluster: c\r\nX-Envoy-External-Address: 1.1.1.1\r\n",
    ),
    status: [200],
  },
  {
    name: "what proxies before said",
    send: get(
      "/x",
      "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: q\r\nX-Request-Id: abc\r\nX-Forwarded-Client-Cert: z\r\n",
    ),
    status: [200],
  },
  {
    name: "a redirect of what was https before",
    send: get("/redirect", "X-Forwarded-Proto: https\r\n"),
    status: [301],
  },
  ...METHODS.map((method) => ({
    name: `${method} without a body`,
    send: `${method} /x HTTP/1.1\r\n${HOST_LINE}\r\n`,
    status: [200],
  })),
];
