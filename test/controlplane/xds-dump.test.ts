import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import type { DiscoveryResponse } from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { xdsDumpCommand } from "../../src/cli/xds-dump.ts";
import { resourceJson, type SnapshotJson } from "../../src/xds/resource-json.ts";
import type { ResourceKind } from "../../src/xds/snapshot.ts";
import { runCommand } from "../cli/fake-api.ts";
import { randomWorld } from "../property/random-world.ts";
import { AdsClient } from "./ads-client.ts";
import { PilotProcess } from "./pilot-process.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-parity-"));
const mesh = mkdtempSync(join(tmpdir(), "weft-parity-mesh-"));

/** What the files of `--proxy` say, and what such a proxy says of itself. */
const PROXIES: readonly (readonly [name: string, file: JsonObject, node: JsonObject])[] = [
  [
    "sidecar",
    {
      type: "sidecar",
      ip: "10.0.0.1",
      labels: { app: "a", version: "v1" },
      metadata: { INTERCEPTION_MODE: "NONE" },
    },
    {
      id: "sidecar~10.0.0.1~proxy.default~default.svc.cluster.local",
      metadata: { INTERCEPTION_MODE: "NONE", LABELS: { app: "a", version: "v1" } },
    },
  ],
  [
    "gateway",
    {
      type: "router",
      ip: "10.0.0.2",
      id: "gateway-1",
      namespace: "istio-system",
      labels: { app: "b" },
      serviceAccount: "gateway",
    },
    {
      id: "router~10.0.0.2~gateway-1.istio-system~istio-system.svc.cluster.local",
      metadata: {
        NAMESPACE: "istio-system",
        LABELS: { app: "b" },
        SERVICE_ACCOUNT: "gateway",
      },
    },
  ],
];

let pilot: PilotProcess;
let client: AdsClient | undefined;

beforeAll(() => {
  const objects = randomWorld(20_261_121, 80);
  writeFileSync(join(mesh, "mesh.yaml"), objects.map((one) => stringify(one)).join("---\n"));
  const addresses = ["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
  pilot = new PilotProcess(["--config-dir", mesh, "--home", folder, ...addresses]);
});

afterEach(() => client?.close());

afterAll(async () => {
  await pilot.stop();
  rmSync(folder, { recursive: true });
  rmSync(mesh, { recursive: true });
});

/** Everything that a proxy is served, asked for and acknowledged in Envoy's order. */
async function served(ads: AdsClient, node: JsonObject): Promise<SnapshotJson> {
  const ask = async (kind: ResourceKind, resourceNames?: readonly string[]) => {
    // Who asks for nothing by name is not answered.
    if (resourceNames?.length === 0) return [];
    const typeUrl = RESOURCE_TYPE_URL[kind];
    const names = [...(resourceNames ?? [])];
    ads.send({ typeUrl, resourceNames: names, node });
    const { versionInfo, nonce, resources } = await ads.response(kind);
    ads.send({ typeUrl, resourceNames: names, versionInfo, responseNonce: nonce });
    return jsonOf(kind, resources);
  };
  const clusters = await ask("cluster");
  const fromEds = clusters.filter(({ type }) => type === "EDS");
  const endpoints = await ask("endpoint", fromEds.map(nameOf));
  const listeners = await ask("listener");
  const asked = JSON.stringify(listeners).matchAll(/"route_config_name":"([^"]+)"/g);
  const routes = await ask("route", [...new Set([...asked].map(([, name = ""]) => name))]);
  return { listeners, routes, clusters, endpoints };
}

function jsonOf(kind: ResourceKind, resources: DiscoveryResponse["resources"]) {
  const json = resources.map(({ value: body }) =>
    resourceJson(kind, { name: "", version: "", body, origins: [], references: [] }),
  );
  return json.sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
}

/** Of an assignment, its cluster's. */
function nameOf(json: { readonly [name: string]: unknown }): string {
  return String(json["name"] ?? json["cluster_name"]);
}

test.each(PROXIES)(
  "`weft pilot` serves a %s what `weft xds-dump` prints",
  async (name, proxy, node) => {
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(proxy));
    const dumped = await runCommand(xdsDumpCommand, ["--proxy", file, "-f", mesh], {
      home: folder,
    });
    expect(dumped.exitCode).not.toBe(2);
    const json = JSON.parse(dumped.stdout) as SnapshotJson;
    expect(json.clusters.length).toBeGreaterThan(5);
    client = new AdsClient(await pilot.grpcPort());
    expect(await served(client, node)).toEqual(json);
  },
);
