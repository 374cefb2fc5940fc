import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { TrafficDirection } from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { FilterSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import type { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { RouterSchema } from "../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { TcpProxySchema } from "../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { packAny } from "../api/type-url.ts";
import type { GatewayPort } from "../model/gateway-routes.ts";
import { HTTP_PROXY_PORT, type ServiceTarget } from "../model/inbound.ts";
import type { Origin } from "../model/origin.ts";
import { isHttp } from "../model/protocol.ts";
import type { ProxyNode } from "../model/proxy.ts";
import { inboundClusterName } from "./cluster.ts";
import { buildMetadata } from "./metadata.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { ADS, socketAddress, ZERO } from "./wire.ts";

/** The route configuration of the explicit proxy (Istio's name). */
export const HTTP_PROXY_ROUTES = "http_proxy";

/** What proxies call themselves in the `server` header. */
const SERVER_NAME = "istio-envoy";

/** What is said of a connection manager, as plain fields. */
type HttpOptions = Exclude<
  MessageInitShape<typeof HttpConnectionManagerSchema>,
  { $typeName: string }
>;

/** What comes in for the pod's own app on one port. */
export function encodeInboundListener(proxy: ProxyNode, target: ServiceTarget): XdsResource {
  const { service, port, targetPort } = target;
  const name = `${proxy.ip}_${targetPort}`;
  const origins = [{ key: service.key, path: "" }];
  const cluster = inboundClusterName(targetPort);
  const statPrefix = `inbound_${name}`;
  // A port that does not say what it speaks is passed on byte by byte, which suits everything.
  const filter = isHttp(port.protocol)
    ? httpFilter({
        statPrefix,
        routeSpecifier: { case: "routeConfig", value: inboundRoutes(target, cluster, origins) },
        serverName: SERVER_NAME,
      })
    : tcpFilter(statPrefix, cluster);
  return encodeListener({
    name,
    address: socketAddress(proxy.ip, targetPort),
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: [{ name, filters: [filter] }],
    metadata: buildMetadata(origins),
    origins,
  });
}

function inboundRoutes(
  { service, port }: ServiceTarget,
  cluster: string,
  origins: readonly Origin[],
): MessageInitShape<typeof RouteConfigurationSchema> {
  return {
    name: cluster,
    validateClusters: false,
    virtualHosts: [
      {
        name: `inbound|http|${port.number}`,
        domains: ["*"],
        routes: [
          {
            name: "default",
            match: { pathSpecifier: { case: "prefix", value: "/" } },
            action: {
              case: "route",
              value: { clusterSpecifier: { case: "cluster", value: cluster }, timeout: ZERO },
            },
            decorator: { operation: `${service.hostname}:${port.number}/*` },
            metadata: buildMetadata(origins),
          },
        ],
      },
    ],
  };
}

/** Where apps send everything that goes out. */
export function encodeHttpProxyListener({ ip }: ProxyNode): XdsResource {
  const name = `${ip}_${HTTP_PROXY_PORT}`;
  return encodeListener({
    name,
    address: socketAddress(ip, HTTP_PROXY_PORT),
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [
      {
        name,
        filters: [
          httpFilter({
            statPrefix: `outbound_${name}`,
            routeSpecifier: rds(HTTP_PROXY_ROUTES),
            // The form in which clients of a proxy ask: `GET http://host/path`.
            httpProtocolOptions: { allowAbsoluteUrl: true },
          }),
        ],
      },
    ],
    origins: [],
    references: [HTTP_PROXY_ROUTES],
  });
}

/** One port that a gateway serves to its clients, on the pod and on the host's ports for it. */
export function encodeGatewayListener(proxy: ProxyNode, port: GatewayPort): XdsResource {
  const name = `${proxy.ip}_${port.number}`;
  const origins = port.servers.map(({ key, path }) => ({ key, path }));
  return encodeListener({
    name,
    address: socketAddress(proxy.ip, port.number),
    additionalAddresses: proxy.hostPorts
      .filter(({ containerPort }) => containerPort === port.number)
      .map(({ hostIp, hostPort }) => ({ address: socketAddress(hostIp, hostPort) })),
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [
      {
        name,
        filters: [
          httpFilter({
            statPrefix: `outbound_${name}`,
            routeSpecifier: rds(port.routeName),
            serverName: SERVER_NAME,
            // Clients are strangers: what they claim about themselves does not count.
            useRemoteAddress: true,
          }),
        ],
      },
    ],
    metadata: buildMetadata(origins),
    origins,
    references: [port.routeName],
  });
}

function encodeListener(
  listener: Exclude<MessageInitShape<typeof ListenerSchema>, { $typeName: string }> & {
    readonly name: string;
    readonly origins: readonly Origin[];
    readonly references?: readonly string[];
  },
): XdsResource {
  const { origins, references, ...message } = listener;
  return encodeResource(ListenerSchema, create(ListenerSchema, message), {
    name: listener.name,
    origins,
    references: references ?? [],
  });
}

function rds(routeConfigName: string) {
  return { case: "rds", value: { configSource: ADS, routeConfigName } } as const;
}

function httpFilter(options: HttpOptions): MessageInitShape<typeof FilterSchema> {
  const router = packAny(RouterSchema, create(RouterSchema));
  const manager = create(HttpConnectionManagerSchema, {
    ...options,
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        configType: { case: "typedConfig", value: router },
      },
    ],
    // A stream may be silent for as long as it likes (Istio's default).
    streamIdleTimeout: ZERO,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    normalizePath: true,
  });
  return {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig", value: packAny(HttpConnectionManagerSchema, manager) },
  };
}

function tcpFilter(statPrefix: string, cluster: string): MessageInitShape<typeof FilterSchema> {
  const proxy = create(TcpProxySchema, {
    statPrefix,
    clusterSpecifier: { case: "cluster", value: cluster },
  });
  return {
    name: "envoy.filters.network.tcp_proxy",
    configType: { case: "typedConfig", value: packAny(TcpProxySchema, proxy) },
  };
}
