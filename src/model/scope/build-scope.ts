import { memoise } from "../../base/memo.ts";
import type { Mesh } from "../mesh.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ProxyNode } from "../proxy.ts";
import type { EgressListener, Scope } from "../scope.ts";
import type { Service } from "../service.ts";
import { findSidecar, type Sidecar } from "../sidecar.ts";
import { MESH_GATEWAY, type VirtualService } from "../virtual-service.ts";
import { isVisible } from "../visibility.ts";
import { candidatesFor, firstCandidates } from "./candidates.ts";
import { buildSidecarScope } from "./sidecar-scope.ts";

/**
 * What a proxy may see of the mesh; the same value for all proxies that see the same, and from one
 * mesh to the next where nothing of it changed. Gateways have no Sidecar.
 */
export function scopeOf(mesh: Mesh, proxy: ProxyNode): Scope {
  return scopeFor(mesh, proxy.namespace, sidecarOf(mesh, proxy));
}

/** The Sidecar that selects a proxy. */
export function sidecarOf({ sidecars, settings }: Mesh, proxy: ProxyNode): Sidecar | undefined {
  return proxy.type === "sidecar"
    ? findSidecar(sidecars, proxy, settings.rootNamespace)
    : undefined;
}

/** What the proxies of a namespace see that a Sidecar selects, or none. */
export function scopeFor(mesh: Mesh, namespace: string, sidecar: Sidecar | undefined): Scope {
  const { settings, registry } = mesh;
  const virtualServices = virtualServicesFor(mesh.virtualServices, namespace);
  return sidecar === undefined
    ? namespaceScope(settings, registry.services, virtualServices, namespace)
    : buildSidecarScope(sidecar, settings, registry.services, virtualServices, namespace);
}

const namespaceScope = memoise(
  (
    settings: MeshSettings,
    all: readonly Service[],
    virtualServices: readonly VirtualService[],
    namespace: string,
  ): Scope => {
    const services = firstCandidates(candidatesFor(all, namespace));
    const everything: EgressListener = {
      port: undefined,
      bind: "",
      captureMode: "DEFAULT",
      services,
      virtualServices,
      origin: undefined,
    };
    return {
      namespace,
      settings,
      services,
      virtualServices,
      egress: [everything],
      outboundMode: settings.outboundMode,
      egressProxy: undefined,
      sidecar: undefined,
      issues: [],
    };
  },
);

/** Those for sidecars that are exported to a namespace; one without hosts is only for others. */
const virtualServicesFor = memoise(
  (virtualServices: readonly VirtualService[], namespace: string): readonly VirtualService[] =>
    virtualServices.filter(
      ({ gateways, hosts, visibility }) =>
        hosts.length > 0 && gateways.includes(MESH_GATEWAY) && isVisible(visibility, namespace),
    ),
);
