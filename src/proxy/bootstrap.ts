import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { LineCounter, parseDocument } from "yaml";
import {
  AdminSchema,
  type Bootstrap,
  type Bootstrap_DynamicResources,
  Bootstrap_DynamicResourcesSchema,
  Bootstrap_StaticResourcesSchema,
  BootstrapSchema,
} from "../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { ClusterSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { type Node, NodeSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import type { Secret as SecretMessage } from "../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { Issue, Result } from "../base/issue.ts";
import { durationMs } from "../match/duration-ms.ts";
import { joinPath, refuseFields } from "../match/refuse-fields.ts";
import { checkJson } from "./check-json.ts";
import { checkRules } from "./check-rules.ts";
import type { ClusterConfig } from "./cluster/cluster-config.ts";
import { decodeAddress, type HostPort, refuseName } from "./decode/address.ts";
import { decodeCluster } from "./decode/cluster.ts";
import { type ClusterManagerConfig, decodeClusterManager } from "./decode/cluster-manager.ts";
import { isAds } from "./decode/config-source.ts";
import { decodeListener } from "./decode/listener.ts";
import { decodeOverload } from "./decode/overload.ts";
import { decodeSecret } from "./decode/secret.ts";
import { decodeApi } from "./decode/secret-ref.ts";
import { decodeStatsConfig } from "./decode/stats-config.ts";
import { EXTENSION_TYPES } from "./extension-types.ts";
import { formatListenAddress } from "./listener/listen-address.ts";
import { allChains, type ListenerConfig } from "./listener/listener-config.ts";
import { checkRouteClusters, checkTracerClusters } from "./listener/route-clusters.ts";
import type { OverloadConfig } from "./overload/overload-config.ts";
import { parsePlainJson } from "./plain-json.ts";
import { decodeRuntime, type RuntimeLayerConfig } from "./runtime.ts";
import type { Secret } from "./secret/secret.ts";
import { checkSecretRefs, clusterSecretRefs, listenerSecretRefs } from "./secret/secret-refs.ts";
import type { StatsConfig } from "./stats/stats-config.ts";
import type { GrpcSource } from "./tls/tls-config.ts";

/** What a proxy starts with. */
export interface ProxyBootstrap {
  readonly node: Node;
  readonly admin: HostPort | undefined;
  /** Where the admin port's profilers write. */
  readonly profilePath: string;
  readonly clusters: readonly ClusterConfig[];
  readonly listeners: readonly ListenerConfig[];
  /** By name. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** The control plane; `undefined` when everything is static. */
  readonly ads: GrpcSource | undefined;
  /** Whether the control plane is asked for all clusters, and for all listeners. */
  readonly asksClusters: boolean;
  readonly asksListeners: boolean;
  /** So long a control plane is waited for before the proxy counts as ready; 0 is for ever. */
  readonly firstAnswerMs: number;
  readonly runtimeLayers: readonly RuntimeLayerConfig[];
  readonly clusterManager: ClusterManagerConfig;
  /** `undefined`: whatever comes is taken. */
  readonly overload: OverloadConfig | undefined;
  readonly stats: StatsConfig;
  readonly statsFlushMs: number;
  /** The whole of it as JSON, for `/config_dump`. */
  readonly json: JsonValue;
}

const FIELDS = [
  "node",
  "static_resources",
  "dynamic_resources",
  "admin",
  // How long the intervals of histograms are: nothing is sent anywhere.
  "stats_flush_interval",
  "stats_config",
  "layered_runtime",
  "cluster_manager",
  "overload_manager",
];

/**
 * Reads a bootstrap, YAML or JSON, as `envoy -c` does; every problem comes with its path in the
 * file. `overlay` is merged over it: objects by key, lists one after the other.
 */
export function parseBootstrap(text: string, overlay?: string): Result<ProxyBootstrap> {
  const base = parseYaml(text);
  if (!base.ok) return base;
  let json = base.value;
  if (overlay !== undefined) {
    const over = parseYaml(overlay);
    if (!over.ok) return over;
    json = merge(json, over.value);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return { ok: false, issues: [{ path: "", message: "is not a mapping" }] };
  }
  const issues = checkJson(BootstrapSchema, json, EXTENSION_TYPES, "");
  if (issues.length > 0) return { ok: false, issues };
  try {
    const message = fromJson(BootstrapSchema, json, { registry: EXTENSION_TYPES });
    return decodeBootstrap(message, json);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, issues: [{ path: "", message }] };
  }
}

function parseYaml(text: string): Result<JsonValue> {
  const json = parsePlainJson(text);
  if (json !== undefined) return { ok: true, value: json };
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: true, merge: true });
  if (document.errors.length === 0) return { ok: true, value: document.toJS() as JsonValue };
  return {
    ok: false,
    issues: document.errors.map((error) => {
      const { line, col } = lineCounter.linePos(error.pos[0]);
      const [what = error.message] = error.message.split("\n");
      return { path: `line ${line}, column ${col}`, message: what };
    }),
  };
}

function merge(base: JsonValue, over: JsonValue): JsonValue {
  if (Array.isArray(base) && Array.isArray(over)) return [...base, ...over];
  if (!isMapping(base) || !isMapping(over)) return over;
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = before === undefined ? value : merge(before, value);
  }
  return merged;
}

function isMapping(value: JsonValue): value is { [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decodeBootstrap(message: Bootstrap, json: JsonValue): Result<ProxyBootstrap> {
  const issues = refuseFields(BootstrapSchema, message, FIELDS, "");
  const resources = message.staticResources;
  if (resources !== undefined) {
    const fields = ["listeners", "clusters", "secrets"];
    const schema = Bootstrap_StaticResourcesSchema;
    issues.push(...refuseFields(schema, resources, fields, "static_resources"));
  }
  const clusters = (resources?.clusters ?? []).flatMap((cluster, at) => {
    const path = `static_resources.clusters[${at}]`;
    return collect(decodeCluster(cluster, toBinary(ClusterSchema, cluster)), path, issues);
  });
  const listeners = (resources?.listeners ?? []).flatMap((listener, at) => {
    const path = `static_resources.listeners[${at}]`;
    const decoded = decodeListener(listener, toBinary(ListenerSchema, listener));
    return collect(decoded, path, issues).map(nameListener);
  });
  const secrets = decodeSecrets(resources?.secrets ?? [], issues);
  const ads = decodeDynamic(message, clusters, issues);
  const refs = [...listeners.flatMap(listenerSecretRefs), ...clusters.flatMap(clusterSecretRefs)];
  const known = { statics: secrets, hasAds: ads !== undefined, clusters };
  issues.push(...checkSecretRefs(refs, known));
  checkStatic(clusters, listeners, ads !== undefined, issues);
  const runtimeLayers = decodeRuntime(message.layeredRuntime, issues);
  const names = new Set(clusters.map(({ name }) => name));
  const clusterManager = decodeClusterManager(message.clusterManager, names, issues);
  const admin = decodeAdmin(message, issues);
  const overload = decodeOverload(message.overloadManager, "overload_manager", issues);
  const stats = decodeStatsConfig(message.statsConfig, "stats_config", issues);
  if (admin !== undefined) refuseName(admin, "admin.address", issues);
  const node = message.node ?? fromJson(NodeSchema, {});
  const asksAny = ads !== undefined || refs.some(({ ref }) => ref.source.kind !== "static");
  if (asksAny && (node.id === "" || node.cluster === "")) {
    issues.push({ path: "node", message: "must have id and cluster to ask a control plane" });
  }
  if (issues.length === 0) issues.push(...checkRules(BootstrapSchema, message, ""));
  if (issues.length > 0) return { ok: false, issues };
  const asksClusters = message.dynamicResources?.cdsConfig !== undefined;
  const asksListeners = message.dynamicResources?.ldsConfig !== undefined;
  const firstAnswerMs = decodeFirstAnswerMs(message.dynamicResources);
  const asks = { ads, asksClusters, asksListeners, firstAnswerMs };
  const shows = { stats, json, ...decodeShown(message) };
  return {
    ok: true,
    value: {
      node,
      admin,
      clusters,
      listeners,
      secrets,
      ...asks,
      runtimeLayers,
      clusterManager,
      overload,
      ...shows,
    },
  };
}

/** Envoy's own path and interval. */
const PROFILE_PATH = "/var/log/envoy/envoy.prof";
const STATS_FLUSH_MS = 5000;

function decodeShown(message: Bootstrap): Pick<ProxyBootstrap, "profilePath" | "statsFlushMs"> {
  return {
    statsFlushMs: durationMs(message.statsFlushInterval) ?? STATS_FLUSH_MS,
    profilePath: message.admin?.profilePath || PROFILE_PATH,
  };
}

function collect<T>(decoded: Result<T>, path: string, issues: Issue[]): T[] {
  if (decoded.ok) return [decoded.value];
  for (const issue of decoded.issues) {
    issues.push({ ...issue, path: joinPath(path, issue.path).replace(/\.$/, "") });
  }
  return [];
}

/** One without a name has that of its address, which no other may have. */
function nameListener(listener: ListenerConfig): ListenerConfig {
  const [address] = listener.addresses;
  if (listener.name !== "" || address === undefined) return listener;
  return { ...listener, name: formatListenAddress(address) };
}

/** Those that stand in the bootstrap, by their names. */
function decodeSecrets(messages: readonly SecretMessage[], issues: Issue[]): Map<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const [at, message] of messages.entries()) {
    const path = `static_resources.secrets[${at}]`;
    const own: Issue[] = [];
    const secret = decodeSecret(message, own);
    issues.push(...own.map((issue) => ({ ...issue, path: joinPath(path, issue.path) })));
    if (secret === undefined) continue;
    if (secrets.has(secret.name)) {
      issues.push({ path, message: `Duplicate static secret: ${secret.name}` });
    }
    secrets.set(secret.name, secret);
  }
  return secrets;
}

/** What only shows when all of them are known. */
function checkStatic(
  clusters: readonly ClusterConfig[],
  listeners: readonly ListenerConfig[],
  hasAds: boolean,
  issues: Issue[],
): void {
  const names = new Set<string>();
  for (const { name, type } of clusters) {
    const path = `static_resources.clusters(${name})`;
    if (names.has(name)) issues.push({ path, message: `duplicate cluster '${name}' found` });
    names.add(name);
    if (type === "EDS" && !hasAds) {
      issues.push({ path, message: "asks for endpoints over ADS, and there is no ads_config" });
    }
  }
  const taken = new Map<string, string>();
  for (const [at, listener] of listeners.entries()) {
    const path = `static_resources.listeners[${at}]`;
    for (const place of listener.addresses) {
      const address = formatListenAddress(place);
      const other = taken.get(address);
      taken.set(address, path);
      if (other === undefined || ("port" in place && place.port === 0)) continue;
      issues.push({ path, message: `has the address ${address}, which ${other} has already` });
    }
    if (listeners.findIndex(({ name }) => name === listener.name) < at) {
      issues.push({ path, message: `duplicate listener '${listener.name}' found` });
    }
    const uses = allChains(listener).some(({ terminal }) => (terminal.http?.rdsName ?? "") !== "");
    if (uses && !hasAds) {
      issues.push({ path, message: "asks for routes over ADS, and there is no ads_config" });
    }
    const hasCluster = (name: string): boolean => names.has(name);
    const unknown = [checkRouteClusters, checkTracerClusters].flatMap((check) =>
      check(listener, hasCluster),
    );
    for (const issue of unknown) issues.push({ ...issue, path });
  }
}

function decodeAdmin(message: Bootstrap, issues: Issue[]): HostPort | undefined {
  const { admin } = message;
  if (admin === undefined) return undefined;
  // Requests to the admin port are not logged.
  const fields = ["address", "profile_path"];
  if (admin.accessLogPath === "/dev/null") fields.push("access_log_path");
  issues.push(...refuseFields(AdminSchema, admin, fields, "admin"));
  if (admin.address === undefined) return undefined;
  return decodeAddress(admin.address, "admin.address", issues);
}

/** Envoy's wait for a first answer. */
const FIRST_ANSWER_MS = 15_000;

/** Like Envoy, listeners are asked for once clusters are there or given up: the waits add up. */
function decodeFirstAnswerMs(dynamic: Bootstrap_DynamicResources | undefined): number {
  const waits = [dynamic?.cdsConfig, dynamic?.ldsConfig].flatMap((source) =>
    source === undefined ? [] : (durationMs(source.initialFetchTimeout) ?? FIRST_ANSWER_MS),
  );
  return waits.includes(0) ? 0 : waits.reduce((sum, waitMs) => sum + waitMs, 0);
}

/** Whom to ask, if anything is dynamic. */
function decodeDynamic(
  message: Bootstrap,
  clusters: readonly ClusterConfig[],
  issues: Issue[],
): GrpcSource | undefined {
  const dynamic = message.dynamicResources;
  if (dynamic === undefined) return undefined;
  const path = "dynamic_resources";
  const fields = ["lds_config", "cds_config", "ads_config"];
  issues.push(...refuseFields(Bootstrap_DynamicResourcesSchema, dynamic, fields, path));
  if (dynamic.ldsConfig !== undefined) isAds(dynamic.ldsConfig, `${path}.lds_config`, issues);
  if (dynamic.cdsConfig !== undefined) isAds(dynamic.cdsConfig, `${path}.cds_config`, issues);
  if (dynamic.adsConfig === undefined) {
    issues.push({ path: `${path}.ads_config`, message: "is missing" });
    return undefined;
  }
  const source = decodeApi(dynamic.adsConfig, `${path}.ads_config`, issues);
  if (source === undefined) return undefined;
  const name = source.cluster;
  const cluster = clusters.find((candidate) => candidate.name === name);
  if (cluster === undefined) {
    const what = `names cluster '${name}', which static_resources does not have`;
    issues.push({ path: `${path}.ads_config`, message: what });
  } else if (cluster.assignment === undefined) {
    const what = `cluster '${name}' must be STATIC, STRICT_DNS or LOGICAL_DNS`;
    issues.push({ path: `${path}.ads_config`, message: what });
  }
  return source;
}
