import {
  anyHost,
  bootstrap,
  cluster,
  downstreamTls,
  HEADER_MUTATIONS,
  type HttpListenerOptions,
  httpListener,
  manyRoutes,
  RETRY_POLICY,
  rbacFilter,
  tcpListener,
  upstreamTls,
} from "./bootstrap.ts";
import { CLIENT_ID, SERVER_ID } from "./certificates.ts";
import type { Traffic } from "./load.ts";
import type { PeerMode, Setup } from "./peers.ts";

interface Common {
  readonly name: string;
  readonly title: string;
  readonly setup: Setup;
  /** As what nginx and haproxy take part; not at all when absent. */
  readonly peers?: PeerMode;
  /** Runs only when it is named. */
  readonly onlyByName?: boolean;
}

/** CPU per request under closed-loop load. */
export interface LoadScenario extends Common {
  readonly kind: "load";
  readonly traffic: Traffic;
  /** Counts MiB instead of requests: so many in one. */
  readonly mebibytes?: number;
}

/** Latency at a fixed rate. */
export interface RateScenario extends Common {
  readonly kind: "rate";
  readonly rate: number;
  readonly connections: number;
}

/** Resident memory after a start and, perhaps, something more. */
export interface MemoryScenario extends Common {
  readonly kind: "memory";
  readonly idleConnections?: number;
  readonly requests?: number;
}

/** What the processes of `weft up --demo` take together. */
export interface DemoScenario {
  readonly kind: "demo";
  readonly name: string;
  readonly title: string;
  readonly onlyByName?: boolean;
}

/** What choosing a host costs, and an update of one of many, inside of this process. */
export interface BalanceScenario {
  readonly kind: "balance";
  readonly name: string;
  readonly title: string;
  readonly onlyByName?: boolean;
}

/** Of proxies that run beside each other. */
export type ProxyScenario = LoadScenario | RateScenario | MemoryScenario;
export type Scenario = ProxyScenario | DemoScenario | BalanceScenario;

/** One process with one HTTP listener in front of the upstream. */
function single(options: Partial<Omit<HttpListenerOptions, "port">> = {}): Setup {
  return ({ ports: [port = 0, adminPort = 0], upstreamPort }) => ({
    entryPort: port,
    bootstraps: [
      bootstrap({
        adminPort,
        listeners: [httpListener({ port, virtualHosts: [anyHost()], ...options })],
        clusters: [cluster("upstream", upstreamPort)],
      }),
    ],
  });
}

const plain = single();

const withTls: Setup = (context) =>
  single({ transportSocket: downstreamTls(context.certificates.server) })(context);

const withAccessLog: Setup = (context) =>
  single({ accessLog: `${context.folder}/access.log` })(context);

/** So many per cent of requests are told to Zipkin, which is the upstream as well. */
const traced = (percent: number): Setup =>
  single({
    fields: {
      tracing: {
        randomSampling: { value: percent },
        provider: {
          name: "envoy.tracers.zipkin",
          typedConfig: {
            "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
            collectorCluster: "upstream",
            collectorEndpoint: "/api/v2/spans",
            collectorEndpointVersion: "HTTP_JSON",
          },
        },
      },
    },
  });

const tcp: Setup = ({ ports: [port = 0, adminPort = 0], upstreamPort }) => ({
  entryPort: port,
  bootstraps: [
    bootstrap({
      adminPort,
      listeners: [tcpListener(port, "upstream")],
      clusters: [cluster("upstream", upstreamPort)],
    }),
  ],
});

/** Two sidecars: mutual TLS between them, RBAC at the second, retries, logs of both. */
const pair: Setup = ({ ports, upstreamPort, folder, certificates: { client, server } }) => {
  const [port = 0, adminPort = 0, innerPort = 0, innerAdminPort = 0] = ports;
  const outbound = bootstrap({
    adminPort,
    listeners: [
      httpListener({
        port,
        virtualHosts: [anyHost({ cluster: "server", retryPolicy: RETRY_POLICY, timeout: "15s" })],
        accessLog: `${folder}/client.log`,
      }),
    ],
    clusters: [cluster("server", innerPort, upstreamTls(client, SERVER_ID))],
  });
  const inbound = bootstrap({
    adminPort: innerAdminPort,
    listeners: [
      httpListener({
        port: innerPort,
        virtualHosts: [anyHost()],
        filters: [
          rbacFilter(
            {
              andRules: { rules: [{ header: { name: ":method", stringMatch: { exact: "GET" } } }] },
            },
            { authenticated: { principalName: { exact: CLIENT_ID } } },
          ),
        ],
        accessLog: `${folder}/server.log`,
        transportSocket: downstreamTls(server, CLIENT_ID),
        fields: {
          forwardClientCertDetails: "APPEND_FORWARD",
          setCurrentClientCertDetails: { uri: true },
        },
      }),
    ],
    clusters: [cluster("upstream", upstreamPort)],
  });
  return { entryPort: port, bootstraps: [outbound, inbound] };
};

const SERVICES = 500;

/** As a sidecar of a mesh with so many services: a cluster, a virtual host and routes of each. */
const services: Setup = ({ ports: [port = 0, adminPort = 0], upstreamPort }) => {
  const names = Array.from({ length: SERVICES }, (_, at) => `service-${at}.default.svc.local`);
  const virtualHosts = names.map((name) => ({
    name,
    domains: [name, `${name}:80`, name.replace(".svc.local", "")],
    routes: ["/v1/", "/v2/", "/"].map((prefix) => ({
      name: `${name}${prefix}`,
      match: { prefix, headers: [{ name: "x-user", presentMatch: prefix === "/v2/" }] },
      route: { cluster: `outbound|80||${name}`, retryPolicy: RETRY_POLICY, timeout: "15s" },
    })),
  }));
  const clusters = names.map((name) => cluster(`outbound|80||${name}`, upstreamPort));
  return {
    entryPort: port,
    bootstraps: [
      bootstrap({
        adminPort,
        listeners: [httpListener({ port, virtualHosts: [...virtualHosts, anyHost()] })],
        clusters: [...clusters, cluster("upstream", upstreamPort)],
      }),
    ],
  };
};

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
  { name: "tracing-1", title: "plain + tracing, 1 % sampled", setup: traced(1) },
  { name: "tracing-100", title: "plain + tracing, all sampled", setup: traced(100) },
  {
    name: "rbac",
    title: "plain + RBAC",
    setup: single({
      filters: [
        rbacFilter({ header: { name: ":method", stringMatch: { exact: "GET" } } }, { any: true }),
      ],
    }),
  },
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

export const SCENARIOS: readonly Scenario[] = [
  ...LOAD,
  ...FEATURES,
  {
    kind: "load",
    name: "tls",
    title: "plain + TLS from the client",
    setup: withTls,
    peers: "https",
    traffic: { ...get("/"), isHttps: true },
  },
  {
    kind: "load",
    name: "pair",
    title: "pair: mTLS, RBAC, retries, logs",
    setup: pair,
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
    setup: withTls,
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
    requests: 10_000_000,
    onlyByName: true,
  },
  { kind: "demo", name: "demo", title: "weft up --demo, all processes" },
  { kind: "balance", name: "balance", title: "choosing among many hosts, one of which changes" },
];
