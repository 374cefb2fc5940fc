import type { H2Case } from "../h2-case.ts";
import type { H2Request } from "../h2-client.ts";

const one = (path: string, more: Partial<H2Request> = {}, headers: object = {}): H2Request => ({
  headers: { ":path": path, ":authority": "one.test", ...headers },
  ...more,
});

/** What clients of HTTP/2 do, to an upstream of HTTP/1.1 where it goes that far. */
export const STREAM_CASES: readonly H2Case[] = [
  { name: "a GET", requests: [one("/")], status: [200] },
  { name: "a HEAD", requests: [one("/", {}, { ":method": "HEAD" })], status: [200] },
  { name: "a query", requests: [one("/a/b?x=1&y=%20")], status: [200] },
  { name: "a POST", requests: [one("/", { body: ["abc"] }, { ":method": "POST" })], status: [200] },
  {
    name: "a POST in parts",
    requests: [one("/", { body: ["abc", "def", "ghi"] }, { ":method": "POST" })],
    status: [200],
  },
  {
    name: "a POST with a length",
    requests: [one("/", { body: ["abc"] }, { ":method": "POST", "content-length": "3" })],
    status: [200],
  },
  {
    name: "an empty POST",
    requests: [one("/", { body: [] }, { ":method": "POST" })],
    status: [200],
  },
  {
    name: "a POST that ends with its head",
    requests: [one("/", {}, { ":method": "POST" })],
    status: [200],
  },
  {
    name: "a large POST",
    requests: [one("/", { body: [Buffer.alloc(200_000, "a")] }, { ":method": "POST" })],
    status: [200],
  },
  { name: "a DELETE", requests: [one("/", {}, { ":method": "DELETE" })], status: [200] },
  {
    name: "a PUT with trailers",
    requests: [one("/", { body: ["abc"], trailers: { "x-end": "1" } }, { ":method": "PUT" })],
    status: [200],
  },
  { name: "OPTIONS *", requests: [one("*", {}, { ":method": "OPTIONS" })], status: [404] },
  { name: "a direct response", requests: [one("/direct")], status: [418] },
  {
    name: "a direct response to HEAD",
    requests: [one("/direct", {}, { ":method": "HEAD" })],
    status: [418],
  },
  {
    name: "a direct response to a POST",
    requests: [one("/direct", { body: ["abc"] }, { ":method": "POST" })],
    status: [418],
  },
  { name: "204 from here", requests: [one("/bare")], status: [204] },
  { name: "a redirect", requests: [one("/moved?a=b")], status: [301] },
  {
    name: "no host for it",
    requests: [{ headers: { ":authority": "three.test" } }],
    status: [404],
  },
  {
    name: "a host with a port",
    requests: [{ headers: { ":authority": "one.test:81" } }],
    status: [200],
  },
  { name: "no cluster", requests: [one("/nowhere")], status: [503] },
  { name: "a host that refuses", requests: [one("/refused")], status: [503] },
  { name: "a route timeout", requests: [one("/silent")], status: [504] },
  { name: "an idle stream", requests: [one("/idle")], status: [504] },
  { name: "a stream that lasts too long", requests: [one("/long")], status: [504] },
  { name: "garbage from the upstream", requests: [one("/garbage")], status: [502] },
  { name: "an upstream that closes", requests: [one("/close")], status: [503] },
  { name: "an answer in chunks", requests: [one("/chunked")], status: [200] },
  { name: "an answer until the end", requests: [one("/eof")], status: [200] },
  { name: "an answer that is cut off", requests: [one("/cut")], status: [200] },
  { name: "chunks that are cut off", requests: [one("/cut-chunks")], status: [200] },
  { name: "a chunk that is none", requests: [one("/bad-chunk")], status: [200] },
  { name: "204", requests: [one("/204")], status: [204] },
  { name: "304", requests: [one("/304")], status: [304] },
  { name: "500", requests: [one("/500")], status: [500] },
  { name: "headers of one hop", requests: [one("/hop")], status: [200] },
  { name: "retries", requests: [one("/again500")], status: [500] },
  {
    name: "an early answer",
    requests: [one("/early", { body: ["abc", "def"] }, { ":method": "POST" })],
    status: [200],
    // How much of the body the upstream has seen by then is chance.
    ignores: ["upstream", "log"],
  },
  { name: "changed heads", requests: [one("/changed")], status: [200] },
  {
    name: "many headers",
    requests: [
      one(
        "/",
        {},
        Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`x-h${at}`, `v${at}`])),
      ),
    ],
    status: [200],
  },
  {
    name: "cookies",
    requests: [one("/", {}, { cookie: ["a=1", "b=2", "c=3"] })],
    status: [200],
  },
  {
    name: "what the client says of itself",
    requests: [
      one(
        "/",
        {},
        {
          "x-forwarded-for": "1.2.3.4",
          "x-forwarded-proto": "https",
          "x-request-id": "mine",
          "user-agent": "me",
        },
      ),
    ],
    status: [200],
  },
  {
    name: "the same at the edge",
    listener: "edge",
    requests: [
      one(
        "/",
        {},
        { "x-forwarded-for": "1.2.3.4", "x-envoy-max-retries": "9", "x-request-id": "mine" },
      ),
    ],
    status: [200],
  },
  { name: "te: trailers", requests: [one("/", {}, { te: "trailers" })], status: [200] },
  {
    name: "expect: 100-continue",
    requests: [one("/", { body: ["abc"] }, { ":method": "POST", expect: "100-continue" })],
    status: [200],
  },
  {
    name: "ten at once",
    requests: Array.from({ length: 10 }, (_, at) => one(`/n?${at}`)),
    status: Array.from({ length: 10 }, () => 200),
    // They arrive in any order.
    ignores: ["upstream"],
  },
  {
    name: "five in turn",
    requests: Array.from({ length: 5 }, (_, at) => one(`/n?${at}`)),
    status: [200, 200, 200, 200, 200],
    inTurn: true,
  },
  { name: "both versions on one port", listener: "auto", requests: [one("/")], status: [200] },
  {
    name: "a header that is too large",
    listener: "tight",
    requests: [one("/", {}, { "x-large": "x".repeat(9_000) })],
    status: [0],
    ignores: ["log"],
  },
  {
    name: "too many headers",
    listener: "tight",
    requests: [
      one(
        "/",
        {},
        Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`x-h${at}`, `v${at}`])),
      ),
    ],
    status: [0],
    ignores: ["log"],
  },
  {
    name: "an underscore",
    listener: "tight",
    requests: [one("/", {}, { a_b: "1" })],
    status: [0],
    ignores: ["log"],
  },
  {
    name: "a client that resets when it has sent",
    requests: [one("/mute", { reset: { at: "sent", code: 8 } })],
    status: [0],
  },
  {
    name: "a client that resets a body",
    requests: [
      one(
        "/mute",
        { body: ["abc"], staysOpen: true, reset: { at: "sent", code: 8 } },
        { ":method": "POST" },
      ),
    ],
    status: [0],
    ignores: ["upstream"],
  },
  {
    name: "a WebSocket",
    requests: [
      one(
        "/websocket",
        { staysOpen: true },
        {
          ":method": "CONNECT",
          ":protocol": "websocket",
          "sec-websocket-version": "13",
        },
      ),
    ],
    status: [200],
    // The end of the upstream's side is passed on in order; Envoy makes a reset of it.
    ignores: ["reset"],
  },
  {
    name: "a WebSocket that is refused",
    requests: [
      one(
        "/websocket-refused",
        { staysOpen: true },
        { ":method": "CONNECT", ":protocol": "websocket" },
      ),
    ],
    status: [403],
  },
  {
    name: "an upgrade that nobody allows",
    requests: [one("/", { staysOpen: true }, { ":method": "CONNECT", ":protocol": "other" })],
    status: [403],
  },
];
