import type { Cluster, ClusterEndpoints } from "./cluster.ts";
import type { Mesh } from "./mesh.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { MeshViews } from "./mesh-views.ts";
import type { ObjectIssue } from "./origin.ts";
import type { ProxyNode } from "./proxy.ts";
import type { ProxyTelemetry } from "./proxy-telemetry.ts";
import type { VirtualHost } from "./route.ts";
import type { ViewPart } from "./view-part.ts";

/** What one proxy sees of the mesh. Lists that several proxies have alike are the same value. */
export interface ProxyView {
  readonly proxy: ProxyNode;
  readonly settings: MeshSettings;
  /** Of the services that it sees, a list for each. */
  readonly clusters: readonly (readonly Cluster[])[];
  /** For the clusters whose discovery is `eds`, a list for each service. */
  readonly endpoints: readonly (readonly ClusterEndpoints[])[];
  /** Of routes that the proxy asks for on demand; each is named `route configuration/host`. */
  readonly virtualHosts: readonly VirtualHost[];
  /** What it tells of the requests that it serves. */
  readonly telemetry: ProxyTelemetry;
  /** What it has alone. */
  readonly own: ViewPart;
  /** What others have too that are like it. */
  readonly shared: ViewPart;
  /** What concerns proxies such as this one; see `meshIssues` for the rest. */
  readonly issues: readonly ObjectIssue[];
}

/**
 * What a proxy sees of a mesh. Asked again, for this mesh or one that was built after it, it is the
 * same value as long as nothing changed that the proxy sees; for that the same `proxy` object has to
 * be given.
 */
export function buildProxyView(mesh: Mesh, proxy: ProxyNode): ProxyView {
  return viewsOf(mesh).view(mesh, proxy);
}

/** Meshes that were built one from the other have their memory in common, and this with it. */
const views = new WeakMap<object, MeshViews>();

/** What proxies see of a mesh and of those that it was built from. */
export function viewsOf(mesh: Mesh): MeshViews {
  const { memory } = mesh.registry;
  let found = views.get(memory);
  if (found === undefined) {
    found = new MeshViews(mesh);
    views.set(memory, found);
  }
  return found;
}
