import { memoise } from "../../base/memo.ts";
import { type Mesh, servicesByHost } from "../mesh.ts";
import { compareText } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Scope } from "../scope.ts";
import type { Service } from "../service.ts";
import { MESH_GATEWAY } from "../virtual-service.ts";
import { isVisible } from "../visibility.ts";

/** What a proxy may see of the mesh; the same value for all proxies that see the same. */
export function scopeOf(mesh: Mesh, proxy: ProxyNode): Scope {
  return namespaceScope(mesh, proxy.namespace);
}

const namespaceScope = memoise((mesh: Mesh, namespace: string): Scope => {
  const services = visibleServices(mesh, namespace);
  const virtualServices = mesh.virtualServices.filter(({ gateways }) =>
    gateways.includes(MESH_GATEWAY),
  );
  return {
    namespace,
    settings: mesh.settings,
    services,
    virtualServices,
    egress: [
      {
        port: undefined,
        bind: undefined,
        captureMode: "DEFAULT",
        services,
        virtualServices,
        origin: undefined,
      },
    ],
    outboundMode: mesh.settings.outboundMode,
    egressProxy: undefined,
    origin: undefined,
  };
});

/** One service per hostname: the namespace's own first, then Kubernetes', then by namespace. */
function visibleServices(mesh: Mesh, namespace: string): ReadonlyMap<string, Service> {
  const seen = new Map<string, Service>();
  for (const [hostname, candidates] of servicesByHost(mesh)) {
    const [best] = candidates
      .filter(({ visibility }) => isVisible(visibility, namespace))
      .toSorted(
        (a, b) => rank(a, namespace) - rank(b, namespace) || compareText(a.namespace, b.namespace),
      );
    if (best !== undefined) seen.set(hostname, best);
  }
  return seen;
}

function rank(service: Service, namespace: string): number {
  if (service.namespace === namespace) return 0;
  return service.registry === "Kubernetes" ? 1 : 2;
}
