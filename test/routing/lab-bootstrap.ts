import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";
import type { LabCertificate } from "./lab-certificate.ts";
import { inlineRoutes } from "./validate-with-envoy.ts";

/** What Envoy writes of every connection and request. */
export interface LabRecord {
  readonly listener: string;
  readonly chain: string;
  /** "connection" where no filter of the chain had a say. */
  readonly layer: "http" | "tcp" | "connection";
  /** The source port that the PROXY header told. */
  readonly call: number;
  readonly cluster: string | null;
  readonly route: string | null;
  readonly virtualHost: string | null;
  readonly code: number;
  readonly flags: string;
  readonly details: string | null;
  /** Also what a listener filter made of bytes that are no TLS. */
  readonly transportFailure: string | null;
}

/** The header by which a response says its virtual host. */
const HOST_HEADER = "x-lab-virtual-host";

const TYPE = "type.googleapis.com/envoy.extensions";
const MANAGER = `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const TCP_PROXY = `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`;
const DOWNSTREAM_TLS = `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`;

/** Where things are that the laboratory puts beside the configuration. */
export interface LabParts {
  /** Of the upstream that every cluster leads to. */
  readonly upstreamPort: number;
  readonly logFile: string;
  readonly certificate: LabCertificate;
}

/**
 * The configuration of a proxy as a bootstrap that Envoy can run anywhere. What chooses listener,
 * chain, route and cluster stays as it is. What would need the kernel, certificates or a network
 * is put differently: the original destination comes in a PROXY header, every certificate is the
 * laboratory's own, every cluster is one server on this machine, and everything is logged.
 */
export function labBootstrap(resources: SnapshotJson, parts: LabParts): JsonObject {
  const routes = new Map(resources.routes.map((route) => [route["name"], route]));
  return {
    node: { id: "lab", cluster: "lab" },
    admin: { address: address(0) },
    static_resources: {
      listeners: resources.listeners.map((listener) =>
        labListener(inlineRoutes(listener, routes), parts),
      ),
      clusters: clusterNames(resources).map((name) => labCluster(name, parts.upstreamPort)),
    },
  };
}

function address(port: number): JsonObject {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

/** Those that exist, and those that only routes name: here it counts what was chosen. */
function clusterNames({ listeners, routes, clusters }: SnapshotJson): readonly string[] {
  const names = new Set(clusters.map(nameOf));
  for (const value of [...listeners, ...routes]) addNames(value, names);
  return [...names];
}

function addNames(value: JsonValue, names: Set<string>): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === "cluster" && typeof child === "string") names.add(child);
    if (key === "weighted_clusters") {
      for (const one of listOf((child as JsonObject)["clusters"])) names.add(nameOf(one));
    }
    addNames(child as JsonValue, names);
  }
}

function labCluster(name: string, port: number): JsonObject {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function labListener(listener: JsonObject, parts: LabParts): JsonObject {
  const { additional_addresses: more, ...rest } = listener;
  const name = nameOf(listener);
  const isBound = listener["bind_to_port"] !== false;
  const filters = listOf(listener["listener_filters"]).filter(
    (filter) => filter["name"] !== "envoy.filters.listener.original_dst",
  );
  const chains = listOf(listener["filter_chains"]);
  const fallback = listener["default_filter_chain"];
  return {
    ...rest,
    // What opens no socket keeps its addresses: by them connections are handed on.
    ...(isBound
      ? { address: address(0) }
      : more === undefined
        ? {}
        : { additional_addresses: more }),
    listener_filters: isBound ? [PROXY_PROTOCOL, ...filters] : filters,
    filter_chains: chains.map((chain) => labChain(chain, name, parts)),
    ...(fallback === undefined
      ? {}
      : { default_filter_chain: labChain(fallback as JsonObject, name, parts) }),
    access_log: [accessLog({ listener: name, chain: "", layer: "connection" }, parts.logFile)],
  };
}

const PROXY_PROTOCOL = {
  name: "envoy.filters.listener.proxy_protocol",
  typed_config: { "@type": `${TYPE}.filters.listener.proxy_protocol.v3.ProxyProtocol` },
};

function labChain(chain: JsonObject, listener: string, parts: LabParts): JsonObject {
  const where = { listener, chain: nameOf(chain) };
  const socket = chain["transport_socket"];
  return {
    ...chain,
    ...(socket === undefined ? {} : { transport_socket: labTls(socket as JsonObject, parts) }),
    filters: listOf(chain["filters"])
      .filter((one) => !isIstioFilter(one))
      .map((filter) => labFilter(filter, where, parts)),
  };
}

/** Filters that a stock Envoy lacks; none of them has a say in where a call goes. */
function isIstioFilter(filter: JsonObject): boolean {
  return nameOf(filter).startsWith("istio");
}

function labFilter(
  filter: JsonObject,
  where: { readonly listener: string; readonly chain: string },
  { logFile }: LabParts,
): JsonObject {
  const config = filter["typed_config"] as JsonObject | undefined;
  if (config?.["@type"] === TCP_PROXY) {
    const log = accessLog({ ...where, layer: "tcp" }, logFile);
    return { ...filter, typed_config: { ...config, access_log: [log] } };
  }
  if (config?.["@type"] !== MANAGER) return filter;
  const routes = config["route_config"] as JsonObject;
  const { tracing: _tracing, ...rest } = config;
  return {
    ...filter,
    typed_config: {
      ...rest,
      access_log: [accessLog({ ...where, layer: "http" }, logFile)],
      http_filters: listOf(config["http_filters"]).filter((one) => !isIstioFilter(one)),
      route_config: {
        ...routes,
        virtual_hosts: listOf(routes["virtual_hosts"]).map(namedHost),
      },
    },
  };
}

/** The virtual host with its name in every response. */
function namedHost(host: JsonObject): JsonObject {
  const value = nameOf(host).replaceAll("%", "%%");
  const header = { header: { key: HOST_HEADER, value } };
  return {
    ...host,
    response_headers_to_add: [...listOf(host["response_headers_to_add"]), header],
  };
}

function labTls(socket: JsonObject, { certificate }: LabParts): JsonObject {
  const config = socket["typed_config"] as JsonObject | undefined;
  if (config?.["@type"] !== DOWNSTREAM_TLS) return socket;
  const common = config["common_tls_context"] as JsonObject | undefined;
  const own = {
    certificate_chain: { inline_string: certificate.certificate },
    private_key: { inline_string: certificate.privateKey },
  };
  return {
    ...socket,
    typed_config: {
      "@type": DOWNSTREAM_TLS,
      require_client_certificate: config["require_client_certificate"] ?? false,
      common_tls_context: {
        ...(common?.["alpn_protocols"] === undefined
          ? {}
          : { alpn_protocols: common["alpn_protocols"] }),
        tls_certificates: [own],
        validation_context: { trusted_ca: { inline_string: certificate.certificate } },
      },
    },
  };
}

function accessLog(
  where: { readonly listener: string; readonly chain: string; readonly layer: string },
  path: string,
): JsonObject {
  return {
    name: "envoy.access_loggers.file",
    typed_config: {
      "@type": `${TYPE}.access_loggers.file.v3.FileAccessLog`,
      path,
      log_format: {
        json_format: {
          ...where,
          // The port that the client came from tells calls apart.
          call: "%DOWNSTREAM_REMOTE_PORT%",
          cluster: "%UPSTREAM_CLUSTER_RAW%",
          route: "%ROUTE_NAME%",
          virtualHost: `%RESP(${HOST_HEADER})%`,
          code: "%RESPONSE_CODE%",
          flags: "%RESPONSE_FLAGS%",
          details: "%RESPONSE_CODE_DETAILS%",
          transportFailure: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
        },
      },
    },
  };
}

function nameOf({ name }: JsonObject): string {
  return typeof name === "string" ? name : "";
}

function listOf(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as JsonObject[]) : [];
}
