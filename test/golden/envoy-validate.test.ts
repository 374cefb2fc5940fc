import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { buildMesh } from "../../src/model/mesh.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { resourceJson } from "../../src/xds/resource-json.ts";
import type { ResourceKind, XdsSnapshot } from "../../src/xds/snapshot.ts";
import { findProgram } from "../programs.ts";
import { readCases } from "./golden-case.ts";

const envoy = findProgram("envoy");

/** Where the control plane would be; validation asks nobody. */
const ADS_CLUSTER = {
  name: "ads",
  type: "STATIC",
  connect_timeout: "1s",
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/**
 * A bootstrap file with everything in it: validation loads no dynamic resources, so routes stand
 * inside their listeners, and endpoints in copies of their clusters.
 */
function bootstrapOf(node: ProxyNode, { resources }: XdsSnapshot): JsonObject {
  const json = (kind: ResourceKind): JsonObject[] =>
    [...resources[kind].values()].map((resource) => resourceJson(kind, resource));
  const routes = new Map(json("route").map((route) => [route["name"], route]));
  const withEndpoints = json("endpoint").map((assignment, index) => ({
    name: `static ${index}`,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: assignment,
  }));
  return {
    node: { id: node.id, cluster: "golden" },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "ads" } }],
      },
    },
    static_resources: {
      listeners: json("listener").map((listener) => withRoutes(listener, routes) as JsonObject),
      clusters: [ADS_CLUSTER, ...json("cluster"), ...withEndpoints],
    },
  };
}

/** The same JSON with every `rds` replaced by the routes that it names. */
function withRoutes(value: JsonValue, routes: ReadonlyMap<unknown, JsonObject>): JsonValue {
  if (Array.isArray(value)) return value.map((element) => withRoutes(element, routes));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, child]): [string, JsonValue] => {
    if (name !== "rds") return [name, withRoutes(child, routes)];
    const route = routes.get((child as JsonObject)["route_config_name"]);
    if (route === undefined) throw new Error(`no routes for ${JSON.stringify(child)}`);
    return ["route_config", route];
  });
  return Object.fromEntries(entries);
}

describe.skipIf(envoy === undefined)("envoy --mode validate", () => {
  const pairs = readCases().flatMap((one) =>
    one.proxies.map(({ name, node }) => [one.name, name, one.objects, node] as const),
  );

  test.each(pairs)("accepts what %s makes for %s", (_, __, objects, node) => {
    const { snapshot } = buildSnapshot(buildProxyView(buildMesh(viewOf(objects)), node));
    const folder = mkdtempSync(join(tmpdir(), "weft-golden-"));
    try {
      const file = join(folder, "bootstrap.json");
      writeFileSync(file, JSON.stringify(bootstrapOf(node, snapshot)));
      const output = execFileSync(
        envoy ?? "",
        ["--mode", "validate", "-c", file, "--concurrency", "1", "-l", "error"],
        { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8", timeout: 30_000 },
      );
      expect(output).toContain("OK");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
