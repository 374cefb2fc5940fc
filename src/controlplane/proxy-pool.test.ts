import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { silentLogger } from "../telemetry/log.ts";
import { MetricRegistry } from "../telemetry/metrics.ts";
import type { XdsSnapshot } from "../xds/snapshot.ts";
import { ProxyPool } from "./proxy-pool.ts";

function snapshotOf(version: string): XdsSnapshot {
  const cluster = { name: "c", version, body: new Uint8Array(), origins: [], references: [] };
  const none = new Map();
  return {
    resources: {
      cluster: new Map([["c", cluster]]),
      endpoint: none,
      listener: none,
      route: none,
      virtualHost: none,
    },
  };
}

class Rig {
  readonly pushed: string[] = [];
  readonly metrics = new MetricRegistry();
  readonly pool: ProxyPool;
  version = "1";
  /** The proxy that cannot be built. */
  cursed = "";
  onBuilt: () => void = () => undefined;

  constructor() {
    this.pool = new ProxyPool({
      clock: new SimClock(),
      log: silentLogger,
      metrics: this.metrics,
      build: ({ name }) => {
        if (name === this.cursed) throw new Error("a bug");
        return { snapshot: snapshotOf(this.version), issues: [] };
      },
      push: (clientId, { resources }) =>
        this.pushed.push(`${clientId} ${resources.cluster.get("c")?.version}`),
      onBuilt: () => this.onBuilt(),
    });
  }

  connect(name: string): boolean {
    const id = `sidecar~127.0.0.1~${name}.ns~ns.svc.cluster.local`;
    const metadata = { INTERCEPTION_MODE: "NONE" };
    return this.pool.connect(name, { id, cluster: "", metadata, userAgent: "", variant: "sotw" })
      .ok;
  }

  async refresh(): Promise<void> {
    const built = new Promise<void>((resolve) => (this.onBuilt = resolve));
    this.pool.refresh();
    await built;
  }
}

describe("ProxyPool", () => {
  test("`refresh()` pushes what changed, and nothing else", async () => {
    const rig = new Rig();
    rig.connect("a");
    rig.connect("b");
    await rig.refresh();
    expect(rig.pushed).toEqual([]);
    rig.version = "2";
    await rig.refresh();
    expect(rig.pushed).toEqual(["a 2", "b 2"]);
  });

  test("a proxy that cannot be built keeps what it has, and the others go on", async () => {
    const rig = new Rig();
    rig.connect("a");
    rig.connect("b");
    rig.version = "2";
    rig.cursed = "a";
    await rig.refresh();
    expect(rig.pushed).toEqual(["b 2"]);
    expect(rig.metrics.value("pilot_xds_push_errors")).toBe(1);
    expect(rig.connect("a")).toBe(false);
    rig.cursed = "";
    await rig.refresh();
    expect(rig.pushed).toEqual(["b 2", "a 2"]);
  });

  test("`disconnect()` ends what was due", async () => {
    const rig = new Rig();
    rig.connect("a");
    rig.connect("b");
    rig.version = "2";
    const refreshed = rig.refresh();
    rig.pool.disconnect("a");
    await refreshed;
    expect(rig.pushed).toEqual(["b 2"]);
  });
});
