import { wholeOf } from "../../base/cell-map.ts";
import { memoise } from "../../base/memo.ts";
import { clusterName } from "../cluster.ts";
import { findRule, policyOf } from "../destination-rule.ts";
import type { MissingReference } from "../route.ts";
import { portOf, type Service } from "../service.ts";
import type { HashKey } from "../traffic-policy.ts";
import type { RuleDestination } from "../virtual-service.ts";
import type { RouteContext } from "./route-context.ts";

/** What a destination means for one proxy. */
export interface Target {
  readonly cluster: string;
  /** `host:port`, as traces call it. */
  readonly name: string;
  /** Why there is no such cluster. */
  readonly missing?: MissingReference;
  /** What requests go by that keep to one endpoint. */
  readonly hashKey?: HashKey;
}

/**
 * Follows a destination: to the service that it names, or that the name is another one for; to its
 * port, which without one is the service's only one, else the one that the client asked for.
 */
export function resolveDestination(
  { host, subset, port: written }: RuleDestination,
  { services, listenPort, mesh, proxy }: RouteContext,
): Target {
  const service = services.get(host) ?? servicesByAlias(wholeOf(services)).get(host);
  const only = service?.ports.length === 1 ? service.ports[0]?.number : undefined;
  const port = written ?? only ?? listenPort;
  const hostname = service?.hostname ?? host;
  const target = {
    cluster: clusterName(port, subset, hostname),
    name: `${hostname}:${port}`,
  };
  if (service === undefined) return { ...target, missing: "host_not_found" };
  if (portOf(service, port) === undefined) return { ...target, missing: "port_not_found" };
  const rule = findRule(mesh.rules, service, proxy.namespace, proxy.labels);
  if (subset !== "" && !(rule?.subsets.some(({ name }) => name === subset) ?? false)) {
    return { ...target, missing: "subset_not_found" };
  }
  const { hashKey } = policyOf(rule, port, subset);
  return hashKey === undefined ? target : { ...target, hashKey };
}

const servicesByAlias = memoise(
  (services: ReadonlyMap<string, Service>): ReadonlyMap<string, Service> => {
    const byAlias = new Map<string, Service>();
    for (const service of services.values()) {
      for (const { hostname } of service.aliases) byAlias.set(hostname, service);
    }
    return byAlias;
  },
);
