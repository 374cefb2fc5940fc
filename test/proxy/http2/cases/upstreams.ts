import type { H2Case } from "../h2-case.ts";
import type { H2Request } from "../h2-client.ts";

const two = (path: string, more: Partial<H2Request> = {}, headers: object = {}): H2Request => ({
  headers: { ":path": path, ":authority": "two.test", ...headers },
  ...more,
});

const POST = { ":method": "POST" };

/** What upstreams of HTTP/2 do, to clients that speak it as well. */
export const UPSTREAM_CASES: readonly H2Case[] = [
  { name: "HTTP/2 to the upstream", requests: [two("/")], status: [200] },
  { name: "a HEAD to it", requests: [two("/", {}, { ":method": "HEAD" })], status: [200] },
  { name: "a body to it", requests: [two("/", { body: ["abc", "def"] }, POST)], status: [200] },
  {
    name: "a body with a length to it",
    requests: [two("/", { body: ["abc"] }, { ...POST, "content-length": "3" })],
    status: [200],
  },
  {
    name: "a body and trailers to it",
    requests: [two("/echo", { body: ["abc"], trailers: { "x-mine": "1" } }, POST)],
    status: [200],
  },
  {
    name: "trailers without a body to it",
    requests: [two("/echo", { trailers: { "x-mine": "1" } }, POST)],
    status: [200],
  },
  {
    name: "a megabyte there and back",
    requests: [two("/echo", { body: [Buffer.alloc(1_000_000, "z")] }, POST)],
    status: [200],
    // It stands there only where the upstream answers behind the end of the request.
    ignores: ["time"],
  },
  { name: "nothing but a head from it", requests: [two("/empty")], status: [200] },
  { name: "a body in parts from it", requests: [two("/parts")], status: [200] },
  { name: "a large body from it", requests: [two("/large")], status: [200] },
  { name: "trailers from it", requests: [two("/trailers")], status: [200] },
  { name: "trailers without a body from it", requests: [two("/only-trailers")], status: [200] },
  { name: "204 from it", requests: [two("/204")], status: [204] },
  { name: "304 from it", requests: [two("/304")], status: [304] },
  { name: "500 from it", requests: [two("/500")], status: [500] },
  { name: "retries of it", requests: [two("/again500")], status: [500] },
  { name: "cookies from it", requests: [two("/hop")], status: [200] },
  { name: "a length from it", requests: [two("/length")], status: [200] },
  { name: "an interim answer from it", requests: [two("/interim")], status: [200] },
  {
    name: "an early answer from it",
    requests: [two("/early", { body: ["abc", "def"] }, POST)],
    status: [200],
    // How much of the body it has seen by then is chance.
    ignores: ["upstream", "log"],
  },
  { name: "a stream that it cancels", requests: [two("/reset")], status: [503] },
  { name: "an internal error of it", requests: [two("/reset-internal")], status: [503] },
  { name: "a stream that it refuses", requests: [two("/refuse")], status: [503] },
  { name: "a refused stream that is tried again", requests: [two("/againrefuse")], status: [503] },
  {
    name: "a stream that it cancels behind the head",
    requests: [two("/reset-head")],
    status: [200],
  },
  { name: "a stream that breaks in the body", requests: [two("/reset-body")], status: [200] },
  {
    name: "GOAWAY behind the answer",
    requests: [two("/goaway"), two("/")],
    status: [200, 200],
    inTurn: true,
  },
  {
    name: "a connection that is closed",
    requests: [two("/destroy"), two("/")],
    status: [503, 200],
    inTurn: true,
  },
  {
    name: "a connection that is closed in the body",
    requests: [two("/destroy-body")],
    status: [200],
  },
  { name: "a route timeout of it", requests: [two("/silent")], status: [504] },
  { name: "an idle stream of it", requests: [two("/idle")], status: [504] },
  { name: "a stream of it that lasts too long", requests: [two("/long")], status: [504] },
  { name: "changed heads of it", requests: [two("/changed")], status: [200] },
  { name: "te: trailers to it", requests: [two("/", {}, { te: "trailers" })], status: [200] },
  { name: "cookies to it", requests: [two("/", {}, { cookie: ["a=1", "b=2"] })], status: [200] },
  {
    name: "a client that cancels what it asked of it",
    requests: [two("/mute", { reset: { at: "sent", code: 8 } })],
    status: [0],
  },
  {
    name: "a client that cancels with another code",
    requests: [two("/mute", { reset: { at: "sent", code: 2 } })],
    status: [0],
  },
  {
    name: "thirty at once to it",
    requests: Array.from({ length: 30 }, (_, at) => two(`/n?${at}`)),
    status: Array.from({ length: 30 }, () => 200),
    // They arrive in any order.
    ignores: ["upstream"],
  },
  {
    name: "a WebSocket to it",
    requests: [
      two("/websocket", { staysOpen: true }, { ":method": "CONNECT", ":protocol": "websocket" }),
    ],
    status: [200],
  },
  {
    name: "a WebSocket that it refuses",
    requests: [
      two(
        "/websocket-refused",
        { staysOpen: true },
        { ":method": "CONNECT", ":protocol": "websocket" },
      ),
    ],
    status: [403],
  },
];
