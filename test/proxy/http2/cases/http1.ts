/** A request over HTTP/1.1 whose upstream speaks HTTP/2. */
export interface Http1Case {
  readonly name: string;
  /** Latin-1; several parts wait for one another. */
  readonly send: string | readonly string[];
  /** The status of every answer, interim ones included. */
  readonly status: readonly number[];
  readonly methods?: readonly string[];
}

const ask = (path: string, rest = "", method = "GET"): string =>
  `${method} ${path} HTTP/1.1\r\nHost: two.test\r\n${rest}\r\n`;

/** What goes from one version to the other. */
export const HTTP1_CASES: readonly Http1Case[] = [
  { name: "a GET", send: ask("/"), status: [200] },
  { name: "a HEAD", send: ask("/", "", "HEAD"), status: [200], methods: ["HEAD"] },
  { name: "two in turn", send: [ask("/"), ask("/parts")], status: [200, 200] },
  {
    name: "a body with a length",
    send: `${ask("/echo", "Content-Length: 3\r\n", "POST")}abc`,
    status: [200],
  },
  {
    name: "a body in chunks",
    send: `${ask("/echo", "Transfer-Encoding: chunked\r\n", "POST")}3\r\nabc\r\n0\r\n\r\n`,
    status: [200],
  },
  {
    name: "trailers",
    send: `${ask("/echo", "Transfer-Encoding: chunked\r\n", "POST")}3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n`,
    status: [200],
  },
  { name: "an empty body", send: ask("/echo", "Content-Length: 0\r\n", "POST"), status: [200] },
  { name: "trailers of the answer", send: ask("/trailers"), status: [200] },
  { name: "trailers without a body", send: ask("/only-trailers"), status: [200] },
  { name: "an answer of a head", send: ask("/empty"), status: [200] },
  { name: "204", send: ask("/204"), status: [204] },
  { name: "304", send: ask("/304"), status: [304] },
  { name: "500", send: ask("/500"), status: [500] },
  { name: "a length of the answer", send: ask("/length"), status: [200] },
  { name: "cookies", send: ask("/hop", "Cookie: a=1\r\nCookie: b=2\r\n"), status: [200] },
  {
    name: "headers of one hop",
    send: ask("/", "Connection: x-a\r\nX-A: 1\r\nTE: trailers\r\n"),
    status: [200],
  },
  { name: "a large answer", send: ask("/large"), status: [200] },
  { name: "a stream that is reset", send: ask("/reset"), status: [503] },
  { name: "a stream that is reset behind the head", send: ask("/reset-head"), status: [] },
  { name: "a stream that is reset in the body", send: ask("/reset-body"), status: [] },
  { name: "a connection that is closed", send: ask("/destroy"), status: [503] },
  { name: "a route timeout", send: ask("/silent"), status: [504] },
  { name: "retries", send: ask("/again500"), status: [500] },
  { name: "upper case names", send: ask("/", "X-UPPER: Value\r\n"), status: [200] },
  {
    name: "a WebSocket",
    send: ask(
      "/websocket",
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n",
    ),
    status: [101],
  },
  {
    name: "a WebSocket that is refused",
    send: ask("/websocket-refused", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    status: [403],
  },
  {
    name: "an upgrade that nobody allows",
    send: ask("/", "Connection: Upgrade\r\nUpgrade: x\r\n"),
    status: [403],
  },
  {
    name: "gRPC",
    send: `${ask("/grpc.Test/Ok", "Content-Type: application/grpc\r\nContent-Length: 6\r\n", "POST")}\0\0\0\0\x01a`,
    status: [200],
  },
  {
    name: "expect: 100-continue",
    send: `${ask("/echo", "Expect: 100-continue\r\nContent-Length: 3\r\n", "POST")}abc`,
    status: [100, 200],
  },
];
