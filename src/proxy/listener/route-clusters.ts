import type { Issue } from "../../base/issue.ts";
import type { ClusterAction } from "../../match/route.ts";
import { allChains, type ListenerConfig } from "./listener-config.ts";

/**
 * The clusters that inline routes name and that are not there. Envoy looks unless the table says
 * `validate_clusters: false`; tables that come by RDS are not looked at.
 */
export function checkRouteClusters(
  listener: ListenerConfig,
  hasCluster: (name: string) => boolean,
): Issue[] {
  return allChains(listener).flatMap(({ terminal }) => {
    const table = terminal.http?.inlineRoutes;
    if (table === undefined || table.validatesClusters === false) return [];
    return table.virtualHosts.flatMap(({ routes }) =>
      routes.flatMap(({ action }) =>
        action.kind === "cluster" ? unknownOf(action, hasCluster) : [],
      ),
    );
  });
}

/** The collectors' clusters that are not there, as far as Envoy looks for them. */
export function checkTracerClusters(
  listener: ListenerConfig,
  hasCluster: (name: string) => boolean,
): Issue[] {
  return allChains(listener).flatMap(({ terminal }) => {
    const name = terminal.http?.tracing?.tracer?.neededCluster ?? "";
    if (name === "" || hasCluster(name)) return [];
    return [{ path: "", message: `envoy.tracers.zipkin: unknown cluster '${name}'` }];
  });
}

function unknownOf(action: ClusterAction, hasCluster: (name: string) => boolean): Issue[] {
  const shadows = action.mirrors.flatMap(({ cluster }) => (cluster === "" ? [] : [cluster]));
  const unknown = (names: readonly string[], what: string): Issue[] =>
    names
      .filter((name) => !hasCluster(name))
      .map((name) => ({ path: "", message: `route: unknown ${what} '${name}'` }));
  return [...unknown(action.clusterNames, "cluster"), ...unknown(shadows, "shadow cluster")];
}
