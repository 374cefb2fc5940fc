import type { Issue } from "../base/issue.ts";
import { memoise } from "../base/memo.ts";
import { suggest } from "../base/suggest.ts";
import { matchLabels } from "../config/label-selector.ts";
import { formatKey, keyText } from "../config/object.ts";
import { type DestinationRule, findRule } from "./destination-rule.ts";
import { type Gateway, hostsFor } from "./gateway.ts";
import { CLUSTER_DOMAIN, intersectHosts, isWildcard, isWithin } from "./host.ts";
import { type Mesh, servicesByHost } from "./mesh.ts";
import { compareAge, type ObjectIssue } from "./origin.ts";
import { peerAuthenticationIssues } from "./peer-authentication.ts";
import { ruleIssues } from "./policy/rule-issues.ts";
import { portOf, type Service } from "./service.ts";
import { sidecarIssues } from "./sidecar.ts";
import { telemetryIssues } from "./telemetry-issues.ts";
import {
  MESH_GATEWAY,
  type RuleDestination,
  resolveGateway,
  type VirtualService,
} from "./virtual-service.ts";

/** What is wrong between the objects of a mesh beside what single objects name, by the objects. */
export function generalIssues(mesh: Mesh): readonly ObjectIssue[] {
  const { sidecars, settings } = mesh;
  return [
    ...mesh.meshConfig.issues,
    ...mesh.registry.issues,
    ...mesh.ingressIssues,
    ...sidecars.flatMap((sidecar) =>
      sidecarIssues(sidecar, sidecars).map((issue) => ({ object: sidecar.key, issue })),
    ),
    ...mesh.automaticScope.issues,
    ...peerAuthenticationIssues(mesh.peerAuthentications, settings.rootNamespace),
    ...telemetryIssues(mesh),
  ];
}

/** The VirtualServices that were written as such, and those that others delegate to. */
export function writtenVirtualServices({
  virtualServices,
  delegates,
}: Mesh): readonly VirtualService[] {
  // What Ingresses amount to is said of them, not of objects that nobody wrote.
  return [...virtualServices.filter(({ key }) => key.kind === "VirtualService"), ...delegates];
}

/** The Gateways that were written as such. */
export function writtenGateways({ gateways }: Mesh): readonly Gateway[] {
  return gateways.filter(({ key }) => key.kind === "Gateway");
}

/** VirtualServices for sidecars by host, the oldest first. */
export type HostClaims = Pick<ReadonlyMap<string, readonly VirtualService[]>, "get">;

/** What a VirtualService says in vain. */
export function virtualServiceIssues(
  virtualService: VirtualService,
  mesh: Mesh,
  claims: HostClaims,
): readonly Issue[] {
  const { key, rules, tlsRules, tcpRules } = virtualService;
  // Of what a delegate names, the delegate is told.
  const own = rules.filter((rule) => rule.key === key || keyText(rule.key) === keyText(key));
  const destinations = [
    ...own.flatMap((rule) => [
      ...rule.destinations,
      ...rule.mirrors.map(({ destination }) => destination),
    ]),
    ...[...tlsRules, ...tcpRules].flatMap((rule) => rule.destinations),
  ];
  return [
    ...virtualService.issues,
    ...unusedDelegateIssues(virtualService, mesh),
    ...hostIssues(virtualService, mesh, claims),
    ...gatewayReferenceIssues(virtualService, mesh),
    ...matchGatewayIssues(virtualService),
    ...destinations.flatMap((destination) => destinationIssues(destination, virtualService, mesh)),
  ];
}

/** What is said of an object without hosts that no other delegates to. */
function unusedDelegateIssues({ key, hosts }: VirtualService, mesh: Mesh): readonly Issue[] {
  if (hosts.length > 0 || usedDelegates(mesh.virtualServices).has(keyText(key))) return [];
  const message = "it has no hosts, and no rule of another VirtualService delegates to it";
  return [warning("spec.hosts", `${message}: it has no effect`)];
}

/** The objects whose rules stand in other VirtualServices. */
const usedDelegates = memoise(
  (virtualServices: readonly VirtualService[]): ReadonlySet<string> =>
    new Set(
      virtualServices.flatMap(({ rules }) =>
        rules.flatMap((rule) => (rule.delegatedAt === undefined ? [] : [keyText(rule.key)])),
      ),
    ),
);

/** Hosts that sidecars route by another object, or that look like a service that is not there. */
function hostIssues(
  virtualService: VirtualService,
  mesh: Mesh,
  claims: HostClaims,
): readonly Issue[] {
  const { hosts, object, key } = virtualService;
  if (!virtualService.gateways.includes(MESH_GATEWAY)) return [];
  return hosts.flatMap((host, index) => {
    const path = `spec.hosts[${index}]`;
    const owner = (claims.get(host) ?? []).find(
      (other) => keyText(other.key) !== keyText(key) && compareAge(other.object, object) < 0,
    );
    if (owner !== undefined) {
      const message =
        `host "${host}" is routed by ${formatKey(owner.key)}, which is older: ` +
        "for sidecars this object has no effect on it";
      return [warning(path, message)];
    }
    if (isWildcard(host) || !host.endsWith(`.svc.${CLUSTER_DOMAIN}`)) return [];
    return servicesByHost(mesh).has(host)
      ? []
      : [unknownHost(path, host, virtualService.namespace, mesh)];
  });
}

/** The VirtualServices of the mesh for sidecars, by their hosts, the oldest first. */
export const hostClaims = memoise((virtualServices: Mesh["virtualServices"]) => {
  const byHost = new Map<string, VirtualService[]>();
  for (const virtualService of virtualServices) {
    if (!virtualService.gateways.includes(MESH_GATEWAY)) continue;
    for (const host of virtualService.hosts) {
      const list = byHost.get(host);
      if (list === undefined) byHost.set(host, [virtualService]);
      else list.push(virtualService);
    }
  }
  return byHost;
});

function gatewayReferenceIssues(virtualService: VirtualService, mesh: Mesh): readonly Issue[] {
  const { hosts, namespace } = virtualService;
  const issues: Issue[] = [];
  const served = new Map<string, readonly string[]>();
  for (const [index, name] of virtualService.gateways.entries()) {
    if (name === MESH_GATEWAY) continue;
    const path = `spec.gateways[${index}]`;
    const gateway = mesh.gateways.find((one) => one.name === name);
    if (gateway === undefined) {
      const names = mesh.gateways.map((one) => one.name);
      const meant = suggest(name, names);
      issues.push(warning(path, `there is no Gateway "${name}"${didYouMean(meant)}`));
      continue;
    }
    const list = gateway.servers.flatMap((server) => hostsFor(server, namespace));
    served.set(name, list);
    // With one place only, the hosts below say it better.
    if (virtualService.gateways.length > 1 && intersectHosts(hosts, list).length === 0) {
      const message = `${formatKey(gateway.key)} serves none of the hosts: it serves ${quoted(list)}`;
      issues.push(warning(path, message));
    }
  }
  // What is not known yet, or the mesh, may serve the host.
  if (served.size < virtualService.gateways.length) return issues;
  const all = [...served.values()].flat();
  for (const [index, host] of hosts.entries()) {
    if (intersectHosts([host], all).length > 0) continue;
    const names = virtualService.gateways.map((name) => `Gateway/${name}`).join(", ");
    const message = `host "${host}" is served by none of the gateways: ${names} serves ${quoted(all)}`;
    issues.push(warning(`spec.hosts[${index}]`, message));
  }
  return issues;
}

/** Gateways of matches that the object itself is not for: nothing ever matches there. */
function matchGatewayIssues({
  object,
  gateways,
  hosts,
  namespace,
}: VirtualService): readonly Issue[] {
  // A delegate's are held against the rule that delegates to it.
  if (hosts.length === 0) return [];
  return (["http", "tls", "tcp"] as const).flatMap((section) =>
    (object.spec[section] ?? []).flatMap((rule, at) =>
      (rule.match ?? []).flatMap((match, matchAt) =>
        (match.gateways ?? []).flatMap((name, index) => {
          if (gateways.includes(resolveGateway(name, namespace))) return [];
          const path = `spec.${section}[${at}].match[${matchAt}].gateways[${index}]`;
          const message = `"${name}" is not one of spec.gateways (${gateways.join(", ")}): no request comes from there`;
          return [warning(path, message)];
        }),
      ),
    ),
  );
}

function quoted(hosts: readonly string[]): string {
  if (hosts.length === 0) return "no host of this namespace";
  return [...new Set(hosts)].map((host) => `"${host}"`).join(", ");
}

function destinationIssues(
  { path, host, port, subset }: RuleDestination,
  virtualService: VirtualService,
  mesh: Mesh,
): readonly Issue[] {
  const service = serviceOf(mesh, host);
  if (service === undefined) {
    return [unknownHost(`${path}.host`, host, virtualService.namespace, mesh)];
  }
  const issues: Issue[] = [];
  if (port !== undefined && portOf(service, port) === undefined) {
    issues.push(unknownPort(`${path}.port.number`, port, service));
  }
  if (subset !== "") issues.push(...subsetIssues(`${path}.subset`, subset, service, mesh));
  return issues;
}

function subsetIssues(
  path: string,
  subset: string,
  service: Service,
  mesh: Mesh,
): readonly Issue[] {
  // As clients in the service's own namespace see it; others may have a rule of their own.
  const rule = findRule(mesh.rules, service, service.namespace);
  if (rule === undefined) {
    const message = `subset "${subset}" of ${service.hostname} is not defined: there is no DestinationRule for the host`;
    return [warning(path, message)];
  }
  const names = rule.subsets.map(({ name }) => name);
  if (names.includes(subset)) return [];
  const owners = rule.rules.map(({ key }) => formatKey(key)).join(", ");
  const known = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
  const message = `subset "${subset}" of ${service.hostname} is not defined in ${owners}: ${known}`;
  return [warning(path, `${message}${didYouMean(suggest(subset, names))}`)];
}

/** What a DestinationRule says in vain. */
export function destinationRuleIssues(rule: DestinationRule, mesh: Mesh): readonly Issue[] {
  const { host, namespace } = rule;
  const byHost = servicesByHost(mesh);
  const issues: Issue[] = [];
  const services = isWildcard(host)
    ? [...byHost].flatMap(([hostname, list]) => (isWithin(hostname, host) ? list : []))
    : (byHost.get(host) ?? []);
  if (services.length === 0) {
    issues.push(
      isWildcard(host)
        ? warning("spec.host", `no service is within "${host}"`)
        : unknownHost("spec.host", host, namespace, mesh),
    );
  }
  const neighbours = mesh.rules.byNamespace.get(namespace)?.byHost.get(host) ?? [];
  return [...issues, ...ruleIssues(rule, neighbours, services)];
}

/** What a Gateway says in vain. */
export function gatewayIssues(gateway: Gateway, mesh: Mesh): readonly Issue[] {
  const { object, selector, services, servers } = gateway;
  const issues = object.spec.servers.flatMap((server, index) => {
    const path = `spec.servers[${index}]`;
    const found: Issue[] = [];
    if (server.port.targetPort !== undefined) {
      const message =
        "has no effect, as in Istio: the Service of the gateway says where a port leads";
      found.push(warning(`${path}.port.targetPort`, message));
    }
    if (server.defaultEndpoint !== undefined) {
      const message = "has no effect, as in Istio: a VirtualService says where traffic goes";
      found.push(warning(`${path}.defaultEndpoint`, message));
    }
    if (servers[index]?.kind === "http" && server.tls?.mode !== undefined) {
      const message = `has no effect on a server of protocol ${server.port.protocol}: HTTPS would end TLS`;
      found.push(warning(`${path}.tls.mode`, message));
    }
    return found;
  });
  const isServed = mesh.registry.workloads.some(({ labels }) => matchLabels(selector, labels));
  if (services === undefined && !isServed) {
    const text = Object.entries(selector).map(([name, value]) => `${name}=${value}`);
    issues.push(warning("spec.selector", `no pod has the labels ${text.join(", ")}`));
  }
  return issues;
}

/** The service of a hostname; of several the first, which is right for messages. */
function serviceOf(mesh: Mesh, hostname: string): Service | undefined {
  return servicesByHost(mesh).get(hostname)?.[0];
}

function unknownHost(path: string, host: string, namespace: string, mesh: Mesh): Issue {
  return warning(
    path,
    `there is no service "${host}"${didYouMean(nearestHost(host, namespace, mesh))}`,
  );
}

/** The service that was meant: the same name elsewhere or half written, else one that is near. */
function nearestHost(host: string, namespace: string, mesh: Mesh): string | undefined {
  const [name = "", ...rest] = host.split(".");
  const hostnames = [...servicesByHost(mesh).keys()];
  // `reviews.default` and `reviews.default.svc` mean a service to DNS, but stand for themselves here.
  const completed = hostnames.find(
    (hostname) =>
      rest.length > 0 && hostname.startsWith(`${host}.`) && hostname.endsWith(CLUSTER_DOMAIN),
  );
  if (completed !== undefined) return completed;
  const { services } = mesh.registry;
  const own = services.filter((service) => service.namespace === namespace);
  const near = suggest(
    name,
    own.map((service) => service.name),
  );
  const neighbour = own.find((service) => service.name === near);
  if (neighbour !== undefined) return neighbour.hostname;
  return services.find((service) => service.name === name)?.hostname ?? suggest(host, hostnames);
}

function unknownPort(path: string, port: number, service: Service): Issue {
  const ports = service.ports.map(({ number }) => number).join(", ");
  return warning(path, `${service.hostname} has no port ${port}: it has ${ports}`);
}

function didYouMean(meant: string | undefined): string {
  return meant === undefined ? "" : `, did you mean "${meant}"?`;
}

function warning(path: string, message: string): Issue {
  return { path, message, severity: "warning" };
}
