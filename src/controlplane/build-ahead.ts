import type { Clock } from "../base/clock.ts";
import type { Mesh } from "../model/mesh.ts";
import { decodeProxyNode } from "../model/proxy-node.ts";
import { buildProxyView, viewsOf } from "../model/proxy-view.ts";
import { buildSnapshot } from "../xds/build-snapshot.ts";

/** After so long no further namespace is begun. */
const AHEAD_MS_MAX = 1000;

/** An address for documentation (RFC 5737), where no service is. */
const ADDRESS = "192.0.2.1";

/**
 * Builds what sidecars have in common before the first one asks, so that after a start nobody waits
 * for it: as for an Envoy that stands beside an app without labels, in the namespaces with most
 * services first. A proxy that sees something else has that computed when it comes.
 */
export function buildAhead(mesh: Mesh, clock: Clock): void {
  const startMs = clock.monotonicMs();
  const counts = new Map<string, number>();
  for (const { namespace } of mesh.registry.services) {
    counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
  }
  const namespaces = [...counts].sort(([, left], [, right]) => right - left);
  for (const [namespace] of namespaces) {
    const domain = `${namespace}.svc.cluster.local`;
    const proxy = decodeProxyNode({ id: `sidecar~${ADDRESS}~ahead.${namespace}~${domain}` });
    if (!proxy.ok) continue;
    buildSnapshot(buildProxyView(mesh, proxy.value));
    viewsOf(mesh).forget(proxy.value);
    if (clock.monotonicMs() - startMs > AHEAD_MS_MAX) return;
  }
}
