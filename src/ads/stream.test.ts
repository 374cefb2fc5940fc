import { describe, expect, test } from "vitest";
import type { ResourceKind } from "../xds/snapshot.ts";
import { statusOf } from "./client-status.ts";
import type { HeldState } from "./publication.ts";
import { STAGE_WAIT_MS_MAX } from "./publication.ts";
import { type Spec, StreamRig } from "./stream-rig.ts";

/** A client of the state of the world, which repeats all its names in every request. */
class Rig extends StreamRig {
  constructor(spec: Spec, held?: HeldState) {
    super(spec, held === undefined ? {} : { returning: { held } });
  }

  ask(kind: ResourceKind, names: readonly string[], versionInfo = ""): void {
    this.request(kind, { resourceNames: [...names], versionInfo });
  }

  /** Acknowledges what came last of a kind. */
  ack(kind: ResourceKind, names: readonly string[] = []): void {
    const { version, nonce } = this.last(kind);
    this.request(kind, { resourceNames: [...names], versionInfo: version, responseNonce: nonce });
  }

  nack(kind: ResourceKind, message: string, names: readonly string[] = []): void {
    const responseNonce = this.last(kind).nonce;
    const errorDetail = { code: 13, message };
    this.request(kind, { resourceNames: [...names], responseNonce, errorDetail });
  }

  late(kind: ResourceKind, responseNonce: string, names: readonly string[]): void {
    this.request(kind, { resourceNames: [...names], responseNonce });
  }
}

const BEFORE: Spec = {
  cluster: ["v1"],
  endpoint: ["v1"],
  listener: ["l:1:r"],
  route: ["r:1:v1"],
};

const AFTER: Spec = {
  cluster: ["v2"],
  endpoint: ["v2"],
  listener: ["l:1:r"],
  route: ["r:2:v2"],
};

/** A client that has all of a snapshot, as Envoy asks for it. */
function connected(spec: Spec): Rig {
  const rig = new Rig(spec);
  const endpoints = (spec.endpoint ?? []).map((text) => text.split(":")[0] ?? "");
  rig.ask("cluster", []);
  rig.ack("cluster");
  rig.ask("endpoint", endpoints);
  rig.ack("endpoint", endpoints);
  rig.ask("listener", []);
  rig.ack("listener");
  rig.ask("route", ["r"]);
  rig.ack("route", ["r"]);
  rig.take();
  return rig;
}

describe("AdsStream requests", () => {
  test("`receive()` answers wildcard and named subscriptions in turn", () => {
    const rig = new Rig({ ...BEFORE, cluster: ["v1", "v2"], endpoint: ["v1", "v2"] });
    rig.ask("cluster", []);
    expect(rig.take()).toEqual(["cds v1@1 v2@1"]);
    rig.ack("cluster");
    rig.ask("endpoint", ["v2", "absent"]);
    expect(rig.take()).toEqual(["eds v2@1"]);
    rig.ack("endpoint", ["v2", "absent"]);
    expect(rig.take()).toEqual([]);
  });

  test("`receive()` sends only what is new when a subscription grows", () => {
    const rig = new Rig({ endpoint: ["a", "b"] });
    rig.ask("endpoint", ["a"]);
    rig.ack("endpoint", ["a", "b"]);
    expect(rig.take()).toEqual(["eds a@1", "eds b@1"]);
  });

  test("`receive()` answers a new name that does not exist with nothing in it", () => {
    const rig = new Rig({ route: ["r"] });
    rig.ask("route", ["absent"]);
    expect(rig.take()).toEqual(["rds"]);
  });

  test("`receive()` sends again what was given up and asked for anew", () => {
    const rig = new Rig({ endpoint: ["a"] });
    rig.ask("endpoint", ["a"]);
    rig.ack("endpoint", []);
    rig.ack("endpoint", ["a"]);
    expect(rig.take()).toEqual(["eds a@1", "eds a@1"]);
  });

  test("`receive()` takes an empty list after names as the end of a subscription", () => {
    const rig = new Rig({ cluster: ["a", "b"] });
    rig.ask("cluster", ["a"]);
    rig.ack("cluster", []);
    rig.update({ cluster: ["a:2", "b:2"] });
    expect(rig.take()).toEqual(["cds a@1"]);
  });

  test("`receive()` ignores a stale nonce, names included", () => {
    const rig = new Rig({ endpoint: ["a", "b"] });
    rig.ask("endpoint", ["a"]);
    const first = rig.last("endpoint").nonce;
    rig.update({ endpoint: ["a:2", "b"] });
    rig.take();
    rig.late("endpoint", first, ["a", "b"]);
    expect(rig.take()).toEqual([]);
    expect(statusOf(rig.stream).endpoint.state).toBe("STALE");
    rig.ack("endpoint", ["a", "b"]);
    expect(rig.take()).toEqual(["eds b@1"]);
  });

  test("`receive()` does not resend what a client that came back has", () => {
    const first = connected(BEFORE);
    const again = new Rig(BEFORE);
    for (const [kind, names] of [
      ["cluster", []],
      ["endpoint", ["v1"]],
      ["listener", []],
      ["route", ["r"]],
    ] as const) {
      again.ask(kind, names, first.last(kind).version);
    }
    expect(again.take()).toEqual([]);
    expect(statusOf(again.stream).route.state).toBe("SYNCED");
  });

  test("`receive()` resends to a client that came back with something else", () => {
    const rig = new Rig(BEFORE);
    rig.ask("cluster", [], "other");
    expect(rig.take()).toEqual(["cds v1@1"]);
  });

  test("`receive()` refuses virtual hosts, which need the incremental variant", () => {
    const rig = new Rig({ virtualHost: ["r/a"] });
    rig.ask("virtualHost", ["r/a"]);
    expect(rig.take()).toEqual([]);
    expect(rig.metrics.value("weft_xds_unknown_types")).toBe(1);
  });

  test("`receive()` counts unknown types and answers the others", () => {
    const rig = new Rig(BEFORE);
    rig.request("cluster", { typeUrl: "type.googleapis.com/x.Y" });
    rig.ask("listener", []);
    expect(rig.take()).toEqual(["lds l@1"]);
    expect(rig.metrics.value("weft_xds_unknown_types")).toBe(1);
  });
});

describe("AdsStream refusals", () => {
  test("a NACK is kept, and the version it refused is not sent again", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, listener: ["l:bad:r"] });
    rig.nack("listener", "l: no such filter");
    expect(rig.take()).toEqual(["lds l@bad"]);
    rig.update({ ...BEFORE, listener: ["l:bad:r"] });
    rig.nack("listener", "l: no such filter");
    expect(rig.take()).toEqual([]);
    expect(statusOf(rig.stream).listener).toMatchObject({
      state: "NACKED",
      nackedMessage: "l: no such filter",
    });
    expect(rig.metrics.value("pilot_total_xds_rejects", { type: "lds" })).toBe(1);
  });

  test("a NACK is forgotten once a later version is acknowledged", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, listener: ["l:bad:r"] });
    rig.nack("listener", "no");
    rig.update(BEFORE);
    expect(rig.take()).toEqual(["lds l@bad", "lds l@1"]);
    rig.ack("listener");
    expect(statusOf(rig.stream).listener).toMatchObject({ state: "SYNCED" });
    expect(statusOf(rig.stream).listener.nackedMessage).toBeUndefined();
  });

  test("a refused cluster does not hold up the routes to the others", () => {
    const rig = connected(BEFORE);
    rig.update({ ...AFTER, cluster: ["bad", "v2"], endpoint: ["bad", "v2"] });
    rig.nack("cluster", "Error adding/updating cluster(s) bad: unknown lb policy");
    expect(rig.take()).toEqual(["cds bad@1 v1@1 v2@1"]);
    rig.ack("endpoint", ["v1", "v2"]);
    rig.ack("endpoint", ["v1", "v2"]);
    expect(rig.take()).toEqual(["eds v2@1", "rds r@2"]);
    expect(rig.stream.heldRoutes).toEqual([]);
  });

  test("a route to a refused cluster stays as it was, with its cluster, until it is mended", () => {
    const rig = connected(BEFORE);
    const bad: Spec = {
      ...BEFORE,
      cluster: ["bad"],
      endpoint: ["bad"],
      route: ["r:2:bad"],
    };
    rig.update(bad);
    rig.nack("cluster", "Error adding/updating cluster(s) bad: unknown lb policy");
    expect(rig.take()).toEqual(["cds bad@1 v1@1"]);
    expect(rig.stream.heldRoutes).toEqual(["r/h"]);
    expect(rig.stream.isSettled).toBe(true);
    rig.update({ ...bad, cluster: ["bad:2"] });
    rig.ack("cluster");
    rig.ack("endpoint", ["v1", "bad"]);
    rig.ack("endpoint", ["v1", "bad"]);
    rig.ack("route", ["r"]);
    expect(rig.take()).toEqual(["cds bad@2 v1@1", "eds bad@1", "rds r@2", "cds bad@2"]);
    expect(rig.stream.heldRoutes).toEqual([]);
  });
});

describe("AdsStream pushes", () => {
  test("`update()` makes before it breaks, and waits at every step", () => {
    const rig = connected(BEFORE);
    rig.update(AFTER);
    expect(rig.take()).toEqual(["cds v1@1 v2@1"]);
    rig.ack("cluster");
    expect(rig.take()).toEqual([]);
    rig.ack("endpoint", ["v1", "v2"]);
    expect(rig.take()).toEqual(["eds v2@1"]);
    rig.ack("endpoint", ["v1", "v2"]);
    expect(rig.take()).toEqual(["rds r@2"]);
    rig.ack("route", ["r"]);
    expect(rig.take()).toEqual(["cds v2@1"]);
    rig.ack("cluster");
    expect(rig.settled).toBe(1);
    expect(rig.stream.isSettled).toBe(true);
  });

  test("`update()` sends the endpoints of a changed cluster again", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, cluster: ["v1:2"] });
    expect(rig.take()).toEqual(["cds v1@2", "eds v1@1"]);
  });

  test("`update()` waits for the routes that a new listener asks for", () => {
    const rig = connected(BEFORE);
    rig.update({
      ...BEFORE,
      cluster: [],
      endpoint: [],
      listener: ["l:2:s"],
      route: ["s:1"],
    });
    rig.ack("listener");
    expect(rig.take()).toEqual(["lds l@2"]);
    rig.ack("route", ["r", "s"]);
    expect(rig.take()).toEqual(["rds s@1"]);
    rig.ack("route", ["s"]);
    expect(rig.take()).toEqual(["cds"]);
  });

  test("`update()` sends endpoints alone when only they changed", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, endpoint: ["v1:2"] });
    expect(rig.take()).toEqual(["eds v1@2"]);
  });

  test("`update()` sends nothing when nothing changed", () => {
    const rig = connected(BEFORE);
    rig.update(BEFORE);
    expect(rig.take()).toEqual([]);
    expect(rig.stream.isSettled).toBe(true);
  });

  test("`update()` keeps only the newest snapshot while a push is under way", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, listener: ["l:2:r"] });
    rig.update({ ...BEFORE, listener: ["l:3:r"] });
    rig.update({ ...BEFORE, listener: ["l:4:r"] });
    rig.ack("listener");
    expect(rig.take()).toEqual(["lds l@2", "lds l@4"]);
  });

  test("a client that does not answer is waited for so long and no longer", async () => {
    const rig = connected(BEFORE);
    rig.update(AFTER);
    await rig.clock.advance(STAGE_WAIT_MS_MAX - 1);
    expect(rig.take()).toEqual(["cds v1@1 v2@1"]);
    await rig.clock.advance(1);
    // The route that names the new cluster is held, and with it the cluster that it names.
    expect(rig.take()).toEqual([]);
    expect(rig.stream.heldRoutes).toEqual(["r/h"]);
    expect(rig.metrics.value("weft_xds_wait_expired", { stage: "make" })).toBe(1);
    rig.ack("cluster");
    rig.ack("endpoint", ["v1", "v2"]);
    rig.ack("endpoint", ["v1", "v2"]);
    expect(rig.take()).toEqual(["eds v2@1", "rds r@2"]);
    rig.ack("route", ["r"]);
    expect(rig.take()).toEqual(["cds v2@1"]);
    expect(rig.stream.heldRoutes).toEqual([]);
  });

  test("a full sink holds responses back, and they are made when there is room", () => {
    const rig = connected(BEFORE);
    rig.room = 1;
    rig.update({ ...BEFORE, cluster: ["v1:2"], endpoint: ["v1:2"] });
    expect(rig.take()).toEqual(["cds v1@2"]);
    rig.room = 5;
    rig.stream.drained();
    expect(rig.take()).toEqual(["eds v1@2"]);
  });

  test("a client that comes back goes through the same steps", () => {
    const old = connected(BEFORE);
    const rig = new Rig(AFTER, old.stream.heldState);
    rig.ask("cluster", [], old.last("cluster").version);
    rig.ask("endpoint", ["v1"], old.last("endpoint").version);
    rig.ask("listener", [], old.last("listener").version);
    expect(rig.take()).toEqual([]);
    rig.ask("route", ["r"], old.last("route").version);
    expect(rig.take()).toEqual(["cds v1@1 v2@1"]);
    rig.ack("cluster");
    rig.ask("endpoint", ["v1", "v2"]);
    rig.ack("endpoint", ["v1", "v2"]);
    rig.ack("route", ["r"]);
    expect(rig.take()).toEqual(["eds v2@1", "rds r@2", "cds v2@1"]);
  });
});
