import { anyHost, HEADER_MUTATIONS, manyRoutes, RETRY_POLICY } from "./bootstrap.ts";
import { COST_SCENARIOS } from "./filter-scenarios.ts";
import { HTTP2_SCENARIOS } from "./http2-scenarios.ts";
import type { Traffic } from "./load.ts";
import type { LoadScenario, Scenario } from "./scenario.ts";
import { pair, plain, services, single, tcp, traced, withAccessLog, withTls } from "./setups.ts";

const get = (path: string, connections = 32): Traffic => ({ path, connections });
const post = (postBytes: number, connections = 32): Traffic => ({
  path: "/",
  connections,
  postBytes,
});
const MEBIBYTE = 1_048_576;

const LOAD: readonly LoadScenario[] = [
  { name: "plain", title: "GET 23 B, 32 connections", setup: plain, traffic: get("/") },
  {
    name: "plain-1000",
    title: "GET 23 B, 1,000 connections",
    setup: plain,
    traffic: get("/", 1000),
  },
  { name: "get-1k", title: "GET 1 KiB", setup: plain, traffic: get("/1024") },
  { name: "get-64k", title: "GET 64 KiB", setup: plain, traffic: get("/65536") },
  { name: "get-1m", title: "GET 1 MiB, 8 connections", setup: plain, traffic: get("/1048576", 8) },
  { name: "post", title: "POST 100 B", setup: plain, traffic: post(100) },
  { name: "post-1k", title: "POST 1 KiB", setup: plain, traffic: post(1024) },
  { name: "post-64k", title: "POST 64 KiB", setup: plain, traffic: post(65_536) },
  { name: "post-1m", title: "POST 1 MiB, 8 connections", setup: plain, traffic: post(MEBIBYTE, 8) },
].map((scenario) => ({ ...scenario, kind: "load", peers: "http" }));

/** What a feature costs: the plain case and one thing more. */
const FEATURES: readonly LoadScenario[] = [
  { name: "access-log", title: "plain + access log", setup: withAccessLog },
  { name: "tracing-100", title: "plain + tracing, all sampled", setup: traced(100) },
  {
    name: "headers",
    title: "plain + header mutations",
    setup: single({ virtualHosts: [anyHost(undefined, HEADER_MUTATIONS)] }),
  },
  {
    name: "retries",
    title: "plain + retry policy",
    setup: single({ virtualHosts: [anyHost({ cluster: "upstream", retryPolicy: RETRY_POLICY })] }),
  },
  {
    name: "edge",
    title: "plain + use_remote_address",
    setup: single({ fields: { useRemoteAddress: true } }),
  },
  {
    name: "no-request-id",
    title: "plain − x-request-id",
    setup: single({ fields: { generateRequestId: false } }),
  },
  {
    name: "routes-500",
    title: "plain + table of 500 routes",
    setup: single({ virtualHosts: [manyRoutes(500)] }),
  },
].map((scenario) => ({ ...scenario, kind: "load", traffic: get("/") }));

/** Everything that can be asked for, in the order in which it runs. */
export const SCENARIOS: readonly Scenario[] = [
  ...LOAD,
  ...FEATURES,
  ...HTTP2_SCENARIOS,
  ...COST_SCENARIOS,
  {
    kind: "load",
    name: "tls",
    title: "plain + TLS from the client",
    setup: withTls(),
    peers: "https",
    traffic: { ...get("/"), isHttps: true },
  },
  {
    kind: "load",
    name: "pair",
    title: "pair: mTLS, RBAC, retries, logs",
    setup: pair(),
    traffic: get("/"),
  },
  {
    kind: "load",
    name: "connect",
    title: "a connection a request",
    setup: plain,
    peers: "http",
    traffic: { ...get("/"), closes: true },
  },
  {
    kind: "load",
    name: "connect-tls",
    title: "a TLS connection a request",
    setup: withTls(),
    peers: "https",
    traffic: { ...get("/"), closes: true, isHttps: true },
  },
  {
    kind: "load",
    name: "tcp",
    title: "TCP proxy, per MiB",
    setup: tcp,
    peers: "tcp",
    traffic: get("/1048576", 8),
    mebibytes: 1,
  },
  {
    kind: "rate",
    name: "rate-1000",
    title: "1,000 requests/s",
    setup: plain,
    peers: "http",
    rate: 1000,
    connections: 32,
  },
  {
    kind: "rate",
    name: "rate-10000",
    title: "10,000 requests/s",
    setup: plain,
    peers: "http",
    rate: 10_000,
    connections: 64,
  },
  { kind: "memory", name: "memory", title: "idle", setup: plain, peers: "http" },
  { kind: "memory", name: "memory-500", title: "idle, 500 services", setup: services },
  {
    kind: "memory",
    name: "memory-1000",
    title: "1,000 idle connections",
    setup: plain,
    peers: "http",
    idleConnections: 1000,
  },
  {
    kind: "memory",
    name: "memory-10m",
    title: "after 10 million requests",
    setup: plain,
    load: { requests: 10_000_000, traffic: get("/") },
    onlyByName: true,
  },
  {
    kind: "memory",
    name: "memory-10m-h2",
    title: "after 10 million requests over HTTP/2",
    setup: single({ http2: "small" }),
    load: {
      requests: 10_000_000,
      traffic: { path: "/", connections: 4, streams: 100, answerBytes: 23 },
    },
    onlyByName: true,
  },
  { kind: "demo", name: "demo", title: "weft up --demo, all processes" },
  { kind: "balance", name: "balance", title: "choosing among many hosts, one of which changes" },
];
