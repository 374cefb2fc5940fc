import { type Cell, type CellGraph, isSameList } from "../../base/cells.ts";
import { isSameJson } from "../../config/json.ts";
import type { Mesh } from "../mesh.ts";
import type { Service } from "../service.ts";
import {
  findProvider,
  type ProviderTargets,
  providersInUse,
  providerTargets,
} from "./providers.ts";

/** Who is told of requests, from one mesh to the next: the same for all proxies. */
export class CollectorCells {
  /** Where the mesh's providers are served. */
  readonly targets: Cell<ProviderTargets>;
  /** The services of those that somebody uses, each once. */
  readonly services: Cell<readonly Service[]>;

  constructor(graph: CellGraph, mesh: Mesh) {
    this.targets = graph.cell(
      () => providerTargets(mesh.settings, mesh.registry.services),
      isSameJson,
    );
    this.services = graph.cell(() => {
      const names = providersInUse(mesh.settings, mesh.telemetries);
      const targets = this.targets.get();
      const ids = new Set<string>();
      for (const name of names) {
        const target = targets[findProvider(mesh.settings, name)?.name ?? ""];
        if (target !== undefined && "serviceId" in target) ids.add(target.serviceId);
      }
      if (ids.size === 0) return NONE;
      return mesh.registry.services.filter(({ id }) => ids.has(id));
    }, isSameList);
  }
}

const NONE: readonly Service[] = [];
