import type { ProxyConfigSettings } from "../../config/mesh-proxy-config.ts";
import type { LookupFamily } from "../cluster.ts";
import { lookupFamilyOf } from "../dns-lookup.ts";
import type { Mesh } from "../mesh.ts";
import type { ProxyNode } from "../proxy.ts";
import { ownProxyConfig, record } from "../proxy-settings.ts";
import { type CollectorAddress, collectorAddress } from "./collectors.ts";

/** `tracing` of a proxy's ProxyConfig, as far as it counts. */
export interface ProxyTracing {
  readonly sampling: number | undefined;
  readonly pathLengthMax: number | undefined;
  readonly customTags: NonNullable<NonNullable<ProxyConfigSettings["tracing"]>["customTags"]>;
  readonly hasIstioTags: boolean;
  readonly zipkin: CollectorAddress | undefined;
}

/** What of a proxy its telemetry depends on: little, so that many proxies have the same. */
export interface TelemetryFacts {
  readonly isGateway: boolean;
  readonly hasWeftAgent: boolean;
  readonly istioMinor: number | undefined;
  readonly serviceCluster: string;
  /** Its name by OpenTelemetry's conventions. */
  readonly conventionalName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly meshId: string;
  readonly namespace: string;
  readonly clusterId: string;
  /** Absent: nothing is said of it. */
  readonly tracing: ProxyTracing | undefined;
  /** `envoyAccessLogService`. */
  readonly logService: CollectorAddress | undefined;
  readonly lookupFamily: LookupFamily;
}

/** The facts about a proxy as text, which many proxies have in common. */
export function telemetryFactsText(proxy: ProxyNode, { settings, registry }: Mesh): string {
  const { labels, hasWeftAgent, istioMinor, namespace } = proxy;
  const own = ownProxyConfig(proxy, settings);
  const tracing = record(own["tracing"]);
  const collector = (said: unknown): CollectorAddress | undefined => {
    const address = text(record(said)["address"]);
    return address === undefined
      ? undefined
      : collectorAddress(address, registry.services, namespace);
  };
  const facts: TelemetryFacts = {
    isGateway: proxy.type === "router",
    hasWeftAgent,
    istioMinor,
    serviceCluster: proxy.serviceCluster,
    conventionalName: conventionalName(proxy),
    canonicalName: canonicalName(proxy),
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] ||
      (hasWeftAgent && (labels["app.kubernetes.io/version"] || labels["version"])) ||
      "latest",
    meshId: proxy.meshId || (hasWeftAgent && text(own["meshId"])) || "unknown",
    namespace: namespace || "default",
    clusterId: proxy.clusterId || "unknown",
    tracing:
      Object.keys(tracing).length === 0
        ? undefined
        : { ...proxyTracing(tracing), zipkin: collector(tracing["zipkin"]) },
    logService: collector(own["envoyAccessLogService"]),
    lookupFamily: lookupFamilyOf(proxy),
  };
  return JSON.stringify(facts);
}

/** Istio's injector writes the label that says it; weft's agent has none, and finds it as that would. */
function canonicalName({ labels, hasWeftAgent }: ProxyNode): string {
  const own = labels["service.istio.io/canonical-name"];
  const found = hasWeftAgent && (labels["app.kubernetes.io/name"] || labels["app"]);
  return own || found || "unknown";
}

/** `service.name` by OpenTelemetry's conventions for Kubernetes, as istiod finds it. */
function conventionalName({ annotations, labels, workloadName, name }: ProxyNode): string {
  return (
    annotations["resource.opentelemetry.io/service.name"] ||
    labels["app.kubernetes.io/instance"] ||
    labels["app.kubernetes.io/name"] ||
    workloadName ||
    name
  );
}

/** What a proxy tells of itself is checked no further: what is of another form says nothing. */
function proxyTracing(said: Readonly<Record<string, unknown>>): Omit<ProxyTracing, "zipkin"> {
  const tags = Object.entries(record(said["customTags"])).map(
    ([name, tag]) => [name, record(tag)] as const,
  );
  return {
    sampling: count(said["sampling"]),
    pathLengthMax: count(said["maxPathTagLength"]),
    customTags: Object.fromEntries(tags),
    hasIstioTags: said["enableIstioTags"] !== false,
  };
}

function count(said: unknown): number | undefined {
  return typeof said === "number" && said > 0 ? said : undefined;
}

function text(said: unknown): string | undefined {
  return typeof said === "string" && said !== "" ? said : undefined;
}
