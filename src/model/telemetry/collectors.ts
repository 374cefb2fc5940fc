import { isIPv4, isIPv6, parseHostPort } from "../../base/ip.ts";
import { memoise } from "../../base/memo.ts";
import { type Cluster, clusterName, type LookupFamily } from "../cluster.ts";
import { BARE_ENDPOINT, NO_LOCALITY } from "../endpoint.ts";
import { CLUSTER_DOMAIN } from "../host.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { portOf, type Service } from "../service.ts";
import { DEFAULT_POLICY } from "../traffic-policy.ts";
import { servicesByHost } from "./providers.ts";
import type { TelemetryFacts } from "./proxy-facts.ts";

/** The names that the clusters have in the start-up files of Istio's agent. */
const ZIPKIN = "zipkin";
const LOG_SERVICE = "envoy_accesslog_service";

/** Where something is that ProxyConfig gives the address of. */
export interface AddressedCollector {
  readonly clusterName: string;
  readonly hostname: string;
  /** Absent: a service of the mesh has it. */
  readonly cluster: Cluster | undefined;
}

/** `tracing.zipkin.address`, for proxies whose start-up file has no cluster for it. */
export function zipkinCollector(
  { tracing, lookupFamily }: TelemetryFacts,
  settings: MeshSettings,
): AddressedCollector | undefined {
  return tracing?.zipkin && collectorAt(settings, ZIPKIN, tracing.zipkin, lookupFamily);
}

/** `envoyAccessLogService.address`; under Istio's agent the start-up file has a cluster for it. */
export function logServiceCollector(
  { logService, lookupFamily, hasWeftAgent }: TelemetryFacts,
  settings: MeshSettings,
): AddressedCollector | undefined {
  if (logService !== undefined && !hasWeftAgent) {
    return { clusterName: LOG_SERVICE, hostname: "", cluster: undefined };
  }
  return logService && collectorAt(settings, LOG_SERVICE, logService, lookupFamily);
}

/** An address, and the service of the mesh that it is. */
export interface CollectorAddress {
  readonly address: string;
  readonly service: { readonly clusterName: string; readonly hostname: string } | undefined;
}

/** Reads `HOST:PORT`; a host of the mesh is looked up here, since no DNS may know it. */
export function collectorAddress(
  address: string,
  services: readonly Service[],
  namespace: string,
): CollectorAddress {
  const { host = "", port = 0 } = parseHostPort(address) ?? {};
  const domain = `svc.${CLUSTER_DOMAIN}`;
  const names = [host, `${host}.${CLUSTER_DOMAIN}`, `${host}.${domain}`];
  const own = host.includes(".") ? [] : [`${host}.${namespace}.${domain}`];
  const byHost = servicesByHost(services);
  for (const name of [...names, ...own]) {
    const [service] = byHost.get(name) ?? [];
    if (service === undefined || portOf(service, port) === undefined) continue;
    return { address, service: { clusterName: clusterName(port, "", name), hostname: name } };
  }
  return { address, service: undefined };
}

function collectorAt(
  settings: MeshSettings,
  name: string,
  { address, service }: CollectorAddress,
  family: LookupFamily,
): AddressedCollector | undefined {
  if (service !== undefined) return { ...service, cluster: undefined };
  const cluster = collectorCluster(settings, name, address, family);
  return cluster && { clusterName: name, hostname: name, cluster };
}

/** As Istio's agent writes them: by DNS, and gRPC over HTTP/2. An address that cannot be read makes none. */
const collectorCluster = memoise(
  (
    settings: MeshSettings,
    name: string,
    address: string,
    family: LookupFamily,
  ): Cluster | undefined => {
    const { host = "", port = 0 } = parseHostPort(address) ?? {};
    if (host === "" || port === 0) return undefined;
    const endpoint = { ...BARE_ENDPOINT, address: host, port };
    const group = { locality: NO_LOCALITY, priority: 0, weight: 1, endpoints: [endpoint] };
    return {
      name,
      direction: "outbound",
      discovery:
        isIPv4(host) || isIPv6(host)
          ? { type: "static", endpoints: [endpoint] }
          : { type: "strict-dns", groups: [group], family, refreshMs: settings.dnsRefreshMs },
      target: undefined,
      policy: DEFAULT_POLICY,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      upstreamProtocol: name === LOG_SERVICE ? "http2" : "http1",
      origins: [],
    };
  },
);

/** As Istio's agent has it. */
const CONNECT_TIMEOUT_MS = 1000;
