import {
  type DescMessage,
  fromBinary,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { ClusterSchema } from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../api/gen/envoy/config/route/v3/route_pb.js";
import { RESOURCE_TYPE_URL } from "../../api/type-url.ts";
import { compileFinder } from "../../match/regex.ts";
import { wireText } from "../../match/wire-text.ts";
import type { TypeStatus } from "../../xdsclient/resource-type.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { EXTENSION_TYPES } from "../extension-types.ts";
import type { AdminState } from "./page.ts";
import { isObject, redact } from "./redact.ts";

const DUMP = "type.googleapis.com/envoy.admin.v3.";

/** What each kind of entry is called in Envoy's protos, by the field that lists it. */
const ENTRY_TYPES: Readonly<Record<string, string>> = {
  bootstrap: "BootstrapConfigDump",
  static_clusters: "ClustersConfigDump.StaticCluster",
  dynamic_active_clusters: "ClustersConfigDump.DynamicCluster",
  dynamic_warming_clusters: "ClustersConfigDump.DynamicCluster",
  static_endpoint_configs: "EndpointsConfigDump.StaticEndpointConfig",
  dynamic_endpoint_configs: "EndpointsConfigDump.DynamicEndpointConfig",
  static_listeners: "ListenersConfigDump.StaticListener",
  dynamic_listeners: "ListenersConfigDump.DynamicListener",
  dynamic_route_configs: "RoutesConfigDump.DynamicRouteConfig",
};

/** One part of the dump: fields of its own, and lists of entries. */
interface Section {
  readonly type: string;
  readonly fields: JsonObject;
  readonly lists: Readonly<Record<string, readonly JsonObject[]>>;
}

/** What a request for the dump may get. */
export interface DumpAnswer {
  readonly status?: number;
  readonly body: string | object;
}

/**
 * The configuration in use, in the shape of Envoy's dump, without what is secret. `resource` takes
 * one list alone, `mask` some fields of its entries (or of the parts), `name_regex` the entries of
 * those names, `include_eds` adds endpoints.
 */
export function dumpPage(state: AdminState, query: URLSearchParams): DumpAnswer {
  const pattern = query.get("name_regex") ?? "";
  const finder = compileFinder(pattern === "" ? "^" : pattern);
  if (!finder.ok) {
    return { status: 400, body: `Error while parsing name_regex from ${pattern}\n` };
  }
  const isWanted = (entry: JsonObject): boolean =>
    finder.value(wireText(nameOf(entry))) !== undefined;
  const resource = query.get("resource") ?? "";
  const mask = (query.get("mask") ?? "").split(",").filter((path) => path !== "");
  const sections = sectionsOf(state, query.has("include_eds"));
  if (resource === "") {
    const configs = sections.map(({ type, fields, lists }) => {
      const kept = Object.entries(lists).map(([name, entries]): [string, JsonValue] => [
        name,
        entries.filter(isWanted),
      ]);
      const all = { ...fields, ...Object.fromEntries(kept.filter(([, list]) => hasAny(list))) };
      return { "@type": DUMP + type, ...pick(all, mask) };
    });
    return { body: { configs } };
  }
  const section = sections.find(({ lists }) => Object.hasOwn(lists, resource));
  if (section === undefined) return { status: 404, body: `${resource} not found in config dump` };
  const entries = (section.lists[resource] ?? []).filter(isWanted);
  const type = DUMP + (ENTRY_TYPES[resource] ?? "");
  return { body: { configs: entries.map((one) => ({ "@type": type, ...pick(one, mask) })) } };
}

function hasAny(list: JsonValue): boolean {
  return Array.isArray(list) && list.length > 0;
}

function sectionsOf(state: AdminState, includesEndpoints: boolean): Section[] {
  const status = new Map(state.adsStatus().map((one) => [one.typeUrl, one]));
  const { clusters, listeners, routes, bootstrap } = state;
  const clusterOf = ({ config, isDynamic }: Cluster): JsonObject => ({
    ...(isDynamic ? versionInfo(status.get(RESOURCE_TYPE_URL.cluster)) : {}),
    cluster: decode(ClusterSchema, config.body),
  });
  const listenerVersion = versionInfo(status.get(RESOURCE_TYPE_URL.listener));
  return [
    {
      type: "BootstrapConfigDump",
      fields: { bootstrap: redact(bootstrap.json) },
      lists: {},
    },
    {
      type: "ClustersConfigDump",
      fields: versionInfo(status.get(RESOURCE_TYPE_URL.cluster)),
      lists: {
        static_clusters: clusters.active.filter(({ isDynamic }) => !isDynamic).map(clusterOf),
        dynamic_active_clusters: clusters.active
          .filter(({ isDynamic }) => isDynamic)
          .map(clusterOf),
        dynamic_warming_clusters: clusters.warming.map(clusterOf),
      },
    },
    ...(includesEndpoints ? [endpoints(clusters.active)] : []),
    {
      type: "ListenersConfigDump",
      fields: listenerVersion,
      lists: {
        static_listeners: listeners.active
          .filter(({ isDynamic }) => !isDynamic)
          .map(({ config }) => ({ listener: decode(ListenerSchema, config.body) })),
        dynamic_listeners: dynamicListeners(state, listenerVersion),
      },
    },
    {
      type: "RoutesConfigDump",
      fields: versionInfo(status.get(RESOURCE_TYPE_URL.route)),
      lists: {
        dynamic_route_configs: routes.bodies.map((body) => ({
          ...versionInfo(status.get(RESOURCE_TYPE_URL.route)),
          route_config: decode(RouteConfigurationSchema, body),
        })),
      },
    },
  ];
}

/** Each name once, with what serves and what waits to. */
function dynamicListeners({ listeners }: AdminState, version: JsonObject): JsonObject[] {
  const byName = new Map<string, JsonObject>();
  const add = (field: string, all: AdminState["listeners"]["active"]): void => {
    for (const { config, isDynamic } of all) {
      if (!isDynamic) continue;
      const listener = decode(ListenerSchema, config.body);
      const before = byName.get(config.name) ?? { name: config.name };
      byName.set(config.name, { ...before, [field]: { ...version, listener } });
    }
  };
  add("active_state", listeners.active);
  add("warming_state", listeners.warming);
  return [...byName.values()];
}

function endpoints(clusters: readonly Cluster[]): Section {
  const entry = ({ config, hosts }: Cluster): JsonObject => ({
    endpoint_config: {
      "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
      cluster_name: config.type === "EDS" ? config.edsName : config.name,
      endpoints: hosts.map(({ address, port, state }): JsonObject => {
        const { locality, priority, hostname, health, weight } = state;
        const { region, zone, subZone } = locality;
        const place = address.startsWith("/")
          ? { pipe: { path: address } }
          : { socket_address: { address, port_value: port } };
        return {
          locality: { region, zone, sub_zone: subZone },
          ...(priority === 0 ? {} : { priority }),
          ...(locality.weight === 0 ? {} : { load_balancing_weight: locality.weight }),
          lb_endpoints: [
            {
              endpoint: { address: place, ...(hostname === "" ? {} : { hostname }) },
              health_status: health,
              load_balancing_weight: weight,
            },
          ],
        };
      }),
    },
  });
  return {
    type: "EndpointsConfigDump",
    fields: {},
    lists: {
      static_endpoint_configs: clusters.filter(({ config }) => config.type !== "EDS").map(entry),
      dynamic_endpoint_configs: clusters.filter(({ config }) => config.type === "EDS").map(entry),
    },
  };
}

/** The name of what an entry holds. */
function nameOf(entry: JsonObject): string {
  for (const value of [entry, ...Object.values(entry)]) {
    if (!isObject(value)) continue;
    const name = value["name"] ?? value["cluster_name"];
    if (typeof name === "string") return name;
  }
  return "";
}

/** The fields of a mask, `a.b`; all of them without one. */
function pick(value: JsonObject, mask: readonly string[]): JsonObject {
  if (mask.length === 0) return value;
  const kept: JsonObject = {};
  for (const [key, one] of Object.entries(value)) {
    if (key === "@type" || mask.includes(key)) kept[key] = one;
    const inner = mask
      .filter((path) => path.startsWith(`${key}.`))
      .map((path) => path.substring(key.length + 1));
    if (inner.length > 0 && isObject(one)) kept[key] = pick(one, inner);
  }
  return kept;
}

function versionInfo(status: TypeStatus | undefined): JsonObject {
  if (status === undefined) return {};
  return {
    version_info: status.version,
    ...(status.rejection === undefined ? {} : { error_state: { details: status.rejection } }),
  };
}

function decode(schema: DescMessage, body: Uint8Array): JsonValue {
  const json = toJson(schema, fromBinary(schema, body), {
    registry: EXTENSION_TYPES,
    useProtoFieldName: true,
  });
  const redacted = redact(json);
  const typeUrl = `type.googleapis.com/${schema.typeName}`;
  return isObject(redacted) ? { "@type": typeUrl, ...redacted } : redacted;
}
