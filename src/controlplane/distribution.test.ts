import { describe, expect, test } from "vitest";
import type { ClientStatus, KindStatus } from "../ads/client-status.ts";
import type { ObjectKey } from "../config/object.ts";
import type { ResourceMap } from "../xds/resource-map.ts";
import { layeredMap } from "../xds/resource-map.ts";
import type { XdsResource, XdsSnapshot } from "../xds/snapshot.ts";
import { Distribution } from "./distribution.ts";
import type { DistributionClient } from "./distribution-view.ts";
import { distributionOf, laggardsOf } from "./object-distribution.ts";

const key = (name: string, kind = "VirtualService"): ObjectKey => ({
  group: "networking.istio.io",
  kind,
  namespace: "default",
  name,
});

const resource = (name: string, version: string, ...origins: string[]): XdsResource => ({
  name,
  version,
  body: new Uint8Array(),
  origins: origins.map((origin) => key(origin)),
  references: [],
});

const mapOf = (...resources: readonly XdsResource[]): ResourceMap =>
  new Map(resources.map((one) => [one.name, one]));

const NOTHING: ResourceMap = new Map();
const NOT_ASKED: KindStatus = {
  state: "NOT SENT",
  resources: [],
  names: new Set(),
  offered: undefined,
  acked: undefined,
  nacked: undefined,
  nackedOver: undefined,
  refused: new Map(),
};

/** A proxy of which only routes matter. */
class Proxy {
  readonly name: string;
  target: XdsSnapshot;
  route: KindStatus = { ...NOT_ASKED, names: undefined, resources: [] };
  isSettled = true;
  builtEpoch: number;

  constructor(name: string, world: World) {
    this.name = name;
    this.target = world.snapshot;
    this.builtEpoch = world.distribution.epoch;
  }

  /** Acknowledges what it is to have. */
  ack(): void {
    const acked = this.target.resources.route;
    this.route = { ...this.route, state: "SYNCED", offered: acked, acked, nacked: undefined };
    this.route = { ...this.route, nackedOver: undefined, refused: new Map() };
  }

  /** Refuses one route. */
  nack(name: string, nackedMessage: string): void {
    const nacked = this.target.resources.route;
    const { acked: nackedOver } = this.route;
    const refused = new Map([[name, nackedMessage]]);
    const about = { nacked, nackedMessage, nackedOver, refused };
    this.route = { ...this.route, ...about, state: "NACKED", offered: nacked };
  }

  get client(): DistributionClient {
    const { target, isSettled, name, route, builtEpoch } = this;
    const kinds = {
      cluster: NOT_ASKED,
      endpoint: NOT_ASKED,
      listener: NOT_ASKED,
      route,
      virtualHost: NOT_ASKED,
    };
    const client: ClientStatus = {
      peer: "127.0.0.1:1",
      clientId: name,
      variant: "sotw",
      node: { id: name, cluster: "", metadata: {}, userAgent: "", variant: "sotw" },
      connectedAtMs: 0,
      sent: { bytes: 0, responses: 0 },
      target,
      completed: isSettled ? target : undefined,
      isSettled,
      heldRoutes: [],
      kinds,
    };
    return { proxy: name, client, builtEpoch };
  }
}

/** A mesh of routes. */
class World {
  readonly distribution = new Distribution();
  readonly proxies: Proxy[] = [];
  snapshot: XdsSnapshot = snapshotOf(NOTHING);

  /** Objects change, and with them the routes of all proxies. */
  change(names: readonly string[], route: ResourceMap): void {
    this.distribution.noteChanged(
      names.map((name) => key(name)),
      () => true,
    );
    this.build(route);
  }

  build(route: ResourceMap): void {
    this.distribution.noteMesh();
    this.snapshot = snapshotOf(route);
    this.distribution.noteSnapshot(this.snapshot);
    for (const proxy of this.proxies) {
      proxy.target = this.snapshot;
      proxy.builtEpoch = this.distribution.epoch;
      proxy.route = { ...proxy.route, state: "STALE" };
    }
  }

  connect(name: string): Proxy {
    const proxy = new Proxy(name, this);
    this.proxies.push(proxy);
    return proxy;
  }

  look(nowMs = 60_000) {
    return this.distribution.look(
      this.proxies.map(({ client }) => client),
      nowMs,
    );
  }

  state(name: string): string {
    const { state, acked, proxies } = distributionOf(this.look(), key(name));
    return `${state} ${acked}/${proxies}`;
  }
}

function snapshotOf(route: ResourceMap): XdsSnapshot {
  const none = { cluster: NOTHING, endpoint: NOTHING, listener: NOTHING, virtualHost: NOTHING };
  return { resources: { ...none, route } };
}

describe("Distribution", () => {
  test("counts the proxies that have an object as it is", () => {
    const world = new World();
    world.change(["a"], mapOf(resource("80", "1", "a")));
    expect(world.state("a")).toBe("NoProxies 0/0");
    const [p, q] = [world.connect("p"), world.connect("q")];
    expect(world.state("a")).toBe("Pending 0/2");
    p.ack();
    expect(world.state("a")).toBe("Pending 1/2");
    q.ack();
    expect(world.state("a")).toBe("Distributed 2/2");
    expect(world.state("nobody")).toBe("NotUsed 0/0");
  });

  test("waits for the mesh that a change is in, and for each proxy's part of it", () => {
    const world = new World();
    world.change(["a"], mapOf(resource("80", "1", "a")));
    const proxy = world.connect("p");
    proxy.ack();
    world.distribution.noteChanged([key("a")], () => true);
    expect(world.state("a")).toBe("Pending 0/1");
    world.distribution.noteMesh();
    expect(world.state("a")).toBe("Pending 0/1");
    expect(laggardsOf(world.look(), key("a"))).toMatchObject([{ state: "NOT BUILT" }]);
    proxy.builtEpoch = world.distribution.epoch;
    expect(world.state("a")).toBe("Distributed 1/1");
  });

  test("leaves alone what was there when another object changes the same route", () => {
    const world = new World();
    world.change(["a", "b"], mapOf(resource("80", "1", "a", "b")));
    const proxy = world.connect("p");
    proxy.ack();
    world.state("a");
    world.change(["b"], mapOf(resource("80", "2", "a", "b")));
    expect(world.state("a")).toBe("Distributed 1/1");
    expect(world.state("b")).toBe("Pending 0/1");
    proxy.nack("80", "80: bad");
    expect(world.state("a")).toBe("Distributed 1/1");
    expect(world.state("b")).toBe("Rejected 0/1");
  });

  test("knows that an object arrived while others go on changing the same route", () => {
    const world = new World();
    world.change(["a", "b"], mapOf(resource("80", "1", "a", "b")));
    const proxy = world.connect("p");
    proxy.ack();
    world.change(["a"], mapOf(resource("80", "2", "a", "b")));
    proxy.ack();
    // Before anybody looked, the route is another one.
    world.change(["b"], mapOf(resource("80", "3", "a", "b")));
    expect(world.state("a")).toBe("Distributed 1/1");
    expect(world.state("b")).toBe("Pending 0/1");
  });

  test("blames a refusal on what it names, and not on a version that is no more", () => {
    const world = new World();
    world.change(["a", "b"], mapOf(resource("80", "1", "a"), resource("90", "1", "b")));
    const proxy = world.connect("p");
    proxy.ack();
    world.change(["a", "b"], mapOf(resource("80", "2", "a"), resource("90", "2", "b")));
    proxy.nack("80", "route 80: no such thing");
    expect(world.state("a")).toBe("Rejected 0/1");
    expect(world.state("b")).toBe("Distributed 1/1");
    const { rejections } = distributionOf(world.look(), key("a"));
    expect(rejections).toMatchObject([{ proxy: "p", message: "route 80: no such thing" }]);
    // The proxy has not answered yet what is to mend it.
    const { route } = proxy;
    world.change(["a"], mapOf(resource("80", "3", "a"), resource("90", "2", "b")));
    proxy.route = route;
    expect(world.state("a")).toBe("Pending 0/1");
  });

  test("is not over with a deleted object before no proxy has anything of it", () => {
    const world = new World();
    world.change(["a", "b"], mapOf(resource("80", "1", "a"), resource("90", "1", "b")));
    const proxy = world.connect("p");
    proxy.ack();
    world.distribution.noteChanged([key("a")], () => false);
    expect(world.state("a")).toBe("Pending 0/1");
    world.build(mapOf(resource("90", "1", "b")));
    expect(world.state("a")).toBe("Pending 0/1");
    proxy.ack();
    expect(world.state("a")).toBe("NotUsed 0/0");
    expect(world.distribution.unconfirmed.size).toBe(0);
  });

  test("takes a proxy that comes back with what it had for what it is", () => {
    const world = new World();
    world.change(["a"], mapOf(resource("80", "1", "a")));
    const proxy = world.connect("p");
    proxy.ack();
    world.proxies.pop();
    world.change(["a"], mapOf(resource("80", "2", "a")));
    expect(world.state("a")).toBe("NoProxies 0/0");
    proxy.target = world.snapshot;
    proxy.builtEpoch = world.distribution.epoch;
    world.proxies.push(proxy);
    expect(world.state("a")).toBe("Pending 0/1");
    proxy.ack();
    expect(world.state("a")).toBe("Distributed 1/1");
  });

  test("holds kinds that no resource names to all that changed since", () => {
    const world = new World();
    world.change(["a"], mapOf(resource("80", "1", "a")));
    const proxy = world.connect("p");
    proxy.ack();
    const sidecar = key("s", "Sidecar");
    world.distribution.noteChanged([sidecar], () => true);
    world.build(mapOf(resource("80", "1", "a"), resource("70", "1")));
    expect(distributionOf(world.look(), sidecar)).toMatchObject({ state: "Pending", acked: 0 });
    proxy.nack("70", "70: bad");
    expect(distributionOf(world.look(), sidecar)).toMatchObject({ state: "Rejected" });
    proxy.ack();
    expect(distributionOf(world.look(), sidecar)).toMatchObject({
      state: "Distributed",
      proxies: 1,
    });
  });

  test("does not wait for what a proxy does not ask for, once it had time to", () => {
    const world = new World();
    world.change(["a", "b"], mapOf(resource("80", "1", "a")));
    const proxy = world.connect("p");
    proxy.route = { ...proxy.route, names: new Set(["80"]) };
    proxy.ack();
    const own = mapOf(resource("80", "1", "a"));
    world.change(["b"], layeredMap(own, mapOf(resource("90", "1", "b"))));
    expect(distributionOf(world.look(1000), key("b")).state).toBe("Pending");
    expect(distributionOf(world.look(60_000), key("b")).state).toBe("Distributed");
  });
});
