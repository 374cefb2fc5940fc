import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { VERSION } from "../../src/base/version.ts";
import type { ProxySync } from "../../src/cli/monitoring-client.ts";
import { proxyStatusCommand } from "../../src/cli/proxy-status.ts";
import { versionCommand } from "../../src/cli/version.ts";
import { type ServerFile, serverFilePath } from "../../src/local/server-file.ts";
import { FakeApi, runCommand } from "./fake-api.ts";

const monitoring = new FakeApi();

function proxySync(proxy: string, more: Partial<ProxySync> = {}): ProxySync {
  return {
    cluster_id: "Kubernetes",
    proxy,
    proxy_type: "sidecar",
    istio_version: "0.1.0",
    status: { cds: "SYNCED", lds: "SYNCED", eds: "SYNCED", rds: "NOT SENT" },
    node_id: `sidecar~127.0.0.1~${proxy}~x`,
    connected_at: "2026-01-01T00:00:00.000Z",
    since: {},
    held_routes: [],
    rejections: [],
    ...more,
  };
}

const REFUSED = proxySync("a.default", {
  istio_version: "0.0.9",
  status: { cds: "NACKED", lds: "SYNCED", eds: "SYNCED", rds: "STALE" },
  since: { rds: "2026-01-01T00:00:01.000Z" },
  held_routes: ["9080/reviews"],
  rejections: [
    {
      type: "cds",
      version: "3",
      at: "2026-01-01T00:00:00.000Z",
      message: "cluster x: bad",
      resources: ["x"],
      objects: ["DestinationRule/default/x"],
    },
  ],
});

beforeAll(async () => {
  await monitoring.start();
  const file: ServerFile = {
    pid: process.pid,
    version: "0.1.0",
    apiUrl: "https://127.0.0.1:1",
    monitoringAddr: monitoring.address,
    xdsAddr: "127.0.0.1:1",
    gatewayUrl: "http://127.0.0.1:1",
    kubeconfig: "kubeconfig",
    proxy: "weft",
    podCidr: "127.64.0.0/16",
    startedAt: "2026-01-01T00:00:00.000Z",
  };
  writeFileSync(serverFilePath(monitoring.home), JSON.stringify(file));
});
afterEach(() => monitoring.reset());
afterAll(() => monitoring.stop());

const here = (): { home: string } => ({ home: monitoring.home });

test("`weft proxy-status` prints a line per proxy, and why one refused", async () => {
  monitoring.routes.set("GET /debug/syncz", { json: [proxySync("b.default"), REFUSED] });
  expect(await runCommand(proxyStatusCommand, [], here())).toEqual({
    exitCode: 0,
    stdout: [
      "NAME        CLUSTER      CDS      LDS      EDS      RDS        VERSION",
      "a.default   Kubernetes   NACKED   SYNCED   SYNCED   STALE      0.0.9",
      "b.default   Kubernetes   SYNCED   SYNCED   SYNCED   NOT SENT   0.1.0",
      "",
      "a.default refused CDS at 2026-01-01T00:00:00.000Z (from DestinationRule/default/x): cluster x: bad",
      "a.default has not acknowledged RDS since 2026-01-01T00:00:01.000Z",
      "a.default keeps earlier routes, it lacks a cluster of the new ones: 9080/reviews",
      "",
    ].join("\n"),
    stderr: "",
  });
});

test("`weft proxy-status` looks at one pod, one namespace, as JSON", async () => {
  monitoring.routes.set("GET /debug/syncz", { json: [proxySync("b.default"), proxySync("c.x")] });
  const json = await runCommand(proxyStatusCommand, ["-n", "default", "-o", "json"], here());
  expect(JSON.parse(json.stdout)).toEqual([proxySync("b.default")]);
  const space = await runCommand(proxyStatusCommand, ["-n", "x"], here());
  expect(space.stdout).not.toContain("b.default");
  const missing = await runCommand(proxyStatusCommand, ["b.defalt"], here());
  expect(missing.stderr).toContain(
    'no proxy of "b.defalt" is connected, did you mean "b.default"?',
  );
});

test("`weft proxy-status` tells who is in automatic scope, and who is not and why", async () => {
  monitoring.routes.set("GET /debug/syncz", { json: [proxySync("a.x"), proxySync("b.x")] });
  const proxies = [
    { proxy: "a.x", workload: "x/a", isAutomatic: true, omittedClusters: 480 },
    {
      proxy: "b.x",
      workload: "x/b",
      isAutomatic: false,
      obstacle: "it speaks state of the world",
      omittedClusters: 0,
    },
  ];
  monitoring.routes.set("GET /debug/scopez", { json: { workloads: [], proxies } });
  try {
    expect((await runCommand(proxyStatusCommand, [], here())).stdout.split("\n").slice(3)).toEqual([
      "",
      "a.x is in automatic scope: without 480 clusters that its workload was not seen to call",
      "b.x is asked to be in automatic scope and is not: it speaks state of the world",
      "",
    ]);
    const json = await runCommand(proxyStatusCommand, ["-n", "x", "-o", "json"], here());
    expect(JSON.parse(json.stdout)).toMatchObject(proxies.map((scope) => ({ scope })));
  } finally {
    monitoring.routes.delete("GET /debug/scopez");
  }
});

const dump = (clusters: readonly object[], addresses: readonly string[]): object => ({
  configs: [
    {
      "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
      dynamic_active_clusters: clusters.map((cluster) => ({ cluster })),
    },
    {
      "@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump",
      dynamic_endpoint_configs: [
        {
          endpoint_config: {
            cluster_name: "a",
            endpoints: addresses.map((address) => ({
              lb_endpoints: [
                { endpoint: { address: { socket_address: { address, port_value: 80 } } } },
              ],
            })),
          },
        },
      ],
    },
  ],
});

test("`weft proxy-status POD` compares what the proxy has with what it is to have", async () => {
  const [, port = ""] = monitoring.address.split(":");
  const [one, two] = [{ name: "a", type: "EDS" }, { name: "b" }];
  monitoring.routes.set("GET /debug/syncz", { json: [proxySync("b.default")] });
  monitoring.routes.set("GET /debug/config_dump", { json: dump([one, two], ["10.0.0.1"]) });
  monitoring.routes.set("GET /config_dump", { json: dump([one, two], ["10.0.0.1"]) });
  const admin = ["--proxy-admin-port", port];
  const same = await runCommand(proxyStatusCommand, ["b", ...admin], here());
  expect(same.stdout.split("\n").slice(3)).toEqual([
    `Compared with http://${monitoring.address}/config_dump:`,
    "Clusters Match (2)",
    "Listeners Match (0)",
    "Routes Match (0)",
    "Endpoints Match (1)",
    "",
  ]);
  const other = dump([{ ...one, type: "STATIC" }, { name: "c" }], ["10.0.0.2"]);
  const stdin = { ...here(), stdin: JSON.stringify(other) };
  const differs = await runCommand(proxyStatusCommand, ["b.default", "-f", "-"], stdin);
  expect(differs.stdout).toContain(
    [
      "Clusters Don't Match (- control plane, + proxy)",
      "  a: differs",
      "      {",
      '        "name": "a",',
      '    -   "type": "EDS"',
      '    +   "type": "STATIC"',
      "      }",
      "  b: missing at the proxy",
      "  c: only at the proxy",
      "Listeners Match (0)",
    ].join("\n"),
  );
  expect(differs.stdout).toContain('    -   "10.0.0.1:80"');
  const silent = await runCommand(proxyStatusCommand, ["b", "--proxy-admin-port", "1"], here());
  expect(silent).toMatchObject({ exitCode: 0 });
  expect(silent.stdout).toContain("admin interface at 127.0.0.1:1 does not answer");
});

test("`weft proxy-status` asks another control plane, and shows more of each proxy", async () => {
  monitoring.routes.set("GET /debug/syncz", { json: [REFUSED] });
  const args = ["-o", "wide", "--monitoring-addr", monitoring.address];
  const wide = await runCommand(proxyStatusCommand, args, { home: "/nowhere" });
  expect(wide.stdout).toMatch(/^NAME +CLUSTER +CDS +LDS +EDS +RDS +VERSION +TYPE +CONNECTED +NODE/);
  expect(wide.stdout).toMatch(/STALE \(\d+d\) +0\.0\.9 +sidecar +\d+d +sidecar~127/);
});

test("`weft version` counts proxies by version", async () => {
  monitoring.routes.set("GET /debug/syncz", {
    json: [proxySync("b.x"), proxySync("c.x"), REFUSED],
  });
  const text = await runCommand(versionCommand, [], here());
  expect(text.stdout).toBe(
    `client version: ${VERSION}\ncontrol plane version: 0.1.0\ndata plane version: 0.1.0 (2 proxies), 0.0.9 (1 proxy)\n`,
  );
  const json = await runCommand(versionCommand, ["-o", "json"], here());
  expect(JSON.parse(json.stdout)).toMatchObject({
    clientVersion: { version: VERSION },
    dataPlaneVersion: [{ version: "0.1.0", count: 2 }, { count: 1 }],
  });
});

test("without a mesh, `weft version` knows itself, and `weft proxy-status` says what is missing", async () => {
  const nowhere = { home: "/nowhere" };
  expect((await runCommand(versionCommand, [], nowhere)).stdout).toBe(
    `client version: ${VERSION}\n`,
  );
  expect(await runCommand(proxyStatusCommand, [], nowhere)).toMatchObject({
    exitCode: 2,
    stderr: 'weft: no mesh is running at /nowhere; start one with "weft up"\n',
  });
});
