import { memoise } from "../../base/memo.ts";
import type { Mesh } from "../mesh.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ProxyNode } from "../proxy.ts";
import type { AccessLog, ProxyTelemetry, SideTelemetry } from "../proxy-telemetry.ts";
import { type Telemetry, type TelemetryMode, telemetriesFor } from "../telemetry.ts";
import { resolveAccessLogs } from "./access-logging.ts";
import { logServiceCollector, zipkinCollector } from "./collectors.ts";
import type { ProviderTargets } from "./providers.ts";
import { type TelemetryFacts, telemetryFactsText } from "./proxy-facts.ts";
import { resolveTracing, type TelemetryInputs } from "./tracing.ts";

/** What a proxy tells of its requests; `targets` are those of the mesh's providers. */
export function proxyTelemetry(
  mesh: Mesh,
  proxy: ProxyNode,
  targets: ProviderTargets,
): ProxyTelemetry {
  const { settings, telemetries } = mesh;
  const own = telemetriesFor(telemetries, proxy, settings.rootNamespace);
  return resolve(settings, own, targets, telemetryFactsText(proxy, mesh));
}

const resolve = memoise(
  (
    settings: MeshSettings,
    telemetries: readonly Telemetry[],
    targets: ProviderTargets,
    factsText: string,
  ): ProxyTelemetry => {
    const facts = JSON.parse(factsText) as TelemetryFacts;
    const inputs: TelemetryInputs = { settings, telemetries, targets, facts };
    const client = sideTelemetry(inputs, "CLIENT");
    const server = sideTelemetry(inputs, "SERVER");
    const names = [...clustersOf(client), ...clustersOf(server)];
    const clusterNames = [...new Set(names)].sort();
    const ownClusters = facts.hasWeftAgent
      ? [zipkinCollector(facts, settings), logServiceCollector(facts, settings)].flatMap(
          (collector) => collector?.cluster ?? [],
        )
      : [];
    return {
      client,
      server,
      clusterNames,
      ownClusters: ownClusters.filter(({ name }) => clusterNames.includes(name)),
    };
  },
);

function sideTelemetry(inputs: TelemetryInputs, mode: TelemetryMode): SideTelemetry {
  return { ...resolveTracing(inputs, mode), accessLogs: resolveAccessLogs(inputs, mode) };
}

function clustersOf({ tracing, accessLogs }: SideTelemetry): readonly string[] {
  return [
    ...(tracing?.tracer === undefined ? [] : [tracing.tracer.clusterName]),
    ...accessLogs.flatMap(({ sink }: AccessLog) => (sink.type === "file" ? [] : sink.clusterName)),
  ];
}
