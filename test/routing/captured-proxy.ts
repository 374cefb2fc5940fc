import type { JsonObject } from "@bufbuild/protobuf";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";
import type { Call, CallResult } from "./call.ts";

const TYPE = "type.googleapis.com/envoy.extensions";

function typed(name: string, type: string, fields: JsonObject = {}): JsonObject {
  return { name, typed_config: { "@type": `${TYPE}.${type}`, ...fields } };
}

function at(address: string, port: number): JsonObject {
  return { socket_address: { address, port_value: port } };
}

const toRoutes = (fields: JsonObject): JsonObject =>
  typed("http", "filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "http",
    http_filters: [typed("envoy.filters.http.router", "filters.http.router.v3.Router")],
    ...fields,
  });
const toCluster = (fields: JsonObject): JsonObject =>
  typed("tcp", "filters.network.tcp_proxy.v3.TcpProxy", { stat_prefix: "tcp", ...fields });

const TLS_INSPECTOR = typed("tls", "filters.listener.tls_inspector.v3.TlsInspector");
const HTTP_INSPECTOR = {
  ...typed("http", "filters.listener.http_inspector.v3.HttpInspector"),
  filter_disabled: { destination_port_range: { start: 90, end: 91 } },
};

const LISTENERS: readonly JsonObject[] = [
  {
    name: "0.0.0.0_80",
    address: at("0.0.0.0", 80),
    bind_to_port: false,
    filter_chains: [{ name: "http", filters: [toRoutes({ rds: { route_config_name: "80" } })] }],
  },
  {
    name: "10.0.0.1_80",
    address: at("10.0.0.1", 80),
    bind_to_port: false,
    filter_chains: [{ filters: [toCluster({ cluster: "by address" })] }],
  },
  {
    name: "virtualOutbound",
    use_original_dst: true,
    address: at("0.0.0.0", 15001),
    filter_chains: [
      {
        filters: [
          toCluster({
            weighted_clusters: {
              clusters: [
                { name: "b", weight: 1 },
                { name: "a", weight: 1 },
              ],
            },
          }),
        ],
      },
    ],
  },
  {
    name: "virtualInbound",
    address: at("0.0.0.0", 15006),
    listener_filters: [TLS_INSPECTOR, HTTP_INSPECTOR],
    filter_chains: [
      {
        name: "mtls",
        filter_chain_match: { transport_protocol: "tls", application_protocols: ["istio"] },
        transport_socket: typed("tls", "transport_sockets.tls.v3.DownstreamTlsContext", {
          require_client_certificate: true,
        }),
        filters: [toCluster({ cluster: "mtls" })],
      },
      {
        name: "by name",
        filter_chain_match: { server_names: ["*.test"] },
        filters: [
          typed("sni", "filters.network.sni_cluster.v3.SniCluster"),
          toCluster({ cluster: "not asked" }),
        ],
      },
      {
        name: "found",
        filter_chain_match: { application_protocols: ["http/1.1", "h2c"] },
        filters: [
          toRoutes({
            route_config: {
              virtual_hosts: [
                {
                  name: "inbound",
                  domains: ["*"],
                  routes: [{ name: "in", match: { prefix: "/" }, route: { cluster: "app" } }],
                },
              ],
            },
          }),
        ],
      },
      {
        name: "raw",
        filter_chain_match: { destination_port: 90 },
        filters: [toCluster({ cluster: "raw" })],
      },
    ],
  },
];

const ROUTES: JsonObject = {
  name: "80",
  virtual_hosts: [
    {
      name: "shop",
      domains: ["shop.test"],
      routes: [
        { name: "old", match: { prefix: "/old" }, redirect: { path_redirect: "/new" } },
        { name: "sorry", match: { path: "/sorry" }, direct_response: { status: 418 } },
        {
          name: "beta",
          match: { prefix: "/", headers: [{ name: "x", string_match: { exact: "1" } }] },
          route: { cluster: "beta" },
        },
        { name: "api", match: { prefix: "/api" }, route: { cluster: "api" } },
      ],
    },
    { name: "safe", domains: ["safe.test"], require_tls: "ALL" },
  ],
};

/** A proxy whose traffic is captured, with one of each thing that decides where a call goes. */
export const CAPTURED: SnapshotJson = {
  listeners: LISTENERS,
  routes: [ROUTES],
  // By the name in the ClientHello, which is all that names it.
  clusters: [{ name: "a.test" }],
  endpoints: [],
};

/** To a virtual host that has routes. */
export const HTTP = { port: 80, protocol: "http", host: "shop.test" } as const;
const IN = { mode: "inbound", port: 8080 } as const;

const ON_80 = { listener: "0.0.0.0_80", filterChain: "http", routeConfig: "80" };
const ON_SHOP = { ...ON_80, virtualHost: "shop" };
const INBOUND = { listener: "virtualInbound" };

/** Calls to it, and where they go. */
export const CALLS: readonly (readonly [what: string, call: Call, want: CallResult])[] = [
  ["a route", { ...HTTP, path: "/api/1" }, { ...ON_SHOP, route: "api", cluster: "api" }],
  ["a header", { ...HTTP, headers: { X: "1" } }, { ...ON_SHOP, route: "beta", cluster: "beta" }],
  ["no route", HTTP, { ...ON_SHOP, error: "no route matched" }],
  ["no host", { ...HTTP, host: "nobody.test" }, { ...ON_80, error: "no virtual host matched" }],
  [
    "a redirect",
    { ...HTTP, path: "/old" },
    { ...ON_SHOP, route: "old", status: 301, location: "http://shop.test/new" },
  ],
  ["an answer", { ...HTTP, path: "/sorry" }, { ...ON_SHOP, route: "sorry", status: 418 }],
  [
    "a host that wants TLS",
    { ...HTTP, host: "safe.test" },
    { ...ON_80, virtualHost: "safe", error: "tls required, sending 301" },
  ],
  [
    "bytes where HTTP is spoken",
    { port: 80 },
    { listener: "0.0.0.0_80", filterChain: "http", error: "protocol error" },
  ],
  [
    "TLS that nobody opens",
    { ...HTTP, tls: "tls" },
    { listener: "0.0.0.0_80", filterChain: "http", error: "protocol error" },
  ],
  [
    "the listener of the address",
    { ...HTTP, address: "10.0.0.1" },
    { listener: "10.0.0.1_80", filterChain: "", cluster: "by address" },
  ],
  [
    "the rest, by weight",
    { port: 4242 },
    { listener: "virtualOutbound", filterChain: "", clusters: ["a", "b"] },
  ],
  [
    "HTTP that was found",
    { ...IN, protocol: "http", host: "x" },
    {
      ...INBOUND,
      filterChain: "found",
      virtualHost: "inbound",
      route: "in",
      cluster: "app",
    },
  ],
  [
    "a port where nobody looks for HTTP",
    { ...IN, port: 90, protocol: "http" },
    { ...INBOUND, filterChain: "raw", cluster: "raw" },
  ],
  ["a sidecar", { ...IN, tls: "mtls" }, { ...INBOUND, filterChain: "mtls", cluster: "mtls" }],
  [
    "a client without a certificate",
    { ...IN, tls: "tls", alpn: "istio" },
    { ...INBOUND, filterChain: "mtls", error: "invalid mTLS" },
  ],
  [
    "a name in the ClientHello",
    { ...IN, tls: "tls", sni: "a.test" },
    { ...INBOUND, filterChain: "by name", cluster: "a.test" },
  ],
  ["nobody's port", { ...IN }, { ...INBOUND, error: "no filter chains matched" }],
];
