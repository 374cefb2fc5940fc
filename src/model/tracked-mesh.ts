import { CellMap } from "../base/cell-map.ts";
import { type CellGraph, type Input, isSameList } from "../base/cells.ts";
import { InputMap } from "../base/input-map.ts";
import type { DestinationRule, NamespaceRules, RuleIndex } from "./destination-rule.ts";
import type { ServiceEndpoints } from "./endpoint.ts";
import type { Mesh } from "./mesh.ts";
import type { Registry } from "./registry/registry.ts";
import type { ServiceTarget } from "./service.ts";

/** What a mesh is given as, part by part; the rules follow from the list of rules. */
type Parts = Omit<Mesh, "registry" | "rules"> &
  Omit<Registry, "endpoints" | "listed"> & { readonly index: RuleIndex };

const NO_RULES: ReadonlyMap<string, readonly DestinationRule[]> = new Map();
const NO_HOSTS: readonly string[] = [];
const NO_SELECTING: readonly DestinationRule[] = [];

/**
 * The mesh as it is at the moment, for cells to read: what is computed depends on just those parts
 * that it looked at. Lists count as one thing each; of endpoints every service, of rules every host
 * of a namespace is a thing of its own.
 */
export class TrackedMesh implements Mesh {
  readonly registry: Registry;
  readonly rules: RuleIndex;
  readonly #inputs: { readonly [K in keyof Parts]: Input<Parts[K]> };
  readonly #endpoints: InputMap<ServiceEndpoints>;
  readonly #listed: InputMap<readonly ServiceTarget[]>;

  constructor(graph: CellGraph, mesh: Mesh) {
    const parts = partsOf(mesh);
    const inputs = Object.fromEntries(
      Object.entries(parts).map(([name, value]) => [name, graph.input<unknown>(value)]),
    ) as unknown as { readonly [K in keyof Parts]: Input<Parts[K]> };
    this.#inputs = inputs;
    this.#endpoints = new InputMap(graph, mesh.registry.endpoints);
    this.#listed = new InputMap(graph, mesh.registry.listed, isSameTargets);
    this.registry = {
      endpoints: this.#endpoints,
      listed: this.#listed,
      get services() {
        return inputs.services.get();
      },
      get workloads() {
        return inputs.workloads.get();
      },
      get issues() {
        return inputs.issues.get();
      },
      get memory() {
        return inputs.memory.get();
      },
    };
    this.rules = trackedRules(graph, inputs.index);
  }

  /** From now on the mesh is another one. */
  set(mesh: Mesh): void {
    const parts = partsOf(mesh);
    for (const name of Object.keys(parts) as (keyof Parts)[]) {
      (this.#inputs[name] as Input<unknown>).set(parts[name]);
    }
    this.#endpoints.set(mesh.registry.endpoints);
    this.#listed.set(mesh.registry.listed);
  }

  get settings(): Mesh["settings"] {
    return this.#inputs.settings.get();
  }

  get meshConfig(): Mesh["meshConfig"] {
    return this.#inputs.meshConfig.get();
  }

  get virtualServices(): Mesh["virtualServices"] {
    return this.#inputs.virtualServices.get();
  }

  get delegates(): Mesh["delegates"] {
    return this.#inputs.delegates.get();
  }

  get destinationRules(): Mesh["destinationRules"] {
    return this.#inputs.destinationRules.get();
  }

  get gateways(): Mesh["gateways"] {
    return this.#inputs.gateways.get();
  }

  get ingressIssues(): Mesh["ingressIssues"] {
    return this.#inputs.ingressIssues.get();
  }

  get sidecars(): Mesh["sidecars"] {
    return this.#inputs.sidecars.get();
  }

  get automaticScope(): Mesh["automaticScope"] {
    return this.#inputs.automaticScope.get();
  }

  get peerAuthentications(): Mesh["peerAuthentications"] {
    return this.#inputs.peerAuthentications.get();
  }

  get telemetries(): Mesh["telemetries"] {
    return this.#inputs.telemetries.get();
  }
}

function isSameTargets(last: readonly ServiceTarget[], next: readonly ServiceTarget[]): boolean {
  return (
    last.length === next.length &&
    last.every(({ service, port, targetPort }, index) => {
      const other = next[index];
      return other?.service === service && other.port === port && other.targetPort === targetPort;
    })
  );
}

function partsOf({ registry, rules, ...rest }: Mesh): Parts {
  const { endpoints: _endpoints, listed: _listed, ...whole } = registry;
  return { ...rest, ...whole, index: rules };
}

function trackedRules(graph: CellGraph, index: Input<RuleIndex>): RuleIndex {
  const namespaces = graph.family((namespace: string): NamespaceRules => {
    const rules = graph.cell(() => index.get().byNamespace.get(namespace));
    const byHost = graph.cell(() => rules.get()?.byHost ?? NO_RULES);
    const wildcards = graph.cell(() => rules.get()?.wildcards ?? NO_HOSTS, isSameList);
    const selecting = graph.cell(() => rules.get()?.selecting ?? NO_SELECTING, isSameList);
    return {
      byHost: new CellMap(graph, byHost, isSameList),
      get wildcards() {
        return wildcards.get();
      },
      get selecting() {
        return selecting.get();
      },
    };
  });
  const rootNamespace = graph.cell(() => index.get().rootNamespace);
  return {
    byNamespace: { get: (namespace) => namespaces.get(namespace) },
    get rootNamespace() {
      return rootNamespace.get();
    },
  };
}
