import {
  anyHost,
  bootstrap,
  type CertificateFiles,
  cluster,
  downstreamTls,
  HTTP2_UPSTREAM,
  type HttpListenerOptions,
  httpListener,
  RETRY_POLICY,
  rbacFilter,
  tcpListener,
  upstreamTls,
} from "./bootstrap.ts";
import { CLIENT_ID, SERVER_ID } from "./certificates.ts";
import type { Http2Ports } from "./http2-upstream.ts";
import type { Setup } from "./peers.ts";

/** What a scenario's one process is made of, beside its port. */
interface SingleOptions extends Partial<Omit<HttpListenerOptions, "port">> {
  /** Which of the upstreams answers over HTTP/2; the one over HTTP/1.1 where absent. */
  readonly http2?: keyof Http2Ports;
  /** Beside that of the upstream. */
  readonly clusters?: readonly object[];
}

/** One process with one HTTP listener in front of the upstream. */
export function single({ http2, clusters = [], ...options }: SingleOptions = {}): Setup {
  return ({ ports: [port = 0, adminPort = 0], upstreamPort, http2Ports }) => ({
    entryPort: port,
    bootstraps: [
      bootstrap({
        adminPort,
        listeners: [httpListener({ port, virtualHosts: [anyHost()], ...options })],
        clusters: [
          http2 === undefined
            ? cluster("upstream", upstreamPort)
            : cluster("upstream", portOf(http2Ports, http2), HTTP2_UPSTREAM),
          ...clusters,
        ],
      }),
    ],
  });
}

function portOf(ports: Http2Ports | undefined, name: keyof Http2Ports): number {
  if (ports !== undefined) return ports[name];
  throw new Error("the upstream over HTTP/2 is built by a C compiler, and there is no `cc`");
}

export const plain = single();

/** With TLS from the client, who may choose HTTP/2; the rest as said. */
export function withTls(options: SingleOptions = {}): Setup {
  return (context) =>
    single({ ...options, transportSocket: downstreamTls(context.certificates.server) })(context);
}

export const withAccessLog: Setup = (context) =>
  single({ accessLog: `${context.folder}/access.log` })(context);

/** So many per cent of requests are told to Zipkin, which is the upstream as well. */
export const traced = (percent: number): Setup =>
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

export const tcp: Setup = ({ ports: [port = 0, adminPort = 0], upstreamPort }) => ({
  entryPort: port,
  bootstraps: [
    bootstrap({
      adminPort,
      listeners: [tcpListener(port, "upstream")],
      clusters: [cluster("upstream", upstreamPort)],
    }),
  ],
});

/** What differs from a pair of sidecars that speak HTTP/1.1. */
interface PairOptions {
  /** Between the two. */
  readonly isHttp2?: boolean;
  /** The upstream, as that of `single`. */
  readonly http2?: keyof Http2Ports;
}

/** Two sidecars: mutual TLS between them, RBAC at the second, retries, logs of both. */
export function pair({ isHttp2 = false, http2 }: PairOptions = {}): Setup {
  return (context) => {
    const { ports, upstreamPort, folder, certificates, http2Ports } = context;
    const { client, server } = certificates;
    const [port = 0, adminPort = 0, innerPort = 0, innerAdminPort = 0] = ports;
    // gRPC has no GET but that which asks whether the proxies are ready.
    const permission =
      http2 === undefined
        ? { header: { name: ":method", stringMatch: { exact: "GET" } } }
        : { urlPath: { path: { prefix: "/" } } };
    const toServer = upstreamTls(client, SERVER_ID);
    const outbound = bootstrap({
      adminPort,
      listeners: [
        httpListener({
          port,
          virtualHosts: [anyHost({ cluster: "server", retryPolicy: RETRY_POLICY, timeout: "15s" })],
          accessLog: `${folder}/client.log`,
        }),
      ],
      clusters: [
        cluster("server", innerPort, {
          ...(isHttp2 ? HTTP2_UPSTREAM : {}),
          transportSocket: toServer,
        }),
      ],
    });
    const inbound = bootstrap({
      adminPort: innerAdminPort,
      listeners: [pairedListener(innerPort, `${folder}/server.log`, server, permission)],
      clusters: [
        http2 === undefined
          ? cluster("upstream", upstreamPort)
          : cluster("upstream", portOf(http2Ports, http2), HTTP2_UPSTREAM),
      ],
    });
    return { entryPort: port, bootstraps: [outbound, inbound] };
  };
}

/** The second sidecar's: what is permitted, and only to the first one. */
function pairedListener(
  port: number,
  accessLog: string,
  server: CertificateFiles,
  permission: object,
): object {
  return httpListener({
    port,
    virtualHosts: [anyHost()],
    filters: [
      rbacFilter(
        { andRules: { rules: [permission] } },
        { authenticated: { principalName: { exact: CLIENT_ID } } },
      ),
    ],
    accessLog,
    transportSocket: downstreamTls(server, CLIENT_ID),
    fields: {
      forwardClientCertDetails: "APPEND_FORWARD",
      setCurrentClientCertDetails: { uri: true },
    },
  });
}

const SERVICES = 500;

/** As a sidecar of a mesh with so many services: a cluster, a virtual host and routes of each. */
export const services: Setup = ({ ports: [port = 0, adminPort = 0], upstreamPort }) => {
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
