import { CellMap } from "../../base/cell-map.ts";
import { type Cell, type CellGraph, isSameList, isSameMap } from "../../base/cells.ts";
import { keyText } from "../../config/object.ts";
import type { Mesh } from "../mesh.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ProxyNode } from "../proxy.ts";
import type { EgressListener, Scope } from "../scope.ts";
import type { Service } from "../service.ts";
import { scopeFor, sidecarOf } from "./build-scope.ts";

/** Which scope a proxy has: proxies with the same text have the same one. */
export function scopeText(mesh: Mesh, proxy: ProxyNode): string {
  const sidecar = sidecarOf(mesh, proxy);
  return JSON.stringify([proxy.namespace, sidecar === undefined ? "" : keyText(sidecar.key)]);
}

/**
 * A scope from one mesh to the next, and the parts of it that change less often than the whole. Those
 * who read a part are not concerned by a change of another.
 */
export class ScopeCells {
  /** All of it. */
  readonly whole: Cell<Scope>;
  /** By hostname. */
  readonly services: CellMap<Service>;
  /** What does not depend on VirtualServices that only route HTTP; `virtualServices` has no others. */
  readonly withoutHttp: Cell<Scope>;
  /** What does not depend on services and VirtualServices at all; both are empty here. */
  readonly rules: Cell<Scope>;
  readonly namespace: string;
  /** The mesh's, which do not change with a Sidecar. */
  readonly settings: Cell<MeshSettings>;

  constructor(graph: CellGraph, mesh: Mesh, text: string) {
    const [namespace, sidecarText] = JSON.parse(text) as [string, string];
    this.namespace = namespace;
    this.settings = graph.cell(() => mesh.settings);
    this.whole = graph.cell(() => {
      const sidecar =
        sidecarText === ""
          ? undefined
          : mesh.sidecars.find(({ key }) => keyText(key) === sidecarText);
      return scopeFor(mesh, namespace, sidecar);
    });
    const services = graph.cell(() => this.whole.get().services, isSameMap);
    this.services = new CellMap(graph, services);
    this.withoutHttp = graph.cell(() => withoutHttp(this.whole.get()), isSameScope);
    this.rules = graph.cell(() => emptied(this.whole.get()), isSameScope);
  }
}

function withoutHttp(scope: Scope): Scope {
  const ofConnections = (list: Scope["virtualServices"]): Scope["virtualServices"] =>
    list.filter(({ tlsRules, tcpRules }) => tlsRules.length > 0 || tcpRules.length > 0);
  return {
    ...scope,
    virtualServices: ofConnections(scope.virtualServices),
    egress: scope.egress.map((listener) => ({
      ...listener,
      virtualServices: ofConnections(listener.virtualServices),
    })),
  };
}

const NO_SERVICES: ReadonlyMap<string, Service> = new Map();

function emptied(scope: Scope): Scope {
  return { ...scope, services: NO_SERVICES, virtualServices: [], egress: [] };
}

function isSameScope(last: Scope, next: Scope): boolean {
  const { services, virtualServices, egress, issues, ...rest } = last;
  return (
    Object.entries(rest).every(([name, value]) => next[name as keyof Scope] === value) &&
    isSameMap(services, next.services) &&
    isSameList(virtualServices, next.virtualServices) &&
    isSameList(issues, next.issues) &&
    egress.length === next.egress.length &&
    egress.every((listener, index) => isSameListener(listener, next.egress[index]))
  );
}

function isSameListener(last: EgressListener, next: EgressListener | undefined): boolean {
  return (
    next !== undefined &&
    last.port === next.port &&
    last.bind === next.bind &&
    last.captureMode === next.captureMode &&
    last.origin?.key === next.origin?.key &&
    last.origin?.path === next.origin?.path &&
    isSameMap(last.services, next.services) &&
    isSameList(last.virtualServices, next.virtualServices)
  );
}
