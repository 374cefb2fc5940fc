/**
 * The bootstraps that weft and Envoy both read. Each builder gives plain JSON of Envoy v3's API, in
 * its lowerCamelCase form.
 */

const FILTERS = "type.googleapis.com/envoy.extensions.filters";
const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

/** Files of one workload's certificate. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly privateKey: string;
  readonly caCertificate: string;
}

export function bootstrap(options: {
  readonly adminPort: number;
  readonly listeners: readonly object[];
  readonly clusters: readonly object[];
}): object {
  return {
    node: { id: "bench", cluster: "bench" },
    admin: { address: address(options.adminPort) },
    staticResources: { listeners: options.listeners, clusters: options.clusters },
  };
}

function address(port: number): object {
  return { socketAddress: { address: "127.0.0.1", portValue: port } };
}

/** What stands in a connection manager besides its routes. */
export interface HttpListenerOptions {
  readonly port: number;
  readonly virtualHosts: readonly object[];
  /** Before the router. */
  readonly filters?: readonly object[];
  readonly accessLog?: string;
  readonly transportSocket?: object;
  /** Further fields of the connection manager. */
  readonly fields?: object;
}

export function httpListener(options: HttpListenerOptions): object {
  const router = httpFilter("router", "Router");
  return listener(options.port, options.transportSocket, {
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: {
      "@type": `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
      statPrefix: "bench",
      routeConfig: { name: "local", virtualHosts: options.virtualHosts },
      httpFilters: [...(options.filters ?? []), router],
      ...(options.accessLog === undefined ? {} : { accessLog: [fileLog(options.accessLog)] }),
      ...options.fields,
    },
  });
}

export function tcpListener(port: number, cluster: string): object {
  return listener(port, undefined, {
    name: "envoy.filters.network.tcp_proxy",
    typedConfig: {
      "@type": `${FILTERS}.network.tcp_proxy.v3.TcpProxy`,
      statPrefix: "bench",
      cluster,
    },
  });
}

function listener(port: number, transportSocket: object | undefined, filter: object): object {
  const chain = transportSocket === undefined ? {} : { transportSocket };
  return {
    name: `in-${port}`,
    address: address(port),
    filterChains: [{ ...chain, filters: [filter] }],
  };
}

function fileLog(path: string): object {
  return {
    name: "envoy.access_loggers.file",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path,
    },
  };
}

/** Makes a cluster of one over HTTP/2. */
export const HTTP2_UPSTREAM = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicitHttpConfig: { http2ProtocolOptions: {} },
    },
  },
};

/** A cluster of one host, with further fields. */
export function cluster(name: string, port: number, fields: object = {}): object {
  return {
    name,
    type: "STATIC",
    connectTimeout: "1s",
    // The bench opens as many as it says; a breaker is not what it measures.
    circuitBreakers: {
      thresholds: [{ maxConnections: 20_000, maxPendingRequests: 20_000, maxRequests: 20_000 }],
    },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: address(port) } }] }],
    },
    ...fields,
  };
}

/** One virtual host for every host, with one route for every path. */
export function anyHost(route: object = { cluster: "upstream" }, fields: object = {}): object {
  return { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route, ...fields }] };
}

/** One virtual host with so many routes, of which the last one fits what the bench asks for. */
export function manyRoutes(count: number): object {
  const routes = Array.from({ length: count - 1 }, (_, at) => ({
    match: { prefix: `/service-${at}/` },
    route: { cluster: "upstream" },
  }));
  return {
    name: "all",
    domains: ["*"],
    routes: [...routes, { match: { prefix: "/" }, route: { cluster: "upstream" } }],
  };
}

/** A retry policy as a mesh gives it to every route. */
export const RETRY_POLICY = {
  retryOn: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
  numRetries: 2,
  retriableStatusCodes: [503],
};

/** An HTTP filter by its name, which is also that of its message's package. */
export function httpFilter(name: string, message: string, fields: object = {}): object {
  return {
    name: `envoy.filters.http.${name}`,
    typedConfig: { "@type": `${FILTERS}.http.${name}.v3.${message}`, ...fields },
  };
}

/** Headers set and removed in both directions. */
export const HEADER_MUTATIONS = {
  requestHeadersToAdd: [
    { header: { key: "x-bench-request", value: "1" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" },
  ],
  requestHeadersToRemove: ["x-bench-remove"],
  responseHeadersToAdd: [
    { header: { key: "x-bench-response", value: "1" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" },
  ],
  responseHeadersToRemove: ["x-powered-by"],
};

/** Allows what `permission` and `principal` both say. */
export function rbacFilter(permission: object, principal: object): object {
  return httpFilter("rbac", "RBAC", {
    rules: {
      action: "ALLOW",
      policies: { bench: { permissions: [permission], principals: [principal] } },
    },
  });
}

/** The server's side of TLS; with `peer` it wants a certificate with that SPIFFE ID. */
export function downstreamTls(files: CertificateFiles, peer?: string): object {
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: {
      "@type": `${TLS}.DownstreamTlsContext`,
      commonTlsContext: { ...commonTls(files, peer), alpnProtocols: ["h2", "http/1.1"] },
      ...(peer === undefined ? {} : { requireClientCertificate: true }),
    },
  };
}

/** The client's side of mutual TLS with a server of that SPIFFE ID. */
export function upstreamTls(files: CertificateFiles, peer: string): object {
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: {
      "@type": `${TLS}.UpstreamTlsContext`,
      commonTlsContext: commonTls(files, peer),
      sni: "bench.local",
    },
  };
}

function commonTls(files: CertificateFiles, peer: string | undefined): object {
  const validation =
    peer === undefined
      ? {}
      : {
          validationContext: {
            trustedCa: { filename: files.caCertificate },
            matchTypedSubjectAltNames: [{ sanType: "URI", matcher: { exact: peer } }],
          },
        };
  return {
    tlsCertificates: [
      {
        certificateChain: { filename: files.certificate },
        privateKey: { filename: files.privateKey },
      },
    ],
    ...validation,
  };
}
