import type { ClientStatus } from "../ads/client-status.ts";
import type { Published } from "../ads/publish-plan.ts";
import { XDS_SHORT_NAME } from "../ads/short-name.ts";
import { KINDS } from "../config/kinds.ts";
import type { ObjectKey } from "../config/object.ts";
import type { Mesh } from "../model/mesh.ts";
import type { ConfigView } from "../store/store.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import { RESOURCE_KINDS } from "../xds/snapshot.ts";
import { configDump } from "./config-dump.ts";
import type { ControlPlaneStatus } from "./control-plane-status.ts";
import { jsonPage, type Page, type Pages, textPage } from "./debug-server.ts";
import { distributionPage } from "./distribution-page.ts";
import type { DistributionAnswer } from "./status-board.ts";
import { synczEntry } from "./sync-status.ts";

/** What the pages show. */
export interface DebugTarget {
  readonly isReady: () => boolean;
  readonly metrics: MetricRegistry;
  readonly status: () => ControlPlaneStatus;
  readonly clients: () => readonly ClientStatus[];
  readonly published: (clientId: string) => Published | undefined;
  readonly distribution: (key: ObjectKey, proxy?: string) => DistributionAnswer | undefined;
  readonly view: () => ConfigView;
  readonly mesh: () => Mesh;
}

/** The pages of the control plane's monitoring port, under istiod's paths. */
export function debugPages(target: DebugTarget): Pages {
  return {
    "/ready": () => (target.isReady() ? textPage("ready\n") : textPage("not ready\n", 503)),
    "/metrics": () => ({
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      body: target.metrics.text(),
    }),
    "/debug/syncz": () => jsonPage(target.status().proxies.map(synczEntry)),
    "/debug/status": () => jsonPage(target.status()),
    "/debug/distribution": (query) => distributionPage(target.distribution, query),
    "/debug/adsz": () => adsPage(target),
    "/debug/configz": () => jsonPage(configOf(target.view())),
    "/debug/registryz": () => jsonPage(registryOf(target.mesh())),
    "/debug/endpointz": () => jsonPage(endpointsOf(target.mesh())),
    "/debug/config_dump": (query) => dumpPage(target, query.get("proxyID")),
  };
}

function adsPage({ clients }: DebugTarget): Page {
  const all = clients();
  return jsonPage({
    totalClients: all.length,
    clients: all.map(({ clientId, connectedAtMs, node, kinds, isSettled }) => ({
      connectionId: clientId,
      connectedAt: new Date(connectedAtMs).toISOString(),
      agent: node.userAgent,
      metadata: node.metadata,
      isSettled,
      watches: Object.fromEntries(
        RESOURCE_KINDS.map((kind) => [XDS_SHORT_NAME[kind], kinds[kind].resources]),
      ),
    })),
  });
}

/** The configuration that shapes the mesh; nothing that may hold a secret. */
function configOf(view: ConfigView): readonly unknown[] {
  return KINDS.filter(({ group }) => group.endsWith("istio.io")).flatMap(({ group, kind }) =>
    view.list(group, kind),
  );
}

function registryOf({ registry }: Mesh): readonly unknown[] {
  return registry.services.map(({ hostname, namespace, ports }) => ({
    hostname,
    Attributes: { Namespace: namespace },
    ports,
  }));
}

function endpointsOf({ registry }: Mesh): readonly unknown[] {
  return registry.services.flatMap(({ id, hostname }) =>
    [...(registry.endpoints.get(id) ?? [])].map(([port, ep]) => ({
      svc: `${hostname}:${port}`,
      ep,
    })),
  );
}

function dumpPage({ clients, published }: DebugTarget, proxyId: string | null): Page {
  if (proxyId === null) return textPage("say which: ?proxyID=POD.NAMESPACE\n", 400);
  const client = clients().find(
    ({ clientId, node }) =>
      clientId === proxyId || node.id === proxyId || node.id.split("~")[2] === proxyId,
  );
  const resources = client === undefined ? undefined : published(client.clientId);
  if (client === undefined || resources === undefined) {
    return textPage(`proxy "${proxyId}" is not connected\n`, 404);
  }
  return jsonPage(configDump(resources, client));
}
