import { describe, expect, test } from "vitest";
import type { ResourceKind } from "../xds/snapshot.ts";
import { statusOf } from "./client-status.ts";
import type { Returning } from "./publication.ts";
import { WANT_WAIT_MS_MAX } from "./stream.ts";
import { type Spec, StreamRig } from "./stream-rig.ts";

/** A client of the incremental variant, which says what changes. */
class Rig extends StreamRig {
  constructor(spec: Spec, returning?: Returning) {
    super(spec, { variant: "delta", ...(returning && { returning }) });
  }

  ask(kind: ResourceKind, names: string[] = [], held: Record<string, string> = {}): void {
    this.requestDelta(kind, { resourceNamesSubscribe: names, initialResourceVersions: held });
  }

  drop(kind: ResourceKind, names: string[]): void {
    this.requestDelta(kind, { resourceNamesUnsubscribe: names });
  }

  ack(kind: ResourceKind, nonce = this.last(kind).nonce): void {
    this.requestDelta(kind, { responseNonce: nonce });
  }

  nack(kind: ResourceKind, message: string, nonce = this.last(kind).nonce): void {
    this.requestDelta(kind, { responseNonce: nonce, errorDetail: { code: 13, message } });
  }
}

const BEFORE: Spec = {
  cluster: ["v1", "other"],
  endpoint: ["v1", "other"],
  listener: ["l:1:r"],
  route: ["r:1:v1"],
};

/** A client that has all of a snapshot, as Envoy asks for it. */
function connected(spec: Spec): Rig {
  const rig = new Rig(spec);
  rig.ask("cluster");
  rig.ack("cluster");
  rig.ask(
    "endpoint",
    (spec.endpoint ?? []).map((text) => text.split(":")[0] ?? ""),
  );
  rig.ack("endpoint");
  rig.ask("listener");
  rig.ack("listener");
  rig.ask("route", ["r"]);
  rig.ack("route");
  rig.take();
  return rig;
}

describe("incremental requests", () => {
  test("a first request without names asks for all, a later one for nothing more", () => {
    const rig = new Rig({ cluster: ["a", "b"], endpoint: ["a"] });
    rig.ask("cluster");
    expect(rig.take()).toEqual(["cds a@1 b@1"]);
    rig.requestDelta("cluster", {});
    expect(rig.take()).toEqual([]);
    rig.ask("endpoint");
    expect(rig.take()).toEqual([]);
  });

  test("names that do not exist are said to be removed, and come when they exist", () => {
    const rig = new Rig({ route: ["r"] });
    rig.ask("route", ["r", "absent"]);
    expect(rig.take()).toEqual(["rds r@1 -absent"]);
    rig.ack("route");
    rig.update({ route: ["r", "absent"] });
    expect(rig.take()).toEqual(["rds absent@1"]);
  });

  test("all of nothing is answered once, with nothing", () => {
    const rig = new Rig({});
    rig.ask("listener");
    expect(rig.take()).toEqual(["lds"]);
    rig.ack("listener");
    expect(rig.take()).toEqual([]);
  });

  test("what is asked for once more is sent once more", () => {
    const rig = connected(BEFORE);
    rig.ask("endpoint", ["v1"]);
    expect(rig.take()).toEqual(["eds v1@1"]);
  });

  test("what is given up no longer comes, and does when it is asked for again", () => {
    const rig = connected(BEFORE);
    rig.drop("endpoint", ["v1", "never asked for"]);
    rig.update({ ...BEFORE, endpoint: ["v1:2", "other"] });
    expect(rig.take()).toEqual([]);
    rig.ask("endpoint", ["v1"]);
    expect(rig.take()).toEqual(["eds v1@2"]);
  });

  test("a name beside all others stays when all is given up", () => {
    const rig = new Rig({ cluster: ["a", "b"] });
    rig.ask("cluster", ["*", "a"]);
    rig.ack("cluster");
    rig.drop("cluster", ["*"]);
    rig.update({ cluster: ["a:2", "b:2"] });
    expect(rig.take()).toEqual(["cds a@1 b@1", "cds a@2"]);
  });

  test("asking for all after some brings the others", () => {
    const rig = new Rig({ cluster: ["a", "b"] });
    rig.ask("cluster", ["a"]);
    rig.ack("cluster");
    rig.ask("cluster", ["*"]);
    expect(rig.take()).toEqual(["cds a@1", "cds b@1"]);
  });

  test("giving up a name while all is asked for is answered with whether it is among all", () => {
    const rig = new Rig({ cluster: ["a"] });
    rig.ask("cluster", ["*", "a", "absent"]);
    rig.ack("cluster");
    rig.drop("cluster", ["a", "absent"]);
    expect(rig.take()).toEqual(["cds a@1 -absent", "cds a@1 -absent"]);
  });

  test("a stale nonce does not keep a subscription from changing", () => {
    const rig = connected(BEFORE);
    const old = rig.last("endpoint").nonce;
    rig.update({ ...BEFORE, endpoint: ["v1:2", "other", "third"] });
    rig.requestDelta("endpoint", { responseNonce: old, resourceNamesSubscribe: ["third"] });
    expect(rig.take()).toEqual(["eds v1@2", "eds third@1"]);
  });
});

describe("incremental answers", () => {
  test("only what changed goes out, and only what is gone is removed", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, cluster: ["v1:2"], endpoint: ["v1"] });
    rig.ack("cluster");
    rig.ack("endpoint");
    expect(rig.take()).toEqual(["cds v1@2", "eds v1@1", "cds -other", "eds -other"]);
  });

  test("every response is waited for by itself", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, endpoint: ["v1:2", "other"] });
    const first = rig.last("endpoint").nonce;
    rig.ask("endpoint", ["other"]);
    rig.ack("endpoint");
    expect(statusOf(rig.stream).endpoint.state).toBe("STALE");
    rig.ack("endpoint", first);
    expect(statusOf(rig.stream).endpoint.state).toBe("SYNCED");
  });

  test("a refusal is kept by resource, until that is sent anew and taken", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, listener: ["l:2:r", "bad:1"] });
    rig.nack("listener", "Error adding/updating listener(s) bad: no such filter");
    const refused = new Map([["bad", "no such filter"]]);
    expect(statusOf(rig.stream).listener).toMatchObject({ state: "NACKED", refused });
    rig.update({ ...BEFORE, listener: ["l:3:r", "bad:1"] });
    rig.ack("listener");
    expect(statusOf(rig.stream).listener).toMatchObject({ state: "NACKED", refused });
    rig.update({ ...BEFORE, listener: ["l:3:r", "bad:2"] });
    expect(rig.take()).toEqual(["lds bad@1 l@2", "lds l@3", "lds bad@2"]);
    rig.ack("listener");
    expect(statusOf(rig.stream).listener).toMatchObject({ state: "SYNCED", refused: new Map() });
  });

  test("a refusal that names nothing means all of its response", () => {
    const rig = connected(BEFORE);
    rig.update({ ...BEFORE, listener: ["l:2:r", "bad:1"] });
    rig.nack("listener", "no");
    expect([...statusOf(rig.stream).listener.refused.keys()].sort()).toEqual(["bad", "l"]);
  });
});

describe("incremental returns", () => {
  test("a client gets what differs from what it says it has", () => {
    const rig = new Rig({ cluster: ["a:2", "b", "c"] });
    rig.ask("cluster", [], { a: "1", b: "1", gone: "1" });
    expect(rig.take()).toEqual(["cds a@2 c@1 -gone"]);
  });

  test("a client that has everything gets nothing, and is known to have it", () => {
    const rig = new Rig({ listener: ["l"] });
    rig.ask("listener", [], { l: "1" });
    expect(rig.take()).toEqual([]);
    expect(statusOf(rig.stream).listener.state).toBe("SYNCED");
  });

  test("a client that nobody knows keeps what it has until it has the new", () => {
    const first = connected(BEFORE);
    const rig = new Rig({ ...BEFORE, cluster: ["v2"], endpoint: ["v2"], route: ["r:2:v2"] }, {});
    for (const kind of ["cluster", "endpoint", "listener", "route"] as const) {
      const names = { cluster: [], listener: [], endpoint: ["v1", "other"], route: ["r"] }[kind];
      rig.ask(kind, names, first.versions(kind));
    }
    expect(rig.take()).toEqual(["cds v2@1"]);
    rig.ack("cluster");
    rig.ask("endpoint", ["v2"]);
    expect(rig.take()).toEqual(["eds v2@1"]);
    rig.ack("endpoint");
    expect(rig.take()).toEqual(["rds r@2"]);
    rig.ack("route");
    expect(rig.take()).toEqual(["cds -other -v1", "eds -other -v1"]);
    expect(rig.clock.timersPending).toBe(0);
  });

  test("a client that nobody knows and that has it all is told nothing", () => {
    const first = connected(BEFORE);
    const rig = new Rig(BEFORE, {});
    for (const kind of ["cluster", "endpoint", "listener", "route"] as const) {
      const names = { cluster: [], listener: [], endpoint: ["v1", "other"], route: ["r"] }[kind];
      rig.ask(kind, names, first.versions(kind));
    }
    expect(rig.take()).toEqual([]);
    expect(rig.stream.isSettled).toBe(true);
  });

  test("endpoints come again with their cluster, also after a return", () => {
    const first = connected(BEFORE);
    const held = (rig: Rig): Record<string, string> => rig.versions("endpoint");
    const same = new Rig(BEFORE);
    same.ask("endpoint", ["v1", "other"], held(first));
    expect(same.take()).toEqual([]);
    const changed = new Rig({ ...BEFORE, cluster: ["v1:2", "other"] });
    changed.ask("endpoint", ["v1", "other"], held(first));
    expect(changed.take()).toEqual(["eds v1@1"]);
  });
});

describe("names that somebody has to make", () => {
  const HOSTS: Spec = { route: ["r"], virtualHost: ["r/a"] };

  function asking(): Rig {
    const rig = new Rig(HOSTS);
    rig.ask("route", ["r"]);
    rig.ack("route");
    // Envoy's first request names none.
    rig.ask("virtualHost");
    rig.ack("virtualHost");
    rig.isMade = true;
    expect(rig.take()).toEqual(["rds r@1", "vhds r/a@1"]);
    return rig;
  }

  test("are asked for, and come when they are made", () => {
    const rig = asking();
    rig.ask("virtualHost", ["r/b", "r/a"]);
    expect(rig.wanted).toEqual(["vhds r/b"]);
    // What is there comes at once; of the other nothing is said yet.
    expect(rig.take()).toEqual(["vhds r/a@1"]);
    rig.ack("virtualHost");
    rig.update({ ...HOSTS, virtualHost: ["r/a", "r/b"] });
    expect(rig.take()).toEqual(["vhds r/b@1"]);
  });

  test("do not exist when nobody makes them in time, nor when nobody can", async () => {
    const rig = asking();
    rig.ask("virtualHost", ["r/b"]);
    await rig.clock.advance(WANT_WAIT_MS_MAX - 1);
    expect(rig.take()).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.take()).toEqual(["vhds -r/b"]);
    rig.isMade = false;
    rig.ask("virtualHost", ["r/c"]);
    expect(rig.take()).toEqual(["vhds -r/c"]);
    expect(rig.clock.timersPending).toBe(0);
  });

  test("virtual hosts come again with a new route configuration, not with a changed one", () => {
    const rig = asking();
    rig.update({ ...HOSTS, route: ["r:2"] });
    rig.ack("route");
    expect(rig.take()).toEqual(["rds r@2"]);
    rig.drop("route", ["r"]);
    rig.ask("route", ["r"]);
    expect(rig.take()).toEqual(["rds r@2", "vhds r/a@1"]);
  });

  test("a client that comes back with virtual hosts but without their routes gets both", () => {
    const rig = new Rig(HOSTS);
    rig.ask("route", ["r"]);
    rig.ask("virtualHost", ["*"], { "r/a": "1" });
    expect(rig.take()).toEqual(["rds r@1", "vhds r/a@1"]);
    const other = new Rig(HOSTS);
    other.ask("route", ["r"], { r: "1" });
    other.ask("virtualHost", ["*", "r/a"], { "r/a": "1" });
    expect(other.take()).toEqual([]);
  });
});
