import { type Mesh, servicesByHost } from "../model/mesh.ts";
import { isVisible } from "../model/visibility.ts";
import type { WorkloadCalls } from "./called-hosts-store.ts";
import type { ProxyScope, ProxyScopes } from "./proxy-scope.ts";

/** Who calls what, as `/debug/scopez` shows it. */
export interface ScopePage {
  readonly workloads: readonly ScopedWorkload[];
  readonly proxies: readonly ScopedProxy[];
}

/** What one workload was seen to call. */
interface ScopedWorkload {
  readonly namespace: string;
  readonly name: string;
  /** Labels that select its pods; none where nothing tells them apart. */
  readonly selector: Readonly<Record<string, string>>;
  readonly hosts: readonly {
    /** `route configuration/host` */
    readonly asked: string;
    readonly lastAskedAt: string;
    /** `namespace/host`, as a Sidecar imports it; absent for what is nobody's, or while no proxy of it is connected. */
    readonly import?: string;
  }[];
}

/** One proxy that is connected, or was asked to be in automatic scope. */
interface ScopedProxy {
  /** `pod.namespace` */
  readonly proxy: string;
  readonly workload: string;
  readonly isAutomatic: boolean;
  /** Why not, although it is asked for. */
  readonly obstacle?: string;
  /** Clusters of services that it might see and does not have. */
  readonly omittedClusters: number;
}

/** Puts the page together, sorted by name. */
export function scopePage(
  { workloads, proxies }: Pick<ProxyScopes, "workloads" | "proxies">,
  mesh: Mesh,
): ScopePage {
  return {
    workloads: workloads
      .filter(({ hosts }) => hosts.size > 0)
      .map((calls) => scopedWorkload(calls, proxies, mesh))
      .toSorted((a, b) => compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`)),
    proxies: proxies
      .filter(({ isAutomatic, obstacle }) => isAutomatic || obstacle !== undefined)
      .map(({ node, workload, isAutomatic, obstacle, omitted }) => ({
        proxy: `${node.name}.${node.namespace}`,
        workload: `${workload.namespace}/${workload.name}`,
        isAutomatic,
        ...(obstacle !== undefined && { obstacle }),
        omittedClusters: omitted,
      }))
      .toSorted((a, b) => compare(a.proxy, b.proxy)),
  };
}

function scopedWorkload(
  { workload, askedAtMs }: WorkloadCalls,
  proxies: readonly ProxyScope[],
  mesh: Mesh,
): ScopedWorkload {
  const { namespace, name, selector } = workload;
  const proxy = proxies.find(
    (one) => one.isAutomatic && one.workload.name === name && one.workload.namespace === namespace,
  );
  const hosts = [...askedAtMs].map(([asked, atMs]) => {
    const host = proxy?.known.get(asked);
    return {
      asked,
      lastAskedAt: new Date(atMs).toISOString(),
      ...(host !== undefined && { import: importOf(host, namespace, mesh) }),
    };
  });
  return { namespace, name, selector, hosts: hosts.toSorted((a, b) => compare(a.asked, b.asked)) };
}

/** A host that is a rule's alone is imported from wherever that is. */
function importOf(host: string, client: string, mesh: Mesh): string {
  const services = servicesByHost(mesh).get(host) ?? [];
  const seen = services.filter(({ visibility }) => isVisible(visibility, client));
  const own = seen.find(({ namespace }) => namespace === client) ?? seen[0];
  return `${own?.namespace ?? "*"}/${host}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : 1;
}
