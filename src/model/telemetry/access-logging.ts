import { memoise } from "../../base/memo.ts";
import type { ExtensionProvider } from "../../config/extension-provider.ts";
import { isJsonObject } from "../../config/json.ts";
import { fileLogOf } from "../mesh-access-log.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { compareText } from "../origin.ts";
import type { AccessLog, GrpcLogSink, LogSink } from "../proxy-telemetry.ts";
import { isForMode, providerNames, type Telemetry, type TelemetryMode } from "../telemetry.ts";
import { logServiceCollector } from "./collectors.ts";
import { findProvider, type ProviderTarget } from "./providers.ts";
import type { TelemetryInputs } from "./tracing.ts";

/** What entries come to for one provider. */
interface LoggingSpec {
  readonly isDisabled: boolean;
  readonly filter: string | undefined;
}

/**
 * The logs of one side of a proxy, as istiod has them: by Telemetries and default providers, or by
 * `accessLogFile` and the log service where those come to nothing at all, not even to silence.
 */
export function resolveAccessLogs(
  inputs: TelemetryInputs,
  mode: TelemetryMode,
): readonly AccessLog[] {
  const { settings, telemetries } = inputs;
  const specs = mergeLogging(telemetries, settings, mode);
  const found = [...specs].flatMap(([name, spec]) => {
    const provider = findProvider(settings, name);
    const sink = provider && sinkOf(provider, inputs);
    return provider === undefined || sink === undefined
      ? []
      : [{ name: provider.name, spec, sink }];
  });
  if (found.length === 0) return legacyLogs(inputs);
  return found
    .filter(({ spec }) => !spec.isDisabled)
    .sort((a, b) => compareText(a.name, b.name))
    .map(({ sink, spec }) => ({ sink, filter: spec.filter }));
}

/**
 * The providers that are told, by name. What is narrower says who is; each entry says so of its own
 * providers, or of those before it where it names none.
 */
function mergeLogging(
  telemetries: readonly Telemetry[],
  settings: MeshSettings,
  mode: TelemetryMode,
): ReadonlyMap<string, LoggingSpec> {
  const layers = telemetries
    .map(({ accessLogging }) => accessLogging)
    .filter((entries) => entries.length > 0);
  const { accessLogging: byDefault } = settings.defaultProviders;
  if (layers.length === 0) return new Map(byDefault.map((name) => [name, EVERYTHING] as const));
  let wanted: readonly string[] = byDefault;
  const filters = new Map<string, LoggingSpec>();
  for (const entries of layers) {
    const own = entries.filter(({ match }) => isForMode(match, mode));
    for (const entry of own) {
      for (const name of providerNames(entry)) {
        filters.set(name, { isDisabled: false, filter: entry.filter?.expression });
      }
    }
    const names = own.flatMap(providerNames);
    if (names.length > 0) wanted = names;
  }
  const specs = new Map<string, LoggingSpec>();
  let above: readonly string[] = byDefault;
  for (const entry of layers.flat()) {
    const own = providerNames(entry);
    if (own.length > 0) above = own;
    if (!isForMode(entry.match, mode)) continue;
    for (const name of above) {
      // A wider one that a narrower one has put another in the place of.
      if (!wanted.includes(name)) continue;
      specs.set(name, entry.disabled === true ? SILENCE : (filters.get(name) ?? EVERYTHING));
    }
  }
  return specs;
}

const EVERYTHING: LoggingSpec = { isDisabled: false, filter: undefined };
const SILENCE: LoggingSpec = { isDisabled: true, filter: undefined };

/** `undefined` for one that is told of no requests, or that cannot be found. */
function sinkOf(
  provider: ExtensionProvider,
  { settings, targets }: TelemetryInputs,
): LogSink | undefined {
  const file = fileLogOf(provider, settings);
  if (file !== undefined) return { type: "file", ...file };
  const target = targets[provider.name];
  if (target === undefined || "problem" in target) return undefined;
  return serviceSink(provider, target);
}

const serviceSink = memoise(
  (
    { envoyHttpAls, envoyTcpAls, envoyOtelAls }: ExtensionProvider,
    { clusterName, hostname }: Exclude<ProviderTarget, { problem: string }>,
  ): LogSink | undefined => {
    const grpc = envoyHttpAls ?? envoyTcpAls;
    if (grpc !== undefined) {
      const { logName, filterStateObjectsToLog: states = [] } = grpc;
      return {
        type: envoyHttpAls === undefined ? "tcp-grpc" : "http-grpc",
        clusterName,
        hostname,
        logName: logName || (envoyHttpAls === undefined ? TCP_LOG : HTTP_LOG),
        filterStates: states.length === 0 ? PEER_STATES : states,
        requestHeaders: envoyHttpAls?.additionalRequestHeadersToLog ?? [],
        responseHeaders: envoyHttpAls?.additionalResponseHeadersToLog ?? [],
        responseTrailers: envoyHttpAls?.additionalResponseTrailersToLog ?? [],
      };
    }
    if (envoyOtelAls === undefined) return undefined;
    const { logName, logFormat } = envoyOtelAls;
    const labels = Object.entries(isJsonObject(logFormat?.labels) ? logFormat.labels : {});
    return {
      type: "opentelemetry",
      clusterName,
      hostname,
      logName: logName || "otel_envoy_accesslog",
      filterStates: ALL_PEER_STATES,
      body: logFormat?.text || undefined,
      // istiod writes nothing of a value that is no text.
      attributes: Object.fromEntries(
        labels.map(([name, value]) => [name, typeof value === "string" ? value : ""]),
      ),
    };
  },
);

const HTTP_LOG = "http_envoy_accesslog";
const TCP_LOG = "tcp_envoy_accesslog";
/** Who is on the other side, where a filter of Istio's has found out. */
const PEER_STATES = ["upstream_peer", "downstream_peer"];
const ALL_PEER_STATES = [
  ...PEER_STATES,
  "wasm.upstream_peer",
  "wasm.upstream_peer_id",
  "wasm.downstream_peer",
  "wasm.downstream_peer_id",
];

function legacyLogs({ settings, facts }: TelemetryInputs): readonly AccessLog[] {
  const { accessLog, hasAccessLogService } = settings;
  const logs: AccessLog[] = [];
  if (accessLog !== undefined) {
    logs.push({ filter: undefined, sink: { type: "file", ...accessLog } });
  }
  const collector = hasAccessLogService ? logServiceCollector(facts, settings) : undefined;
  if (collector !== undefined) {
    const { clusterName } = collector;
    logs.push({ filter: undefined, sink: { ...LOG_SERVICE, clusterName } });
  }
  return logs;
}

const LOG_SERVICE: Omit<GrpcLogSink, "clusterName"> = {
  type: "grpc",
  hostname: "",
  logName: "",
  filterStates: ALL_PEER_STATES,
  requestHeaders: [],
  responseHeaders: [],
  responseTrailers: [],
};
