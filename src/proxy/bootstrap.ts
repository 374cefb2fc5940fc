import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { LineCounter, parseDocument } from "yaml";
import {
  AdminSchema,
  type Bootstrap,
  Bootstrap_DynamicResourcesSchema,
  Bootstrap_StaticResourcesSchema,
  BootstrapSchema,
} from "../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { ClusterSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { type Node, NodeSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type ApiConfigSource,
  ApiConfigSource_ApiType,
  ApiConfigSourceSchema,
} from "../api/gen/envoy/config/core/v3/config_source_pb.js";
import {
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from "../api/gen/envoy/config/core/v3/grpc_service_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import { formatHostPort } from "../base/ip.ts";
import type { Issue, Result } from "../base/issue.ts";
import { joinPath, refuseFields } from "../match/refuse-fields.ts";
import type { RuntimeReader } from "../match/runtime-reader.ts";
import { checkJson } from "./check-json.ts";
import { checkRules } from "./check-rules.ts";
import type { ClusterConfig } from "./cluster/cluster-config.ts";
import { decodeAddress, type HostPort, refuseName } from "./decode/address.ts";
import { decodeCluster } from "./decode/cluster.ts";
import { isAds, refuseVersion } from "./decode/config-source.ts";
import { decodeListener } from "./decode/listener.ts";
import { EXTENSION_TYPES } from "./extension-types.ts";
import { allChains, type ListenerConfig } from "./listener/listener-config.ts";
import { checkRouteClusters } from "./listener/route-clusters.ts";
import { decodeRuntime } from "./runtime.ts";

/** What a proxy starts with. */
export interface ProxyBootstrap {
  readonly node: Node;
  readonly admin: HostPort | undefined;
  readonly clusters: readonly ClusterConfig[];
  readonly listeners: readonly ListenerConfig[];
  /** The cluster of the control plane; `undefined` when everything is static. */
  readonly adsCluster: string | undefined;
  /** Whether the control plane is asked for all clusters, and for all listeners. */
  readonly asksClusters: boolean;
  readonly asksListeners: boolean;
  readonly runtime: RuntimeReader;
  /** The whole of it as JSON, for `/config_dump`. */
  readonly json: JsonValue;
}

const FIELDS = [
  "node",
  "static_resources",
  "dynamic_resources",
  "admin",
  // Statistics are pulled from the admin port, so there is nothing to flush or to send.
  "stats_flush_interval",
  // Names and tags of statistics that are not kept.
  "stats_config",
  "layered_runtime",
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
    const fields = ["listeners", "clusters"];
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
  const adsCluster = decodeDynamic(message, clusters, issues);
  checkStatic(clusters, listeners, adsCluster, issues);
  const runtime = decodeRuntime(message.layeredRuntime, issues);
  const admin = decodeAdmin(message, issues);
  if (admin !== undefined) refuseName(admin, "admin.address", issues);
  const node = message.node ?? fromJson(NodeSchema, {});
  if (adsCluster !== undefined && (node.id === "" || node.cluster === "")) {
    issues.push({ path: "node", message: "must have id and cluster to ask a control plane" });
  }
  if (issues.length === 0) issues.push(...checkRules(BootstrapSchema, message, ""));
  if (issues.length > 0) return { ok: false, issues };
  const asksClusters = message.dynamicResources?.cdsConfig !== undefined;
  const asksListeners = message.dynamicResources?.ldsConfig !== undefined;
  const asks = { adsCluster, asksClusters, asksListeners };
  return { ok: true, value: { node, admin, clusters, listeners, ...asks, runtime, json } };
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
  return { ...listener, name: formatHostPort(address.host, address.port) };
}

/** What only shows when all of them are known. */
function checkStatic(
  clusters: readonly ClusterConfig[],
  listeners: readonly ListenerConfig[],
  adsCluster: string | undefined,
  issues: Issue[],
): void {
  const names = new Set<string>();
  for (const { name, isHttp2, type } of clusters) {
    const path = `static_resources.clusters(${name})`;
    if (names.has(name)) issues.push({ path, message: `duplicate cluster '${name}' found` });
    names.add(name);
    if (isHttp2 && name !== adsCluster) {
      const what = "HTTP/2 to upstreams is not supported yet, but for the control plane's cluster";
      issues.push({ path, message: what });
    }
    if (type === "EDS" && adsCluster === undefined) {
      issues.push({ path, message: "asks for endpoints over ADS, and there is no ads_config" });
    }
  }
  const taken = new Map<string, string>();
  for (const [at, listener] of listeners.entries()) {
    const path = `static_resources.listeners[${at}]`;
    for (const { host, port } of listener.addresses) {
      const address = formatHostPort(host, port);
      const other = taken.get(address);
      taken.set(address, path);
      if (other === undefined || port === 0) continue;
      issues.push({ path, message: `has the address ${address}, which ${other} has already` });
    }
    if (listeners.findIndex(({ name }) => name === listener.name) < at) {
      issues.push({ path, message: `duplicate listener '${listener.name}' found` });
    }
    const uses = allChains(listener).some(({ terminal }) => (terminal.http?.rdsName ?? "") !== "");
    if (uses && adsCluster === undefined) {
      issues.push({ path, message: "asks for routes over ADS, and there is no ads_config" });
    }
    for (const issue of checkRouteClusters(listener, (name) => names.has(name))) {
      issues.push({ ...issue, path });
    }
  }
}

function decodeAdmin(message: Bootstrap, issues: Issue[]): HostPort | undefined {
  const { admin } = message;
  if (admin === undefined) return undefined;
  // There is no profiler that would write a file, and requests to the admin port are not logged.
  const fields = ["address", "profile_path"];
  if (admin.accessLogPath === "/dev/null") fields.push("access_log_path");
  issues.push(...refuseFields(AdminSchema, admin, fields, "admin"));
  if (admin.address === undefined) return undefined;
  return decodeAddress(admin.address, "admin.address", issues);
}

/** The name of the cluster to ask, if anything is dynamic. */
function decodeDynamic(
  message: Bootstrap,
  clusters: readonly ClusterConfig[],
  issues: Issue[],
): string | undefined {
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
  const name = decodeAds(dynamic.adsConfig, `${path}.ads_config`, issues);
  if (name === undefined) return undefined;
  const cluster = clusters.find((candidate) => candidate.name === name);
  if (cluster === undefined) {
    const what = `names cluster '${name}', which static_resources does not have`;
    issues.push({ path: `${path}.ads_config`, message: what });
  } else if (cluster.assignment === undefined) {
    const what = `cluster '${name}' must be STATIC, STRICT_DNS or LOGICAL_DNS`;
    issues.push({ path: `${path}.ads_config`, message: what });
  }
  return name;
}

function decodeAds(message: ApiConfigSource, path: string, issues: Issue[]): string | undefined {
  // Responses are asked for as they come; only the first request names the node.
  const fields = [
    "api_type",
    "transport_api_version",
    "grpc_services",
    "set_node_on_first_message_only",
  ];
  issues.push(...refuseFields(ApiConfigSourceSchema, message, fields, path));
  if (message.apiType !== ApiConfigSource_ApiType.GRPC) {
    const given = ApiConfigSource_ApiType[message.apiType] ?? String(message.apiType);
    issues.push({ path: `${path}.api_type`, message: `${given} is not supported yet, only GRPC` });
  }
  refuseVersion(message.transportApiVersion, `${path}.transport_api_version`, issues);
  const [service] = message.grpcServices;
  const servicePath = `${path}.grpc_services[0]`;
  if (service === undefined || message.grpcServices.length > 1) {
    issues.push({ path: `${path}.grpc_services`, message: "must have exactly one entry" });
    return undefined;
  }
  issues.push(...refuseFields(GrpcServiceSchema, service, ["envoy_grpc", "timeout"], servicePath));
  if (service.targetSpecifier.case !== "envoyGrpc") return undefined;
  const grpc = service.targetSpecifier.value;
  const handled = ["cluster_name"];
  issues.push(
    ...refuseFields(GrpcService_EnvoyGrpcSchema, grpc, handled, `${servicePath}.envoy_grpc`),
  );
  return grpc.clusterName;
}
