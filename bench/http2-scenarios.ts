import type { Http2Traffic } from "./h2load.ts";
import { ANSWER_BYTES } from "./http2-upstream.ts";
import type { LoadScenario } from "./scenario.ts";
import { pair, single, withTls } from "./setups.ts";

/** In and out of a message that is answered by one. */
const UNARY_BYTES = 32;
const STREAM_MESSAGE_BYTES = 1019;

/** As many as go into a MiB, each with its head of 5 bytes. */
const STREAM_MESSAGES = { count: 1024, bytes: STREAM_MESSAGE_BYTES };

const get = (answer: keyof typeof ANSWER_BYTES): Http2Traffic => ({
  path: "/",
  connections: 4,
  streams: 8,
  answerBytes: ANSWER_BYTES[answer],
});

/** gRPC calls with one message each way. */
export const UNARY: Http2Traffic = {
  ...get("grpc"),
  path: "/bench.Echo/Unary",
  messages: { count: 1, bytes: UNARY_BYTES },
};

const stream: Http2Traffic = {
  ...get("stream"),
  streams: 2,
  path: "/bench.Echo/Both",
  messages: STREAM_MESSAGES,
};

/** Beside the three that h2load sends by itself and its user-agent. */
const HEADERS = [
  "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "accept-language: en-GB,en;q=0.5",
  "accept-encoding: gzip, deflate, br",
  "cookie: session=0a1b2c3d4e5f60718293a4b5c6d7e8f9; theme=light",
  "referer: http://bench.example/start",
];

const small = single({ http2: "small" });

/** HTTP/2 on one or both sides, and what gRPC makes of it. */
export const HTTP2_SCENARIOS: readonly LoadScenario[] = [
  { name: "h2", title: "HTTP/2, GET 23 B, 4 × 8 streams", setup: small, traffic: get("small") },
  {
    name: "h2-many",
    title: "HTTP/2, 32 connections, 1 stream each",
    setup: small,
    traffic: { ...get("small"), connections: 32, streams: 1 },
  },
  {
    name: "h2-headers",
    title: "HTTP/2, 9 headers, paths that differ",
    setup: small,
    traffic: { ...get("small"), paths: 10_000, headers: HEADERS },
  },
  {
    name: "h2-64k",
    title: "HTTP/2, GET 64 KiB",
    setup: single({ http2: "large" }),
    traffic: get("large"),
  },
  {
    name: "grpc",
    title: "gRPC unary, 4 × 8 streams",
    setup: single({ http2: "grpc" }),
    traffic: UNARY,
  },
  {
    name: "grpc-stream",
    title: "gRPC streams both ways, per MiB",
    setup: single({ http2: "stream" }),
    traffic: stream,
    mebibytes: 2,
  },
  {
    name: "grpc-messages",
    title: "the same, a frame for each KiB that comes back",
    setup: single({ http2: "messages" }),
    traffic: stream,
    mebibytes: 2,
  },
  {
    name: "h1-h2",
    title: "HTTP/1.1 in, HTTP/2 out",
    setup: small,
    traffic: { path: "/", connections: 32 },
  },
  { name: "h2-h1", title: "HTTP/2 in, HTTP/1.1 out", setup: single(), traffic: get("small") },
  {
    name: "h2-tls",
    title: "HTTP/2 + TLS from the client",
    setup: withTls({ http2: "small" }),
    traffic: { ...get("small"), isHttps: true },
  },
  {
    name: "pair-h2",
    title: "pair, HTTP/2 between the two",
    setup: pair({ isHttp2: true }),
    traffic: { path: "/", connections: 32 },
  },
  {
    name: "pair-grpc",
    title: "pair, gRPC unary",
    setup: pair({ isHttp2: true, http2: "grpc" }),
    traffic: UNARY,
  },
].map((scenario) => ({ ...scenario, kind: "load", group: "http2" }));
