import { wholeOf } from "../../base/cell-map.ts";
import { memoise } from "../../base/memo.ts";
import { clusterName } from "../cluster.ts";
import { findRule, type MergedRule, policyOf } from "../destination-rule.ts";
import type { TcpChain } from "../listener.ts";
import type { Service } from "../service.ts";
import type { RuleDestination, VirtualService } from "../virtual-service.ts";
import type { RouteContext } from "./route-context.ts";

/** A chain that leads to one cluster, and nothing else. */
export function plainTcpChain(cluster: string): TcpChain {
  return {
    type: "tcp",
    statPrefix: cluster,
    clusters: [{ name: cluster, weight: 1 }],
    idleTimeoutMs: undefined,
    maxConnectionDurationMs: undefined,
    isHashedBySource: false,
    tunnel: undefined,
    isClusterFromSni: false,
  };
}

/** The service that a hostname stands for: its own, or the one that it is another name of. */
export function serviceByName(
  services: ReadonlyMap<string, Service>,
  hostname: string,
): Service | undefined {
  return services.get(hostname) ?? aliasIndex(wholeOf(services)).get(hostname);
}

const aliasIndex = memoise((services: ReadonlyMap<string, Service>) => {
  const index = new Map<string, Service>();
  for (const service of services.values()) {
    for (const { hostname } of service.aliases) {
      if (!index.has(hostname)) index.set(hostname, service);
    }
  }
  return index;
});

/**
 * What the destinations of one rule make of a connection. What they name may be missing: such
 * connections are closed, and `references.ts` says so.
 */
export function buildRuleChain(
  { key, namespace }: VirtualService,
  destinations: readonly RuleDestination[],
  context: RouteContext,
): TcpChain {
  const { services } = context;
  const clusters = destinations.map(({ host, port, subset, weight }) => {
    const service = serviceByName(services, host);
    const number = port ?? onlyPort(service) ?? context.listenPort;
    return { name: clusterName(number, subset, service?.hostname ?? host), weight };
  });
  const [target] = destinations;
  const [first] = clusters;
  const service = target && serviceByName(services, target.host);
  const rule = service && ruleOf(service, context);
  if (clusters.length === 1 && target !== undefined && first !== undefined) {
    const { name } = first;
    return {
      ...withPolicy(rule, target.subset),
      statPrefix: name,
      clusters: [{ name, weight: 1 }],
    };
  }
  // Several share what is said of the first, but a subset's own words are of no use to them.
  return { ...withPolicy(rule, ""), statPrefix: `${key.name}.${namespace}`, clusters };
}

/**
 * What becomes of connections to a service port that no rule speaks of. A listener's port that the
 * service does not have means its only port.
 */
export function buildServiceChain(service: Service, context: RouteContext): TcpChain {
  const port = onlyPort(service) ?? context.listenPort;
  return serviceChain(service, port, ruleOf(service, context));
}

const serviceChain = memoise(
  (service: Service, port: number, rule: MergedRule | undefined): TcpChain => {
    const name = clusterName(port, "", service.hostname);
    return { ...withPolicy(rule, ""), statPrefix: name, clusters: [{ name, weight: 1 }] };
  },
);

function ruleOf(service: Service, { mesh, proxy }: RouteContext): MergedRule | undefined {
  return findRule(mesh.rules, service, proxy.namespace, proxy.labels);
}

function onlyPort(service: Service | undefined): number | undefined {
  return service?.ports.length === 1 ? service.ports[0]?.number : undefined;
}

/** Stands for the level above ports: a listener's own settings are not said per port. */
const NO_PORT = 0;

/** As in Istio: times are of the whole rule, the hash and the tunnel also of the subset. */
function withPolicy(rule: MergedRule | undefined, subset: string): TcpChain {
  const { connectionPool } = policyOf(rule, NO_PORT, "");
  const { hashKey, tunnel } = policyOf(rule, NO_PORT, subset);
  return {
    ...plainTcpChain(""),
    idleTimeoutMs: connectionPool.tcpIdleTimeoutMs,
    maxConnectionDurationMs: connectionPool.maxConnectionDurationMs,
    isHashedBySource: hashKey?.type === "source-ip",
    tunnel,
  };
}
