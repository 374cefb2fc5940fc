import { isIPv4, isIPv6 } from "../../base/ip.ts";
import { memoise } from "../../base/memo.ts";
import type { IstioIngressListener } from "../../config/sidecar.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { Origin } from "../origin.ts";
import { connectionPool } from "../policy/resolve-policy.ts";
import { type Protocol, parseProtocol } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import { buildServerTls } from "../server-tls.ts";
import type { Sidecar } from "../sidecar.ts";
import { type ConnectionPool, DEFAULT_POLICY } from "../traffic-policy.ts";
import type { AppAddress, InboundPort } from "./inbound-port.ts";
import { HTTP_ALPN } from "./inbound-tls.ts";

/** The ports that a Sidecar's `ingress` lists for a proxy, in its order. */
export const ingressPorts = memoise(
  (sidecar: Sidecar, proxy: ProxyNode, settings: MeshSettings): readonly InboundPort[] =>
    (sidecar.object.spec.ingress ?? []).map((listener, index) =>
      ingressPort(sidecar, listener, { index, proxy, settings }),
    ),
);

interface Place {
  readonly index: number;
  readonly proxy: ProxyNode;
  readonly settings: MeshSettings;
}

function ingressPort(
  sidecar: Sidecar,
  listener: IstioIngressListener,
  { index, proxy, settings }: Place,
): InboundPort {
  const { port, bind = "", captureMode = "DEFAULT", defaultEndpoint = "", tls } = listener;
  const { number = 0 } = port;
  const { key } = sidecar;
  const path = `spec.ingress[${index}]`;
  const origin: Origin = { key, path };
  const serverTls =
    tls === undefined
      ? undefined
      : buildServerTls(tls, {
          settings,
          origin: { key, path: `${path}.tls` },
          alpn: HTTP_ALPN,
          minVersion: undefined,
        });
  return {
    number,
    protocol: protocolOf(port.protocol ?? "", serverTls !== undefined),
    // There is no service that could give it a name.
    operation: `${key.name}.${key.namespace}:${number}/*`,
    servicePort: number,
    bind: bind === "" ? proxy.ip : bind,
    isBound: captureMode === "DEFAULT" ? proxy.interceptionMode === "NONE" : captureMode === "NONE",
    app: appAddress(defaultEndpoint, number, proxy),
    tls: serverTls,
    pool: inboundPool(sidecar, number) ?? DEFAULT_POLICY.connectionPool,
    target: undefined,
    origins: [origin],
  };
}

/** What is inside of TLS that ends here is treated by its own protocol. */
function protocolOf(name: string, endsTls: boolean): Protocol {
  if (!endsTls) return parseProtocol(name) ?? "auto";
  return name.toUpperCase() === "HTTPS" ? "http" : "tcp";
}

const UNIX = "unix://";

/**
 * `127.0.0.1` and `[::1]` are the pod's loopback, `0.0.0.0` and `[::]` its own address of that
 * family, or the loopback when it has none.
 */
function appAddress(endpoint: string, number: number, proxy: ProxyNode): AppAddress {
  if (endpoint === "") {
    return proxy.appAddress === undefined
      ? "original"
      : { address: proxy.appAddress, port: number };
  }
  if (endpoint.startsWith(UNIX)) return { path: endpoint.slice(UNIX.length) };
  const colon = endpoint.lastIndexOf(":");
  const host = endpoint.slice(0, colon).replaceAll(/[[\]]/g, "");
  return { address: appHost(host, proxy), port: Number(endpoint.slice(colon + 1)) };
}

function appHost(host: string, { ips, appAddress: own }: ProxyNode): string {
  switch (host) {
    case "0.0.0.0":
      return own ?? ips.find(isIPv4) ?? "127.0.0.1";
    case "::":
      return own ?? ips.find(isIPv6) ?? "::1";
    case "::1":
      return own ?? (ips.some(isIPv6) ? "::1" : "127.0.0.1");
    default:
      return own ?? (ips.some(isIPv4) ? "127.0.0.1" : "::1");
  }
}

/** What a Sidecar says of connections to the app on one port; `undefined` when it says nothing. */
export const inboundPool = memoise((sidecar: Sidecar, port: number): ConnectionPool | undefined => {
  const { ingress = [], inboundConnectionPool } = sidecar.object.spec;
  const own = ingress.find((listener) => listener.port.number === port)?.connectionPool;
  const said = own ?? inboundConnectionPool;
  return said === undefined ? undefined : connectionPool(said);
});
