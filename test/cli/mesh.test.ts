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
      "",
    ].join("\n"),
    stderr: "",
  });
});

test("`weft proxy-status` looks at one pod, one namespace, as JSON", async () => {
  monitoring.routes.set("GET /debug/syncz", { json: [proxySync("b.default"), proxySync("c.x")] });
  const json = await runCommand(proxyStatusCommand, ["b", "-o", "json"], here());
  expect(JSON.parse(json.stdout)).toEqual([proxySync("b.default")]);
  const space = await runCommand(proxyStatusCommand, ["-n", "x"], here());
  expect(space.stdout).not.toContain("b.default");
  const missing = await runCommand(proxyStatusCommand, ["b.defalt"], here());
  expect(missing.stderr).toContain(
    'no proxy of "b.defalt" is connected, did you mean "b.default"?',
  );
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
