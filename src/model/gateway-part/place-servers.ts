import { matchLabels } from "../../config/label-selector.ts";
import { formatKey } from "../../config/object.ts";
import type { Gateway, GatewayServer } from "../gateway.ts";
import type { Mesh } from "../mesh.ts";
import type { ObjectIssue } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { ServiceTarget } from "../service.ts";
import { serviceTargets } from "../service-targets.ts";

/** A Service with this label does not lend its ports to Gateways (Istio's label). */
const NO_PORT_TRANSLATION = "experimental.istio.io/disable-gateway-port-translation";

/** The first port that a pod may bind without a privilege. */
const UNPRIVILEGED_PORT = 1024;

/** A server, and the port of the pod that it is served on. */
export interface PlacedServer {
  readonly server: GatewayServer;
  readonly port: number;
}

/** The Gateways that configure a proxy, the oldest first. */
export function selectingGateways(
  mesh: Mesh,
  proxy: ProxyNode,
  targets: readonly ServiceTarget[] = serviceTargets(mesh, proxy),
): readonly Gateway[] {
  return mesh.gateways.filter((gateway) =>
    gateway.services === undefined
      ? matchLabels(gateway.selector, proxy.labels)
      : targetsOf(gateway, targets).length > 0,
  );
}

/** The ports of services that a Gateway means: those that it names, else all that lead to the pod. */
function targetsOf(
  { services }: Gateway,
  targets: readonly ServiceTarget[],
): readonly ServiceTarget[] {
  if (services === undefined) return targets;
  return targets.filter(({ service }) => services.includes(service.hostname));
}

/** Every server of the Gateways that configure a proxy, on the ports of the pod that it means. */
export function placeServers(
  mesh: Mesh,
  proxy: ProxyNode,
): { readonly placed: readonly PlacedServer[]; readonly issues: readonly ObjectIssue[] } {
  const targets = serviceTargets(mesh, proxy);
  const placed: PlacedServer[] = [];
  const issues: ObjectIssue[] = [];
  for (const gateway of selectingGateways(mesh, proxy, targets)) {
    for (const server of gateway.servers) {
      const ports = podPorts(server.port, targetsOf(gateway, targets), gateway);
      if (ports.length === 0) {
        const services = gateway.services?.join(", ") ?? "";
        issues.push(portIssue(server, `is no port of ${services}: the server is not there`));
      }
      for (const port of ports) {
        if (proxy.isUnprivileged && port > 0 && port < UNPRIVILEGED_PORT) {
          const message = `the pod ${proxy.name} may not bind port ${port}: let a Service lead to a port from ${UNPRIVILEGED_PORT} on`;
          issues.push(portIssue(server, message));
        } else {
          placed.push({ server, port });
        }
      }
    }
  }
  return { placed, issues };
}

/**
 * The ports of the pod that stand for a server's port. A Gateway that selects by label may mean a
 * port of a Service, which stands for its target, or one of the pod: the first Service that has the
 * number decides. One that names its services means theirs, all of them.
 */
function podPorts(
  number: number,
  targets: readonly ServiceTarget[],
  { services }: Gateway,
): readonly number[] {
  const meant = targets.filter(
    ({ service, port }) =>
      port.number === number &&
      (services !== undefined || !(NO_PORT_TRANSLATION in service.labels)),
  );
  const ports = [...new Set(meant.map(({ targetPort }) => targetPort))];
  if (services !== undefined) return ports.sort((a, b) => a - b);
  return [ports[0] ?? number];
}

/** Says of a server's port what is wrong with it. */
export function portIssue(
  { key, path }: Pick<GatewayServer, "key" | "path">,
  message: string,
): ObjectIssue {
  return { object: key, issue: { path: `${path}.port.number`, message, severity: "warning" } };
}

/** `Gateway/namespace/name`, with the place inside. */
export function serverText({ key, path }: GatewayServer): string {
  return `${path} of ${formatKey(key)}`;
}
