import { formatKey } from "../config/object.ts";
import { readScopeLabel } from "./automatic-scope-label.ts";
import type { Labels } from "./labels.ts";
import { findWorkload, type Mesh } from "./mesh.ts";
import type { ProxyNode } from "./proxy.ts";
import { findSidecar } from "./sidecar.ts";

/** Whether a proxy's scope follows from what its workload calls. */
export interface AutomaticScope {
  /** Whether somebody asks for it. */
  readonly isAsked: boolean;
  /** Why it is not done although it is asked for; absent when it is. */
  readonly obstacle: string | undefined;
}

/** What the labels and Sidecars of the mesh say about a proxy; what it is able to is another matter. */
export function automaticScopeOf(mesh: Mesh, proxy: ProxyNode): AutomaticScope {
  const own = readScopeLabel(proxy.labels);
  const isAsked = own === "true" || (own !== "false" && isAskedByNamespace(mesh, proxy));
  return { isAsked, obstacle: isAsked ? obstacleOf(mesh, proxy) : undefined };
}

function isAskedByNamespace(mesh: Mesh, { namespace }: ProxyNode): boolean {
  return mesh.automaticScope.namespaces.has(namespace);
}

function obstacleOf({ sidecars, settings }: Mesh, proxy: ProxyNode): string | undefined {
  if (proxy.type === "router") return "a gateway sees what its Gateways and their routes name";
  const sidecar = findSidecar(sidecars, proxy, settings.rootNamespace);
  return sidecar === undefined ? undefined : `${formatKey(sidecar.key)} says what it sees`;
}

/** What several proxies are one of: they share what any of them was seen to call. */
export interface CallingWorkload {
  readonly namespace: string;
  readonly name: string;
  /** Labels that its pods have and others do not; none where nothing tells them apart. */
  readonly selector: Labels;
}

/** Labels that name a workload for people, in the order in which Istio looks at them. */
const NAME_LABELS = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];

/** The workload of a proxy: by the label that names it, else by the Deployment of its pod, else alone. */
export function callingWorkload(mesh: Mesh, proxy: ProxyNode): CallingWorkload {
  const { namespace, labels } = proxy;
  for (const label of NAME_LABELS) {
    const name = labels[label];
    if (name !== undefined && name !== "") return { namespace, name, selector: { [label]: name } };
  }
  return { namespace, name: findWorkload(mesh, proxy)?.workloadName ?? proxy.name, selector: {} };
}
