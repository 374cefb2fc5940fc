import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { ClientStatus } from "../../src/ads/client-status.ts";
import { AdsServer } from "../../src/ads/server.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { MetricRegistry } from "../../src/telemetry/metrics.ts";
import type { XdsSnapshot } from "../../src/xds/snapshot.ts";
import { findProgram } from "../programs.ts";
import { EnvoyProcess } from "./envoy-process.ts";
import { until } from "./until.ts";
import { get, Load, startUpstream, type Upstream } from "./upstream.ts";
import { type FixtureSpec, fixtureSnapshot } from "./xds-fixture.ts";

const program = findProgram("envoy");
const UPDATES = 60;
const CONNECTIONS = 8;

/** What an Envoy asks for by itself. */
const ASKED = ["cluster", "endpoint", "listener", "route"] as const;

describe.skipIf(program === undefined).each([
  { apiType: "GRPC", variant: "sotw" },
  { apiType: "DELTA_GRPC", variant: "delta" },
] as const)("AdsServer and Envoy over $apiType", ({ apiType, variant }) => {
  let upstreams: Record<"a" | "b", Upstream>;
  let metrics: MetricRegistry;
  let server: AdsServer;
  let envoy: EnvoyProcess;
  let current: XdsSnapshot;

  beforeAll(async () => {
    upstreams = { a: await startUpstream("a"), b: await startUpstream("b") };
  });

  afterAll(async () => {
    await upstreams.a.close();
    await upstreams.b.close();
  });

  beforeEach(async () => {
    metrics = new MetricRegistry();
    current = fixtureSnapshot(only("a"));
    server = await serve("127.0.0.1:0");
    envoy = await EnvoyProcess.start({
      program: program ?? "",
      nodeId: "sidecar~127.0.0.1~pod.ns~ns.svc.cluster.local",
      adsPort: server.port,
      apiType,
    });
  });

  afterEach(async () => {
    await envoy.stop();
    await server.stop();
  });

  async function serve(addr: string): Promise<AdsServer> {
    const made = new AdsServer({
      addr,
      source: {
        connect: () => ({ ok: true, value: current }),
        want: () => false,
        disconnect: () => undefined,
      },
      clock: nodeClock,
      log: silentLogger,
      metrics,
      controlPlane: "weft test",
    });
    await made.start();
    return made;
  }

  function only(name: "a" | "b"): FixtureSpec {
    return { clusters: { [name]: upstreams[name].port }, target: name };
  }

  function push(spec: FixtureSpec): void {
    current = fixtureSnapshot(spec);
    server.push(client().clientId, current);
  }

  function client(): ClientStatus {
    const [first] = server.clients();
    if (first === undefined) throw new Error("Envoy is not connected");
    return first;
  }

  const settled = (): Promise<boolean> =>
    until(
      () => client().isSettled && ASKED.every((kind) => client().kinds[kind].state === "SYNCED"),
      "Envoy to have everything",
    );

  test("a snapshot arrives whole and traffic flows", async () => {
    const port = await envoy.listenerPort("web");
    expect(await get(port)).toBe("200 a");
    await settled();
    expect(client().variant).toBe(variant);
    expect(client().node.userAgent).toMatch(/^envoy \d+\.\d+\.\d+$/);
    const sent = ["cds", "eds", "lds", "rds"].map((type) =>
      metrics.value("pilot_xds_pushes", { type }),
    );
    expect(sent).toEqual([1, 1, 1, 1]);
  });

  test("updates under load lose no request", async () => {
    const port = await envoy.listenerPort("web");
    await settled();
    const load = new Load((agent) => get(port, { agent }), CONNECTIONS);
    for (let update = 1; update <= UPDATES; update++) {
      // Every third time the cluster itself changes too, so that it has to warm anew.
      push({ ...only(update % 2 === 0 ? "a" : "b"), connectTimeoutSeconds: 1 + (update % 3) });
      await settled();
    }
    await load.stop();
    expect([...load.answers.keys()].sort()).toEqual(["200 a", "200 b"]);
    expect(metrics.value("weft_xds_wait_expired", { stage: "make" })).toBe(0);
    expect(metrics.value("weft_xds_wait_expired", { stage: "switch" })).toBe(0);
  });

  test("a listener that Envoy refuses is shown, and the others go on", async () => {
    const port = await envoy.listenerPort("web");
    await settled();
    push({ ...only("b"), hasBadListener: true });
    await until(() => client().kinds.listener.state === "NACKED", "the NACK");
    expect(client().kinds.listener.nackedMessage).toContain("bad");
    await until(async () => (await get(port)) === "200 b", "traffic to move");
    expect(metrics.value("pilot_total_xds_rejects", { type: "lds" })).toBe(1);
    push(only("a"));
    await settled();
    expect(await get(port)).toBe("200 a");
  });

  test("a route to a cluster that Envoy refuses stays as it was until it is mended", async () => {
    const port = await envoy.listenerPort("web");
    await settled();
    push({ ...only("b"), badCluster: "b" });
    await until(() => client().heldRoutes.length > 0, "the hold");
    expect(client().kinds.cluster.nackedMessage).toContain("cluster(s) b:");
    expect(client().heldRoutes).toEqual(["r/all"]);
    expect(await get(port)).toBe("200 a");
    push(only("b"));
    await settled();
    expect(client().heldRoutes).toEqual([]);
    expect(await get(port)).toBe("200 b");
  });

  test("an Envoy that comes back to a new server gets only what it lacks", async () => {
    const port = await envoy.listenerPort("web");
    await settled();
    const addr = `127.0.0.1:${server.port}`;
    await server.stop();
    metrics = new MetricRegistry();
    server = await serve(addr);
    await until(() => server.clients().length === 1, "Envoy to come back");
    await settled();
    expect(metrics.text()).not.toContain("pilot_xds_pushes");
    push(only("b"));
    await settled();
    expect(await get(port)).toBe("200 b");
  });
});
