import { get, post } from "./cases/request-text.ts";

import type { RouterListener } from "./router-bootstrap.ts";

/** A request through the routes of `router-bootstrap.ts`, and what becomes of it. */
export interface RouterCase {
  readonly name: string;
  readonly send: string;
  /** "main" when absent. */
  readonly listener?: RouterListener;
  readonly status: number;
  /** Requests that the upstream sees; 1 when absent. */
  readonly attempts?: number;
  /** Why Envoy does something else, where weft is stricter on purpose. */
  readonly stricter?: string;
  /** Whether the other upstream gets a copy. */
  readonly isCopied?: boolean;
}

/** The same request for the virtual host that tells more. */
function told(text: string): string {
  return text.replace("Host: a.test", "Host: told.test");
}

export const ROUTER_CASES: readonly RouterCase[] = [
  {
    name: "headers added, set and removed",
    send: get("/add", "X-Given: 1\r\nX-Gone: 1\r\nX-Set: old\r\nX-If-There: old\r\n"),
    status: 200,
  },
  { name: "headers added where some are absent", send: get("/add?q=1"), status: 200 },
  { name: "a header of the response removed", send: get("/add/removed"), status: 200 },
  { name: "headers that frame the response", send: get("/framing"), status: 200 },
  {
    name: "a header that would frame the request",
    send: get("/length"),
    status: 200,
    stricter: "Envoy announces a body that never comes",
  },
  { name: "no headers that frame the response", send: get("/unframed"), status: 200 },
  {
    name: "no headers that frame the request",
    send: post("/unframed", "Content-Length: 5\r\n", "hello"),
    status: 200,
  },
  { name: "headers of a direct response", send: get("/direct"), status: 403, attempts: 0 },
  { name: "headers of a redirect", send: get("/moved"), status: 301, attempts: 0 },
  { name: "headers of every level", send: get("/weighted"), status: 200 },
  { name: "a host of the route and of its cluster", send: get("/both-hosts"), status: 200 },
  { name: "headers of every level and host", send: told(get("/weighted")), status: 200 },
  {
    name: "a cluster named by a header",
    send: get("/by-header", "X-Cluster: up\r\n"),
    status: 200,
  },
  {
    name: "a route for gRPC",
    send: get("/by-kind", "X-Cluster: up\r\nContent-Type: application/grpc+proto\r\n"),
    status: 200,
  },
  {
    name: "no route of gRPC for its bridge",
    send: get("/by-kind", "X-Cluster: up\r\nContent-Type: application/grpc-web\r\n"),
    status: 404,
    attempts: 0,
  },
  {
    name: "a header that names no cluster",
    send: get("/by-header", "X-Cluster: nope\r\n"),
    status: 503,
    attempts: 0,
  },
  { name: "no header to name a cluster", send: get("/by-header"), status: 503, attempts: 0 },
  { name: "a host from a header", send: get("/host-header", "X-Host: h.test\r\n"), status: 200 },
  { name: "no header to take the host from", send: get("/host-header"), status: 200 },
  { name: "a host from the path", send: get("/host-path/abc?q=1"), status: 200 },
  { name: "a path that makes no host", send: get("/host-path"), status: 200 },
  { name: "the host of the upstream", send: get("/host-auto"), status: 200 },
  { name: "a host that is passed on", send: get("/host-forwarded"), status: 200 },
  {
    name: "a host that is passed on behind others",
    send: get("/host-forwarded", "X-Forwarded-Host: z.test\r\n"),
    status: 200,
  },
  {
    name: "a host that was passed on already",
    send: get("/host-forwarded", "X-Forwarded-Host: z.test,a.test\r\n"),
    status: 200,
  },
  { name: "a path rewritten by an expression", send: get("/regex/abc/d?q=1"), status: 200 },
  {
    name: "plain text where TLS is asked for",
    send: get("/add?q=1").replace("a.test", "secure.test"),
    status: 301,
    attempts: 0,
  },
  {
    name: "plain text behind TLS where TLS is asked for",
    send: get("/named", "X-Forwarded-Proto: https\r\n").replace("a.test", "secure.test"),
    status: 200,
  },
  {
    name: "plain text from outside where TLS is asked for",
    send: get("/x:80").replace("a.test", "outside.test"),
    status: 301,
    attempts: 0,
  },
  { name: "retries on 5xx", send: get("/retry-5xx"), status: 500, attempts: 3 },
  { name: "retries that are told", send: told(get("/retry-5xx")), status: 500, attempts: 3 },
  {
    name: "retries of a body",
    send: post("/retry-5xx", "Content-Length: 5\r\n", "hello"),
    status: 500,
    attempts: 3,
  },
  {
    name: "retries of a body in chunks",
    send: post("/retry-5xx", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    status: 500,
    attempts: 3,
  },
  { name: "retries on a gateway's error", send: get("/retry-gateway"), status: 502, attempts: 3 },
  { name: "no retry on another error", send: get("/retry-gateway/500"), status: 500 },
  { name: "retries on a conflict", send: get("/retry-4xx"), status: 409, attempts: 3 },
  { name: "retries on a status of the list", send: get("/retry-codes"), status: 418, attempts: 3 },
  { name: "retries on a header", send: get("/retry-headers"), status: 200, attempts: 3 },
  { name: "no retry without the request's header", send: get("/retry-request"), status: 500 },
  {
    name: "retries with the request's header",
    send: get("/retry-request", "X-Try: 1\r\n"),
    status: 500,
    attempts: 3,
  },
  { name: "retries on a reset", send: get("/retry-reset"), status: 503, attempts: 3 },
  { name: "retries at a rate limit", send: get("/retry-limited"), status: 429, attempts: 3 },
  { name: "no retry at a rate limit", send: get("/retry-not-limited"), status: 503 },
  { name: "retries on a gRPC status", send: get("/retry-grpc"), status: 200, attempts: 3 },
  { name: "a retry when the upstream says", send: get("/retry-after"), status: 503, attempts: 2 },
  { name: "retries on another host", send: get("/retry-refused"), status: 200 },
  { name: "retries that are used up", send: get("/refused"), status: 503, attempts: 0 },
  { name: "a timeout of each attempt", send: get("/try-timeout"), status: 504, attempts: 2 },
  {
    name: "a timeout of each attempt that is told",
    send: told(get("/try-timeout")),
    status: 504,
    attempts: 2,
  },
  { name: "a silence in each attempt", send: get("/try-idle"), status: 504, attempts: 2 },
  { name: "a timeout of the only attempt", send: get("/try-no-retry"), status: 504 },
  { name: "a timeout of the route", send: get("/slow"), status: 504 },
  { name: "the time that is left", send: get("/expected"), status: 500, attempts: 3 },
  { name: "a copy", send: get("/mirror"), status: 200, isCopied: true },
  {
    name: "a copy for a port",
    send: get("/mirror", "").replace("a.test", "a.test:80"),
    status: 404,
    attempts: 0,
  },
  {
    name: "a copy of a body",
    send: post("/mirror", "Content-Length: 5\r\nX-Forwarded-For: 1.2.3.4\r\n", "hello"),
    status: 200,
    isCopied: true,
  },
  {
    name: "a copy of a body in chunks",
    send: post("/mirror", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    status: 200,
    isCopied: true,
  },
  { name: "a copy for the same host", send: get("/mirror-plain"), status: 200, isCopied: true },
  {
    name: "a copy where a header says",
    send: get("/mirror-header", "X-Copy: shadow\r\n"),
    status: 200,
    isCopied: true,
  },
  { name: "no copy where no header says", send: get("/mirror-header"), status: 200 },
  { name: "a copy that is never made", send: get("/mirror-never"), status: 200 },
  { name: "a copy to nowhere", send: get("/mirror-nowhere"), status: 200 },
  { name: "a redirect that is followed", send: get("/follow"), status: 200, attempts: 2 },
  {
    name: "a redirect that is followed with a body",
    send: post("/follow", "Content-Length: 5\r\n", "hello"),
    status: 200,
    attempts: 2,
  },
  { name: "a redirect in a circle", send: get("/follow/loop"), status: 302, attempts: 3 },
  { name: "a redirect without a host", send: get("/follow/relative"), status: 302 },
  { name: "a redirect to another scheme", send: get("/follow/https"), status: 302 },
  { name: "a redirect to no virtual host", send: get("/follow/nowhere"), status: 302 },
  { name: "a redirect without a place", send: get("/follow/none"), status: 302 },
  {
    name: "a redirect to see something else",
    send: post("/see-other", "Content-Length: 5\r\n", "hello"),
    status: 200,
    attempts: 2,
  },
  {
    name: "a redirect that brings headers",
    send: get("/copied", "X-Absent: 1\r\n"),
    status: 200,
    attempts: 2,
  },
  { name: "a redirect to a route that is not listed", send: get("/picky"), status: 302 },
  {
    name: "a redirect to a route that is listed",
    send: get("/picky/named"),
    status: 200,
    attempts: 2,
  },
  { name: "levels turned round", listener: "specific", send: get("/weighted"), status: 200 },
  {
    name: "levels and host turned round",
    listener: "specific",
    send: told(get("/weighted")),
    status: 200,
  },
  ...insideCases(),
];

/** What those inside may ask of the router by headers. */
function insideCases(): readonly RouterCase[] {
  const cases: readonly (readonly [
    path: string,
    lines: string,
    status: number,
    attempts: number,
  ])[] = [
    ["/plain-500", "X-Envoy-Retry-On: 5xx\r\n", 500, 2],
    ["/plain-500", "X-Envoy-Retry-On: 5xx\r\nX-Envoy-Max-Retries: 3\r\n", 500, 4],
    ["/plain-500", "X-Envoy-Max-Retries: 3\r\n", 500, 1],
    ["/retry-5xx", "X-Envoy-Max-Retries: 0\r\n", 500, 1],
    [
      "/plain-418",
      "X-Envoy-Retry-On: retriable-status-codes\r\nX-Envoy-Retriable-Status-Codes: 418\r\n",
      418,
      2,
    ],
    [
      "/plain-418",
      "X-Envoy-Retry-On: retriable-headers\r\nX-Envoy-Retriable-Header-Names: X-Again\r\n",
      418,
      2,
    ],
    ["/plain-418", "X-Envoy-Retry-On: 5xx, nonsense\r\n", 418, 1],
    ["/plain-grpc", "X-Envoy-Retry-Grpc-On: resource-exhausted\r\n", 200, 2],
    ["/plain-close", "X-Envoy-Retry-On: reset\r\n", 503, 2],
    ["/plain-slow", "X-Envoy-Upstream-Rq-Timeout-Ms: 150\r\n", 504, 1],
    [
      "/plain-slow",
      "X-Envoy-Upstream-Rq-Timeout-Ms: 150\r\nX-Envoy-Upstream-Rq-Timeout-Alt-Response: 1\r\n",
      204,
      1,
    ],
    [
      "/plain-slow",
      "X-Envoy-Upstream-Rq-Timeout-Ms: 400\r\nX-Envoy-Upstream-Rq-Per-Try-Timeout-Ms: 100\r\nX-Envoy-Retry-On: 5xx\r\n",
      504,
      2,
    ],
    [
      "/named",
      "X-Envoy-Upstream-Rq-Timeout-Ms: 9000\r\nX-Envoy-Expected-Rq-Timeout-Ms: 77\r\n",
      200,
      1,
    ],
    [
      "/named",
      "X-Envoy-Original-Url: x\r\nX-Envoy-Decorator-Operation: y\r\nX-Envoy-Ip-Tags: z\r\n",
      200,
      1,
    ],
    ["/follow", "X-Forwarded-For: 10.0.0.1\r\n", 200, 2],
  ];
  return cases.map(([path, lines, status, attempts]) => ({
    name: `${path} from inside with ${lines.replaceAll("\r\n", "; ")}`,
    listener: "inside",
    send: get(path, lines),
    status,
    attempts,
  }));
}
