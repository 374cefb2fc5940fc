import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PilotProcess } from "../controlplane/pilot-process.ts";
import { until } from "../controlplane/until.ts";
import { fillerYaml } from "./generation-yaml.ts";
import { PilotMesh } from "./pilot-mesh.ts";
import { findPlanes, VARIANTS } from "./planes.ts";
import { runUnderLoad } from "./under-load.ts";
import { XdsProbe } from "./xds-probe.ts";

const KINDS = ["cluster", "endpoint", "listener", "route"] as const;

/** After a move: Envoy waits up to 30 s before it tries to connect again. */
const MOVE_MS_MAX = 90_000;

let mesh: PilotMesh;
let second: PilotProcess;
const home = mkdtempSync(join(tmpdir(), "weft-second-"));

beforeAll(async () => {
  mesh = await PilotMesh.start({ planes: findPlanes(), fillers: 20 });
  // The first has a history; the second only ever sees how it ended.
  mesh.folder.write("gone.yaml", fillerYaml(1).replaceAll("filler-0", "gone"));
  mesh.route("v2");
  await mesh.served();
  mesh.folder.write("gone.yaml", "# nothing\n");
  mesh.route("v1");
  await mesh.served();
  // In state of the world a client that stops asking for something keeps the version of the response
  // that had it; the next one has the version of what it asks for now.
  mesh.folder.write("fillers.yaml", fillerYaml(20, 2));
  mesh.route("v1");
  await mesh.served();
  const anyPort = ["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
  second = new PilotProcess(["--config-dir", mesh.folder.path, "--home", home, ...anyPort]);
  await second.grpcPort();
});

afterAll(async () => {
  await mesh.stop();
  await second.stop("SIGKILL");
  rmSync(home, { recursive: true });
});

test.each(VARIANTS)("two on the same objects give the same versions, %s", async (variant) => {
  const ports = [mesh.grpcPort, await second.grpcPort()];
  const probes = ports.map((port) => {
    const probe = new XdsProbe({ variant, name: "client" });
    probe.connect(port);
    probe.follow();
    return probe;
  });
  try {
    await until(() => probes.every((probe) => probe.responses("route") > 0), "both to serve");
    const [one, other] = probes.map((probe) => KINDS.map((kind) => probe.held(kind)));
    expect(one).toEqual(other);
    expect(one?.every((held) => held.length > 0)).toBe(true);
  } finally {
    for (const probe of probes) probe.close();
  }
});

test("proxies that move from one to the other get nothing anew, then what changes", {
  timeout: MOVE_MS_MAX * 2,
}, async () => {
  const before = await pushes(second);
  const wrong = await runUnderLoad(mesh, async (awhile) => {
    mesh.link.target = await second.grpcPort();
    mesh.link.cut();
    mesh.link.heal();
    await until(
      async () => (await rows(second)).length === mesh.pods.size,
      "all to move",
      MOVE_MS_MAX,
    );
    await awhile();
    for (const row of await rows(second)) {
      expect(new Set(Object.values(row.status))).toEqual(new Set(["SYNCED"]));
    }
    expect(since(before, await pushes(second))).toEqual({});
    mesh.route("v2");
    await mesh.served();
  });
  expect(wrong).toEqual([]);
  // A change of one route: nobody got clusters, endpoints or listeners for it.
  expect(since(before, await pushes(second))).toEqual({ rds: mesh.pods.size });
});

test("a thousand writes of one file end in the last, by few pushes", async () => {
  const before = await pushes(second);
  for (let at = 0; at < 1000; at++) mesh.route(at % 2 === 0 ? "v1" : "v2");
  await mesh.served();
  const { rds = 0, ...others } = since(before, await pushes(second));
  expect(others).toEqual({});
  expect(rds / mesh.pods.size).toBeLessThan(50);
});

async function rows(pilot: PilotProcess): Promise<{ readonly status: Record<string, string> }[]> {
  return JSON.parse(await pilot.get("/debug/syncz")) as { status: Record<string, string> }[];
}

type Pushes = Readonly<Record<string, number>>;

/** How many responses of each type it has sent. */
async function pushes(pilot: PilotProcess): Promise<Pushes> {
  const text = await pilot.get("/metrics");
  const counts = [...text.matchAll(/^pilot_xds_pushes\{.*?type="(\w+)".*?\} (\d+)$/gm)];
  return Object.fromEntries(counts.map(([, type = "", count]) => [type, Number(count)]));
}

/** What came to it meanwhile. */
function since(before: Pushes, after: Pushes): Pushes {
  const more = Object.entries(after).map(
    ([type, count]) => [type, count - (before[type] ?? 0)] as const,
  );
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}
