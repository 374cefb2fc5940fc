import { KINDS } from "../config/kinds.ts";
import { parseMeshConfig } from "../config/mesh-config.ts";
import type { Mesh } from "../model/mesh.ts";
import type { ConfigView } from "../store/store.ts";
import { JsonList } from "./json-chunks.ts";

/** The kinds of Istio that are read, as `/debug/resourcesz` shows them. */
export function istioKinds(): readonly unknown[] {
  return KINDS.filter(({ group }) => group.endsWith("istio.io")).map(
    ({ group, versions, kind }) => ({
      Group: group,
      Version: versions[0],
      Kind: kind,
    }),
  );
}

/** The configuration that shapes the mesh; nothing that may hold a secret. */
export function configJson(view: ConfigView): JsonList {
  return new JsonList(function* () {
    for (const { group, kind } of KINDS) {
      if (group.endsWith("istio.io")) yield* view.list(group, kind);
    }
  });
}

/** What the settings say, under Istio's names: what holds by default, and over it what is written. */
export function meshConfigJson({ settings, meshConfig }: Mesh): unknown {
  const written = parseMeshConfig(meshConfig.source.mesh);
  return {
    rootNamespace: settings.rootNamespace,
    trustDomain: settings.trustDomain,
    trustDomainAliases: settings.trustDomainAliases,
    enableAutoMtls: settings.isAutoMtls,
    outboundTrafficPolicy: { mode: settings.outboundMode },
    inboundTrafficPolicy: { mode: settings.inboundMode },
    connectTimeout: `${settings.connectTimeoutMs / 1000}s`,
    proxyListenPort: settings.outboundPort,
    proxyInboundListenPort: settings.inboundPort,
    proxyHttpPort: settings.httpProxyPort,
    dnsRefreshRate: `${settings.dnsRefreshMs / 1000}s`,
    ingressControllerMode: settings.ingress.mode,
    ingressClass: settings.ingress.className,
    ingressService: settings.ingress.service,
    ingressSelector: settings.ingress.selector,
    defaultServiceExportTo: settings.exportTo.service,
    defaultVirtualServiceExportTo: settings.exportTo.virtualService,
    defaultDestinationRuleExportTo: settings.exportTo.destinationRule,
    enablePrometheusMerge: settings.isPrometheusMerged,
    ...(written.ok ? written.value : {}),
  };
}
