import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ClientNode } from "../../src/ads/snapshot-source.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import { ProxyScopes } from "../../src/controlplane/proxy-scope.ts";
import type { Mesh } from "../../src/model/mesh.ts";
import type { ProxyView } from "../../src/model/proxy-view.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { MetricRegistry } from "../../src/telemetry/metrics.ts";
import { istio, meshOf, service, sidecar } from "../model/world.ts";
import { until } from "./until.ts";

const ASKING = `apiVersion: v1
kind: Namespace
metadata: { name: default, labels: { weft.dev/automatic-scope: "true" } }`;
const SERVICES = [
  service("reviews", { ip: "10.96.0.1", ports: ["http:9080"] }),
  service("ratings", { ip: "10.96.0.2", ports: ["http:9080"] }),
];
const NODE = sidecar({ labels: { app: "shop" } });
const DAY_MS = 24 * 60 * 60_000;

const ENVOY: ClientNode = {
  id: NODE.id,
  cluster: "",
  metadata: {},
  userAgent: "envoy 1.40.0",
  variant: "delta",
};

/** Scopes with their surroundings. */
class Rig {
  readonly clock = new SimClock();
  readonly metrics = new MetricRegistry();
  readonly refreshed: string[] = [];
  readonly scopes: ProxyScopes;
  mesh: Mesh = meshOf(ASKING, ...SERVICES);

  constructor(file?: string) {
    this.scopes = new ProxyScopes({
      clock: this.clock,
      log: silentLogger,
      metrics: this.metrics,
      file,
      mesh: () => this.mesh,
      refresh: (clientIds) => {
        for (const id of clientIds) this.view(id);
        this.refreshed.push(clientIds.join());
      },
    });
  }

  connect(clientId: string, client: Partial<ClientNode> = {}, node = NODE): ProxyView {
    this.scopes.connect(clientId, { ...ENVOY, ...client }, node);
    return this.scopes.viewOf(clientId, node);
  }

  /** Asks, and waits until those who are concerned get something new. */
  async call(clientId: string, ...names: readonly string[]): Promise<void> {
    const before = this.refreshed.length;
    if (!this.scopes.want(clientId, "virtualHost", names)) throw new Error("no answer to come");
    await until(() => this.refreshed.length > before, "a refresh");
  }

  view(clientId: string): readonly string[] {
    return servicesOf(this.scopes.viewOf(clientId, NODE));
  }

  obstacle(clientId: string): string | undefined {
    return this.scopes.proxies.find((one) => one.clientId === clientId)?.obstacle;
  }
}

function servicesOf({ clusters }: ProxyView): readonly string[] {
  return clusters
    .flat()
    .map(({ name }) => name.split("|").at(-1)?.split(".")[0] ?? "")
    .sort();
}

describe("ProxyScopes", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "weft-scope-"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("a call widens the scope of all replicas, and of pods that come later", async () => {
    const rig = new Rig();
    expect(servicesOf(rig.connect("a"))).toEqual([]);
    rig.connect("b");
    rig.connect("other", {}, sidecar({ labels: { app: "other" } }));
    await rig.call("a", "9080/reviews");
    expect(rig.refreshed).toEqual(["a,b"]);
    expect([rig.view("a"), rig.view("b"), rig.view("other")]).toEqual([
      ["reviews"],
      ["reviews"],
      [],
    ]);
    expect(servicesOf(rig.connect("c"))).toEqual(["reviews"]);
    await rig.scopes.stop();
  });

  test("a host of nobody is answered as well, and told apart", async () => {
    const rig = new Rig();
    rig.connect("a");
    await rig.call("a", "9080/nobody");
    const names = rig.scopes.viewOf("a", NODE).virtualHosts.map(({ name }) => name);
    expect(names).toContain("9080/nobody");
    expect([...(rig.scopes.proxies[0]?.unknown ?? [])]).toEqual(["9080/nobody"]);
    await rig.scopes.stop();
  });

  test("what cannot be answered is not taken in", async () => {
    const rig = new Rig();
    rig.connect("a");
    const asks = (...names: string[]): boolean => rig.scopes.want("a", "virtualHost", names);
    expect([asks("81/reviews"), asks("9080/a b"), asks("x"), asks()]).toEqual(Array(4).fill(false));
    expect(rig.scopes.want("a", "cluster", ["9080/reviews"])).toBe(false);
    expect(rig.scopes.want("nobody", "virtualHost", ["9080/reviews"])).toBe(false);
    expect(rig.scopes.workloads.flatMap(({ hosts }) => [...hosts])).toEqual([]);
    await rig.scopes.stop();
  });

  test.each([
    ["an Envoy that asks for the state of the world", { variant: "sotw" }, /DELTA_GRPC/],
    ["an Envoy before 1.37", { userAgent: "envoy 1.36.2" }, /^envoy 1\.36\.2: .* 1\.37 on/],
    ["a client without a name", { userAgent: "" }, /does not say what it is/],
  ] as const)("%s gets all that it may see", (_, client, obstacle) => {
    const rig = new Rig();
    expect(servicesOf(rig.connect("a", client))).toEqual(["ratings", "reviews"]);
    expect(rig.obstacle("a")).toMatch(obstacle);
    expect(rig.scopes.want("a", "virtualHost", ["9080/reviews"])).toBe(false);
  });

  test("weft's proxy can ask, whatever it calls itself", () => {
    const rig = new Rig();
    const weft = sidecar({ labels: { app: "shop" }, metadata: { WEFT_PROXY: "weft" } });
    expect(servicesOf(rig.connect("a", { userAgent: "weft 0.1.0" }, weft))).toEqual([]);
  });

  test("a label that goes, or a Sidecar that comes, ends it", () => {
    const rig = new Rig();
    rig.connect("a");
    rig.mesh = meshOf(
      ASKING,
      ...SERVICES,
      istio("Sidecar", "own", "{ egress: [{ hosts: ['./*'] }] }"),
    );
    expect(rig.view("a")).toEqual(["ratings", "reviews"]);
    expect(rig.obstacle("a")).toBe("Sidecar/default/own says what it sees");
    rig.mesh = meshOf(...SERVICES);
    expect(rig.view("a")).toEqual(["ratings", "reviews"]);
    expect(rig.obstacle("a")).toBeUndefined();
  });

  test("what was called survives the process, before anybody is given it", async () => {
    const file = join(folder, "home", "called.json");
    const rig = new Rig(file);
    await rig.scopes.start();
    rig.connect("a");
    await rig.call("a", "9080/reviews");
    // Not stopped: killed.
    const next = new Rig(file);
    await next.scopes.start();
    expect(servicesOf(next.connect("a"))).toEqual(["reviews"]);
    await next.scopes.stop();
    await rig.scopes.stop();
  });

  test.each(["{", '{"form":9}', '{"form":1,"workloads":[{"name":1}]}', "null"])(
    "a file that holds %s costs only the memory",
    async (text) => {
      const file = join(folder, "called.json");
      writeFileSync(file, text);
      const rig = new Rig(file);
      await rig.scopes.start();
      rig.connect("a");
      await rig.call("a", "9080/reviews");
      expect(rig.view("a")).toEqual(["reviews"]);
      await rig.scopes.stop();
      expect(readFileSync(file, "utf8")).toContain('"9080/reviews"');
    },
  );

  test("what nobody asked for in a day is not given to those who come, nor taken from those who are there", async () => {
    const rig = new Rig();
    await rig.scopes.start();
    rig.connect("a");
    await rig.call("a", "9080/reviews");
    await rig.clock.advance(DAY_MS / 2);
    await rig.call("a", "9080/ratings");
    await rig.clock.advance(DAY_MS / 2 + 11 * 60_000);
    expect(servicesOf(rig.connect("b"))).toEqual(["ratings"]);
    expect(rig.view("a")).toEqual(["ratings", "reviews"]);
    expect(rig.metrics.value("weft_scope_forgotten")).toBe(1);
    await rig.scopes.stop();
  });

  test("a workload that asks for ever more hosts gets everything, each question answered before", async () => {
    const rig = new Rig();
    rig.connect("a");
    for (let host = 0; host <= 400; host++) await rig.call("a", `9080/host-${host}`);
    expect(rig.scopes.viewOf("a", NODE).virtualHosts).toHaveLength(402);
    await rig.clock.advance(2000);
    expect(rig.refreshed.at(-1)).toBe("a");
    expect(rig.view("a")).toEqual(["ratings", "reviews"]);
    expect(rig.scopes.viewOf("a", NODE).virtualHosts).toEqual([]);
    expect(rig.obstacle("a")).toMatch(/more hosts/);
    await rig.scopes.stop();
  });

  test("stops with no timer left, and tells nobody afterwards", async () => {
    const rig = new Rig();
    await rig.scopes.start();
    rig.connect("a");
    expect(rig.scopes.want("a", "virtualHost", ["9080/reviews"])).toBe(true);
    await rig.scopes.stop();
    await rig.clock.advance(DAY_MS * 2);
    expect(rig.refreshed).toEqual([]);
  });
});
