import { isIPv4, isIPv6 } from "../../base/ip.ts";
import { memoise } from "../../base/memo.ts";
import type { LocalityLbSetting } from "../../config/locality-lb-setting.ts";
import type { Cluster } from "../cluster.ts";
import type { Endpoint, ServiceEndpoints } from "../endpoint.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { compareText } from "../origin.ts";
import { isHttp, isHttp2 } from "../protocol.ts";
import type { Resolution, Service, ServicePort } from "../service.ts";
import type { Keepalive, TrafficPolicy } from "../traffic-policy.ts";
import type { ClientFacts } from "./client-facts.ts";
import { type LocalityRule, NEAR_NODE, NEAR_ZONE } from "./endpoint-groups.ts";

/** Whether clients reach a service by the address of the one they mean, and not by any endpoint. */
export function isPassthrough({ resolution, isHeadless }: Service): boolean {
  return resolution === "passthrough" || isHeadless;
}

/**
 * How a client finds a service's hosts. Only who captures connections knows their original
 * destination: gateways and explicit proxies choose among the endpoints instead.
 */
export function resolutionFor(
  service: Service,
  policy: TrafficPolicy,
  { isGateway, isPortable }: ClientFacts,
): Resolution {
  const isCapturing = !isGateway && !isPortable;
  const { resolution } = service;
  if (isCapturing && policy.loadBalancer === "PASSTHROUGH") return "passthrough";
  if (!isPassthrough(service)) return resolution;
  return isCapturing ? "passthrough" : "eds";
}

/** In which version of HTTP upstreams are spoken to. */
export function upstreamProtocol(
  port: ServicePort,
  { connectionPool }: TrafficPolicy,
  { isGateway, settings }: ClientFacts,
): Cluster["upstreamProtocol"] {
  const { h2Upgrade, isClientProtocol } = connectionPool;
  const isUpgraded = h2Upgrade === "default" && settings.isHttp2Upgrade && isHttp(port.protocol);
  if (h2Upgrade === "always" || isUpgraded) return "http2";
  if (isClientProtocol) return "client";
  if (isHttp2(port.protocol)) return "http2";
  if (isHttp(port.protocol)) return "http1";
  // A gateway does not look what its clients speak to such a port.
  return port.protocol === "auto" && !isGateway ? "client" : "tcp";
}

/** The mesh's keep-alive, over which the rule's fields lie one by one. */
export function keepaliveOf(
  { connectionPool: { keepalive } }: TrafficPolicy,
  { settings, isWeft }: ClientFacts,
): Keepalive | undefined {
  const mesh = settings.tcpKeepalive;
  if (mesh === undefined && keepalive === undefined) return undefined;
  const idleSeconds = keepalive?.idleSeconds ?? seconds(mesh?.timeMs);
  // Of weft's own proxy the rest is fixed.
  if (isWeft) return { probes: undefined, idleSeconds, intervalSeconds: undefined };
  return {
    probes: keepalive?.probes ?? mesh?.probes,
    idleSeconds,
    intervalSeconds: keepalive?.intervalSeconds ?? seconds(mesh?.intervalMs),
  };
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
}

/** Which localities are preferred: the rule says, else the service, else the mesh. */
export function localityRuleOf(
  policy: TrafficPolicy,
  service: Service,
  { localityLb }: MeshSettings,
): LocalityRule | undefined {
  // Without outlier detection nothing would be found to have failed.
  const isFailover = policy.outlierDetection !== undefined;
  const { locality } = policy;
  if (locality !== undefined) {
    return locality.enabled === false ? undefined : localityRule(locality, isFailover);
  }
  if (service.trafficDistribution !== "any") {
    const isNode = service.trafficDistribution === "prefer-same-node";
    return localityRule(isNode ? NEAR_NODE : NEAR_ZONE, true);
  }
  return localityLb.enabled === false ? undefined : localityRule(localityLb, isFailover);
}

/** The same value for all clusters with one setting, so that it is compared with a place once. */
const localityRule = memoise(
  (setting: LocalityLbSetting, isFailover: boolean): LocalityRule => ({ setting, isFailover }),
);

/** Whether a locality is chosen by weight before a host is; else all hosts are chosen from alike. */
export function isLocalityWeighted(rule: LocalityRule | undefined): boolean {
  if (rule === undefined) return false;
  const { distribute, failover, failoverPriority } = rule.setting;
  return (
    distribute !== undefined ||
    (rule.isFailover && (failover !== undefined || failoverPriority !== undefined))
  );
}

/** Whose certificates may answer for a service: the SPIFFE identities of its endpoints, sorted. */
export const identitiesOf = memoise(
  (
    endpoints: ServiceEndpoints,
    { trustDomain, trustDomainAliases }: MeshSettings,
  ): readonly string[] => {
    const accounts = new Set<string>();
    for (const list of endpoints.values()) {
      for (const { serviceAccount } of list)
        if (serviceAccount !== "") accounts.add(serviceAccount);
    }
    return [...accounts]
      .flatMap((account) => {
        const [namespace = "", name = ""] = account.split("/");
        return [trustDomain, ...trustDomainAliases].map(
          (domain) => `spiffe://${domain}/ns/${namespace}/sa/${name}`,
        );
      })
      .sort(compareText);
  },
);

/** Endpoints that a proxy can be told of over EDS: addresses and sockets, no names, none that is ill. */
export const addressesOf = memoise((endpoints: readonly Endpoint[]): readonly Endpoint[] =>
  keepAll(
    endpoints,
    ({ address, port, health }) =>
      health !== "unhealthy" && (port === 0 || isIPv4(address) || isIPv6(address)),
  ),
);

/** Endpoints of a cluster that looks names up itself. */
export const healthyOf = memoise((endpoints: readonly Endpoint[]): readonly Endpoint[] =>
  keepAll(endpoints, ({ health }) => health !== "unhealthy"),
);

/** Endpoints of one node. */
export const endpointsOfNode = memoise(
  (endpoints: readonly Endpoint[], node: string): readonly Endpoint[] =>
    keepAll(endpoints, ({ nodeName }) => nodeName === node),
);

/** The same list where nothing is left out. */
function keepAll(
  endpoints: readonly Endpoint[],
  isKept: (endpoint: Endpoint) => boolean,
): readonly Endpoint[] {
  return endpoints.every(isKept) ? endpoints : endpoints.filter(isKept);
}
