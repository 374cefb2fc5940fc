import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PROXY_RUNTIME } from "../../src/agent/bootstrap.ts";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";

/** Where the control plane would be, and the agent with its secrets; validation asks nobody. */
const BOOTSTRAP_CLUSTERS = ["ads", "sds-grpc"].map((name) => ({
  name,
  type: "STATIC",
  connect_timeout: "1s",
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}));

const ADS = {
  api_type: "GRPC",
  transport_api_version: "V3",
  grpc_services: [{ envoy_grpc: { cluster_name: "ads" } }],
};

/**
 * What Envoy has against a proxy's resources, all of which it reads; `undefined` when nothing.
 * It takes a twentieth of a second.
 */
export function refusalOfEnvoy(envoy: string, resources: SnapshotJson): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "weft-validate-"));
  try {
    const file = join(folder, "bootstrap.json");
    writeFileSync(file, JSON.stringify(staticBootstrap(resources)));
    execFileSync(envoy, ["--mode", "validate", "-c", file, "--concurrency", "1", "-l", "error"], {
      // Logs may go to /dev/stdout, and what Node calls a pipe cannot be opened there.
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      timeout: 30_000,
    });
    return undefined;
  } catch (error) {
    return (error as { stderr?: string }).stderr || String(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A bootstrap file with everything in it: validation loads no dynamic resources, so routes stand
 * inside their listeners, and endpoints in copies of their clusters.
 */
function staticBootstrap({ listeners, routes, clusters, endpoints }: SnapshotJson): JsonObject {
  const byName = new Map(routes.map((route) => [route["name"], route]));
  const withEndpoints = endpoints.map((assignment, index) => ({
    name: `static ${index}`,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: assignment,
  }));
  return {
    node: { id: "validate", cluster: "validate" },
    dynamic_resources: { ads_config: ADS },
    // On its own Envoy takes regular expressions of no more than 100 steps.
    layered_runtime: PROXY_RUNTIME,
    static_resources: {
      listeners: listeners.map((listener) => inlineRoutes(listener, byName)),
      clusters: [...BOOTSTRAP_CLUSTERS, ...clusters, ...withEndpoints],
    },
  };
}

/** The same JSON with every `rds` replaced by the routes that it names. */
export function inlineRoutes<T extends JsonValue>(
  value: T,
  routes: ReadonlyMap<unknown, JsonObject>,
): T {
  return replaceRds(value, routes) as T;
}

function replaceRds(value: JsonValue, routes: ReadonlyMap<unknown, JsonObject>): JsonValue {
  if (Array.isArray(value)) return value.map((element) => replaceRds(element, routes));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, child]): [string, JsonValue] => {
    if (name !== "rds") return [name, replaceRds(child, routes)];
    const route = routes.get((child as JsonObject)["route_config_name"]);
    if (route === undefined) throw new Error(`no routes for ${JSON.stringify(child)}`);
    return ["route_config", route];
  });
  return Object.fromEntries(entries);
}
