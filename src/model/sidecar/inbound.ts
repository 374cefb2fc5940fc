import { memoise } from "../../base/memo.ts";
import { type Cluster, inboundClusterName } from "../cluster.ts";
import { NO_LOCALITY } from "../endpoint.ts";
import { type HttpChain, type Listener, NO_INSPECTION, type TcpChain } from "../listener.ts";
import type { Mesh } from "../mesh.ts";
import { isHttp, isHttp2 } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import { NO_OPERATIONS, NO_REWRITE, type RouteConfiguration } from "../route.ts";
import { MATCH_ALL } from "../route-match.ts";
import type { Scope } from "../scope.ts";
import type { Service, ServicePort } from "../service.ts";
import { type ServiceTarget, serviceTargets } from "../service-targets.ts";
import { DEFAULT_POLICY } from "../traffic-policy.ts";
import type { ViewPart } from "../view-part.ts";
import { inboundTargets } from "./inbound-targets.ts";

/** What a sidecar does with what comes in for its app. */
export function buildSidecarInbound(mesh: Mesh, proxy: ProxyNode, scope: Scope): ViewPart {
  const { inbound, issues } = inboundTargets(serviceTargets(mesh, proxy));
  const { connectTimeoutMs } = scope.settings;
  const parts = inbound.map(({ service, port, targetPort }) =>
    inboundPart(proxy, service, port, targetPort, connectTimeoutMs),
  );
  return {
    listeners: parts.map(({ listener }) => listener),
    routes: [],
    clusters: parts.map(({ cluster }) => cluster),
    issues,
  };
}

/** Keyed by the parts of a target, which is made anew for each view. */
const inboundPart = memoise(
  (
    proxy: ProxyNode,
    service: Service,
    port: ServicePort,
    targetPort: number,
    connectTimeoutMs: number,
  ) => ({
    listener: inboundListener(proxy, { service, port, targetPort }),
    cluster: inboundCluster(proxy, { service, port, targetPort }, connectTimeoutMs),
  }),
);

function inboundListener(proxy: ProxyNode, target: ServiceTarget): Listener {
  const { service, port, targetPort } = target;
  const name = `${proxy.ip}_${targetPort}`;
  const origins = [{ key: service.key, path: service.path }];
  const statPrefix = `inbound_${name}`;
  const http: HttpChain = {
    type: "http",
    statPrefix,
    routes: inboundRoutes(target),
    role: "sidecar-inbound",
  };
  const tcp: TcpChain = {
    type: "tcp",
    statPrefix,
    clusters: [{ name: inboundClusterName(targetPort), weight: 1 }],
    idleTimeoutMs: undefined,
    maxConnectionDurationMs: undefined,
    isHashedBySource: false,
    tunnel: undefined,
    isClusterFromSni: false,
  };
  return {
    name,
    direction: "inbound",
    address: { address: proxy.ip, port: targetPort },
    additionalAddresses: [],
    isBound: true,
    isCapturing: false,
    inspection: NO_INSPECTION,
    // A port that does not say what it speaks is passed on byte by byte, which suits everything.
    chains: [
      { name, match: {}, tls: undefined, filter: isHttp(port.protocol) ? http : tcp, origins },
    ],
    defaultChain: undefined,
    inspectionTimeoutMs: undefined,
    keepalive: undefined,
    origins,
  };
}

function inboundRoutes({ service, port, targetPort }: ServiceTarget): RouteConfiguration {
  const cluster = inboundClusterName(targetPort);
  const origin = { key: service.key, path: service.path };
  return {
    name: cluster,
    ignoresPort: false,
    virtualHosts: [
      {
        name: `inbound|http|${port.number}`,
        domains: ["*"],
        routes: [
          {
            name: "default",
            match: MATCH_ALL,
            action: {
              type: "forward",
              clusters: [
                {
                  name: cluster,
                  weight: 1,
                  requestHeaders: NO_OPERATIONS,
                  responseHeaders: NO_OPERATIONS,
                  origin,
                },
              ],
              timeoutMs: 0,
              retry: undefined,
              rewrite: NO_REWRITE,
              mirrors: [],
              hashKeys: [],
              isHostOfUpstream: false,
            },
            requestHeaders: NO_OPERATIONS,
            responseHeaders: NO_OPERATIONS,
            cors: undefined,
            fault: undefined,
            operation: `${service.hostname}:${port.number}/*`,
            statPrefix: "",
            origin,
          },
        ],
      },
    ],
  };
}

/** The pod's own app on one port. */
function inboundCluster(
  proxy: ProxyNode,
  { service, port, targetPort }: ServiceTarget,
  connectTimeoutMs: number,
): Cluster {
  return {
    name: inboundClusterName(targetPort),
    direction: "inbound",
    discovery: {
      type: "static",
      endpoints: [
        {
          address: proxy.appAddress,
          port: targetPort,
          locality: NO_LOCALITY,
          network: "",
          weight: 1,
          labels: {},
          health: "healthy",
          isMutualTls: false,
          serviceAccount: "",
          nodeName: "",
          hostname: "",
          workload: undefined,
        },
      ],
    },
    target: { service, port, subset: "" },
    policy: DEFAULT_POLICY,
    connectTimeoutMs,
    upstreamProtocol: isHttp2(port.protocol) ? "http2" : "http1",
    origins: [{ key: service.key, path: service.path }],
  };
}
