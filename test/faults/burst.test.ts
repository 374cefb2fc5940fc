import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { appYaml } from "../controlplane/mesh-folder.ts";
import { until } from "../controlplane/until.ts";
import { fillerYaml, generationYaml } from "./generation-yaml.ts";
import { InnerMesh } from "./inner-mesh.ts";
import { JumpingClock } from "./jumping-clock.ts";
import { startNamedApp } from "./named-app.ts";
import { findPlanes } from "./planes.ts";
import { askPod } from "./served.ts";

const SERVICE_PORT = 9080;
const FILLERS = 20;
const WRITES = 10_000;
const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const STAGES = ["make", "switch", "break"] as const;

const clock = new JumpingClock();
const stopApps: (() => Promise<void>)[] = [];
let mesh: InnerMesh;
let generation = 0;
let objects: Map<string, string>;

beforeAll(async () => {
  mesh = await InnerMesh.start({
    planes: findPlanes(),
    clock,
    objects: (subnet) => {
      objects = objectsOf(subnet);
      return objects;
    },
  });
  for (const [version, at] of [
    ["v1", 11],
    ["v2", 12],
  ] as const) {
    stopApps.push(await startNamedApp(version, `${mesh.subnet}.${at}`, SERVICE_PORT));
  }
});

beforeEach(() => served());

afterAll(async () => {
  for (const stop of stopApps) await stop();
  await mesh.stop();
});

/** Each document under a name of its own, so that one can be written without the others. */
function objectsOf(subnet: string): Map<string, string> {
  const app = appYaml({ v1: `${subnet}.11`, v2: `${subnet}.12`, port: SERVICE_PORT });
  let rules = 0;
  const documents = `${app}---\n${fillerYaml(FILLERS)}`.split(/^---\n/m);
  const named = documents.map((text, at) => {
    const isRule = text.includes("kind: DestinationRule") && text.includes("filler-");
    return [isRule ? `rule ${rules++}` : `document ${at}`, text] as const;
  });
  return new Map([...named, ["routes", generationYaml("v1", 0)]]);
}

/** A few DestinationRules of each of the services that nobody asks, by the name of what they replace. */
function fillerRules(): readonly (readonly [string, string])[] {
  return [2, 3, 4].flatMap((timeoutSeconds) =>
    fillerYaml(FILLERS, timeoutSeconds)
      .split(/^---\n/m)
      .filter((text) => text.includes("kind: DestinationRule"))
      .map((text, at) => [`rule ${at}`, text] as const),
  );
}

function write(name: string, text: string): void {
  objects.set(name, text);
  mesh.source.replace(objects);
}

function route(version: "v1" | "v2"): void {
  generation += 1;
  write("routes", generationYaml(version, generation));
}

async function served(): Promise<void> {
  await Promise.all(
    [...mesh.pods].map(([plane, ip]) =>
      until(
        async () => (await askPod(ip)).generation === generation,
        `${plane} to serve generation ${generation}`,
        30_000,
      ),
    ),
  );
}

function pushes(): number {
  const { metrics } = mesh.controlPlane;
  const types = ["cds", "eds", "lds", "rds"];
  return types.reduce((sum, type) => sum + metrics.value("pilot_xds_pushes", { type }), 0);
}

test("10,000 writes end in the last, by few pushes and in bounded memory", {
  timeout: 90_000,
}, async () => {
  const [before, startMs] = [pushes(), performance.now()];
  const startBytes = process.memoryUsage.rss();
  let mostBytes = startBytes;
  const rules = fillerRules();
  for (let at = 1; at <= WRITES; at++) {
    // The clusters of one service after the other, and now and then the routes.
    const [name, text] = rules[at % rules.length] ?? ["", ""];
    if (at % 10 === 0) route(at % 20 === 0 ? "v1" : "v2");
    else write(name, text);
    if (at % 100 !== 0) continue;
    mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
    // Elsewhere others have their turn: this is no test of one long turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const writtenMs = performance.now() - startMs;
  await served();
  const sent = (pushes() - before) / mesh.pods.size;
  process.stdout.write(
    `${WRITES} writes in ${Math.round(writtenMs)} ms, at all proxies ${Math.round(performance.now() - startMs - writtenMs)} ms later; ` +
      `${sent} responses each; ${Math.round((mostBytes - startBytes) / MIB)} MiB more\n`,
  );
  expect(sent).toBeLessThan(WRITES / 20);
  expect(mostBytes - startBytes).toBeLessThan(300 * MIB);
  for (const stage of STAGES) {
    expect(mesh.controlPlane.metrics.value("weft_xds_wait_expired", { stage })).toBe(0);
  }
});

test.each([
  ["forward by 6 hours", 6 * HOUR_MS],
  ["back by 13 hours", -13 * HOUR_MS],
  ["back before the epoch", -80 * 365 * 24 * HOUR_MS],
  ["forward to the present", 80 * 365 * 24 * HOUR_MS + 7 * HOUR_MS],
])("the time of day jumps %s: nothing waits for it", async (_what, byMs) => {
  route("v1");
  clock.jump(byMs);
  await served();
  route("v2");
  await served();
  const signal = AbortSignal.timeout(20_000);
  await mesh.controlPlane.whenUnused("192.0.2.1", signal);
  expect(signal.aborted).toBe(false);
  const { proxies } = mesh.controlPlane.status();
  expect(proxies.length).toBe(mesh.pods.size);
  for (const { states } of proxies) {
    expect(new Set(Object.values(states))).toEqual(new Set(["SYNCED"]));
  }
  for (const stage of STAGES) {
    expect(mesh.controlPlane.metrics.value("weft_xds_wait_expired", { stage })).toBe(0);
  }
});
