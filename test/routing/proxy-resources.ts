import { createRegistry, fromJson, type JsonValue } from "@bufbuild/protobuf";
import {
  type Listener,
  ListenerSchema,
} from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "../../src/api/gen/envoy/config/route/v3/route_pb.js";
import { EXTENSION_REGISTRY } from "../../src/api/registry.ts";
import { formatIssue } from "../../src/base/issue.ts";
import { decodeRouteConfig, type RouteConfig } from "../../src/match/route-config.ts";
import { EXTENSION_TYPES } from "../../src/proxy/extension-types.ts";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";

/** The part of a proxy's configuration that decides where a call goes. */
export interface ProxyResources {
  readonly listeners: readonly Listener[];
  /** By name. */
  readonly routes: ReadonlyMap<string, RouteConfig>;
}

/** Reads a dump; throws on what is no configuration. */
export function readResources({
  listeners,
  routes,
}: Pick<SnapshotJson, "listeners" | "routes">): ProxyResources {
  const tables = routes.map((json) => compileRoutes(parse(RouteConfigurationSchema, json)));
  return {
    listeners: listeners.map((json) => parse(ListenerSchema, json)),
    routes: new Map(tables.map((table) => [table.name, table])),
  };
}

/** What the control plane writes, and what the data plane reads. */
const REGISTRY = createRegistry(...EXTENSION_REGISTRY, ...EXTENSION_TYPES);

function parse<Desc extends Parameters<typeof fromJson>[0]>(schema: Desc, json: JsonValue) {
  return fromJson(schema, json, { registry: REGISTRY });
}

/** Compiles a route table as the data plane does; what it says to filters is not looked at. */
export function compileRoutes(message: RouteConfiguration): RouteConfig {
  const decoded = decodeRouteConfig(message, {
    readFile: (path) => {
      throw new Error(`no file is read here: ${path}`);
    },
    decodeOverride: () => ({}),
  });
  if (decoded.ok) return decoded.value;
  throw new Error(`routes "${message.name}": ${decoded.issues.map(formatIssue).join("; ")}`);
}
