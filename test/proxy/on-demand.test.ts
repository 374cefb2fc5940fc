import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test } from "vitest";
import { DeltaDiscoveryResponseSchema } from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import { until } from "../controlplane/until.ts";
import { httpListener } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { dynamicBootstrap, rds } from "./dynamic-bootstrap.ts";
import { answering, giveTable, hostsOf, OnDemandPlane, PLANES } from "./on-demand-planes.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const NOTHING = { status: 404, body: "" };

function ok(body: string): { status: number; body: string } {
  return { status: 200, body };
}

/** When the plane serves what its control plane has said last. */
function whenServed(plane: OnDemandPlane, host: string, status: number): Promise<boolean> {
  return until(async () => (await plane.get(host)).status === status, `${status} for ${host}`);
}

let plane: OnDemandPlane;

describe.each(PLANES)("virtual hosts on demand in %s", (name) => {
  afterEach(() => plane.stop());

  test("are asked for by the request's host, once", async () => {
    plane = await OnDemandPlane.start(name, hostsOf("a.com", "p.com:81"));
    expect(await plane.get("own.com")).toEqual(ok("own"));
    expect(await plane.get("first.invalid")).toEqual(ok("r/first.invalid"));
    expect(plane.asked).toEqual([]);
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
    expect(await plane.get("A.Com")).toEqual(ok("r/a.com"));
    expect(plane.asked).toEqual([["r/a.com"]]);
    // The port counts.
    expect(await plane.get("p.com:81")).toEqual(ok("r/p.com:81"));
    expect(await plane.get("a.com:80")).toEqual(NOTHING);
    expect(plane.asked).toEqual([["r/a.com"], ["r/p.com:81"], ["r/a.com:80"]]);
  });

  test("that are not there are asked for once, and serve when they come", async () => {
    plane = await OnDemandPlane.start(name, hostsOf());
    expect(await plane.get("later.com")).toEqual(NOTHING);
    expect(await plane.get("later.com")).toEqual(NOTHING);
    plane.controlPlane.set("virtualHost", hostsOf("later.com"));
    await whenServed(plane, "later.com", 200);
    expect(plane.asked).toEqual([["r/later.com"]]);
  });

  test("are asked for once by many requests, which go on together", async () => {
    plane = await OnDemandPlane.start(name, hostsOf("slow.com"));
    plane.controlPlane.heldNames.add("r/slow.com");
    const answers = Array.from({ length: 20 }, () => plane.get("slow.com"));
    const bodies = plane.get("slow.com", { method: "POST" }, "x".repeat(1000));
    await until(() => plane.asked.length > 0, "the question");
    const active = "http.in.downstream_rq_active";
    await until(async () => (await plane.stat(active)) === 21, "all of them to wait");
    plane.controlPlane.answerHeld();
    expect(await Promise.all(answers)).toEqual(answers.map(() => ok("r/slow.com")));
    expect(await bodies).toEqual(ok("r/slow.com"));
    expect(plane.asked).toEqual([["r/slow.com"]]);
  });

  test("change, and go", async () => {
    plane = await OnDemandPlane.start(name, hostsOf("a.com", "b.com"));
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
    expect(await plane.get("b.com")).toEqual(ok("r/b.com"));
    const changed = { "r/a.com": answering("r/a.com", ["a.com"], "changed") };
    plane.controlPlane.set("virtualHost", { ...hostsOf(), ...changed });
    await whenServed(plane, "b.com", 404);
    expect(await plane.get("a.com")).toEqual(ok("changed"));
  });

  test("stay when their table changes", async () => {
    plane = await OnDemandPlane.start(name, hostsOf("a.com"));
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
    giveTable(plane.controlPlane, [answering("new", ["new.com"])]);
    await whenServed(plane, "new.com", 200);
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
    expect(plane.asked.flat()).not.toContain("r/own.com");
  });

  test("come under other names than they were asked for by", async () => {
    plane = await OnDemandPlane.start(name, hostsOf("x.com"));
    plane.controlPlane.heldNames.add("r/one.com");
    const answer = plane.get("one.com");
    await until(() => plane.asked.length > 0, "the question");
    const host = plane.controlPlane.encode("virtualHost", answering("r/svc", ["one.com", "2.com"]));
    const typeUrl = RESOURCE_TYPE_URL.virtualHost;
    const resource = { typeUrl, value: host };
    const resources = [{ name: "r/svc", version: "1", aliases: ["r/one.com"], resource }];
    plane.controlPlane.writeDelta(create(DeltaDiscoveryResponseSchema, { typeUrl, resources }));
    expect(await answer).toEqual(ok("r/svc"));
    expect(await plane.get("2.com")).toEqual(ok("r/svc"));
    expect(plane.asked).toEqual([["r/one.com"]]);
  });

  test("are asked for where a table has a host for the name, and no route", async () => {
    plane = await OnDemandPlane.start(name, hostsOf("a.com"));
    const only = { match: { prefix: "/only" }, direct_response: { status: 201 } };
    giveTable(plane.controlPlane, [{ name: "star", domains: ["*"], routes: [only] }]);
    await until(async () => (await plane.get("x.com", { path: "/only" })).status === 201, "201");
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
    expect(await plane.get("x.com")).toEqual(NOTHING);
    expect(await plane.get("x.com")).toEqual(NOTHING);
    expect(plane.asked.flat()).toContain("r/x.com");
  });

  test("are asked for again on a new stream, with what is held of them", async () => {
    plane = await OnDemandPlane.start(name, hostsOf("a.com", "b.com"));
    for (const host of ["a.com", "b.com", "none.com"]) await plane.get(host);
    plane.controlPlane.deltaRequests.length = 0;
    plane.controlPlane.endStreams();
    const again = await until(
      () =>
        plane.controlPlane.deltaRequests.find(({ resourceNamesSubscribe }) =>
          resourceNamesSubscribe.includes("*"),
        ),
      "the question",
    );
    const names = ["*", "r/a.com", "r/b.com", "r/none.com"];
    expect([...again.resourceNamesSubscribe].sort()).toEqual(names);
    expect(again.initialResourceVersions).toMatchObject({
      "r/a.com": expect.any(String),
      "r/b.com": expect.any(String),
    });
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
  });
});

describe("virtual hosts on demand in weft alone", () => {
  afterEach(() => plane.stop());

  test("are taken without those that have a domain of another", async () => {
    plane = await OnDemandPlane.start("weft", hostsOf("a.com"));
    await plane.get("a.com");
    plane.controlPlane.pushedHosts.add("r/bad").add("r/good.com").add("r/wrong");
    plane.controlPlane.set("virtualHost", {
      ...hostsOf("a.com", "good.com"),
      "r/bad": answering("r/bad", ["A.com"]),
      "r/wrong": { name: "r/wrong", domains: [] },
    });
    const refusal = await plane.controlPlane.refusal("virtualHost", "r/bad");
    expect(refusal).toContain("Duplicate entry of domain a.com in route r");
    expect(refusal).toContain("r/wrong: domains: is empty");
    expect(await plane.get("good.com")).toEqual(ok("r/good.com"));
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
  });

  test("let a body go on that is not here yet", async () => {
    plane = await OnDemandPlane.start("weft", hostsOf("a.com"));
    plane.controlPlane.heldNames.add("r/a.com");
    const body = "x".repeat(3_000_000);
    const answer = plane.get("a.com", { method: "POST" }, body).catch(() => ok("r/a.com"));
    await until(() => plane.asked.length > 0, "the question");
    plane.controlPlane.answerHeld();
    // It is answered before its end, so that the connection may be reset under the client.
    expect(await answer).toEqual(ok("r/a.com"));
    expect(await plane.get("a.com")).toEqual(ok("r/a.com"));
  });

  test("are not waited for without end, nor for a client that left", async () => {
    const clock = new SimClock();
    plane = await OnDemandPlane.start("weft", hostsOf("a.com"), { clock });
    const waiting = "http.in.rds.vhds.r.rq_waiting";
    plane.controlPlane.heldNames.add("r/a.com").add("r/b.com");
    const left = new AbortController();
    const leaving = plane.get("a.com", { signal: left.signal }).catch(() => undefined);
    const late = plane.get("b.com");
    await until(async () => (await plane.stat(waiting)) === 2, "both to wait");
    left.abort();
    await leaving;
    await until(async () => (await plane.stat(waiting)) === 1, "one to wait");
    await clock.advance(15_000);
    expect(await late).toEqual({ status: 503, body: "" });
    expect(await plane.stat("http.in.rds.vhds.r.rq_timeout")).toBe(1);
    expect(await plane.stat(waiting)).toBe(0);
    // It may still come.
    plane.controlPlane.set("virtualHost", hostsOf("b.com"));
    plane.controlPlane.answerHeld();
    await whenServed(plane, "b.com", 200);
  });

  test("let their listener wait for the first of them, as long as they are told to", async () => {
    const clock = new SimClock();
    plane = await OnDemandPlane.start("weft", {}, { clock });
    await until(() => plane.controlPlane.deltaRequests.length > 5, "the table");
    await expect(plane.get("own.com")).rejects.toThrow("ECONNREFUSED");
    await until(async () => {
      await clock.advance(1000);
      return (await plane.get("own.com").catch(() => NOTHING)).status === 200;
    }, "the listener");
    expect(await plane.stat("http.in.rds.vhds.r.init_fetch_timeout")).toBe(1);
  });
});

test("a table with virtual hosts on demand is refused in state of the world", async () => {
  const controlPlane = new TestControlPlane();
  await controlPlane.start();
  const [port = 0] = await freePorts(1);
  controlPlane.set("cluster", {});
  controlPlane.set("listener", { in: httpListener("in", port, rds("r")) });
  giveTable(controlPlane, []);
  const weft = await startWeft(dynamicBootstrap(controlPlane.port));
  expect(await controlPlane.refusal("route", "DELTA_GRPC")).toBe(
    "r: vhds.config_source: vhds: ADS must use DELTA_GRPC api_type when used as VHDS config source.",
  );
  await weft.stop();
  controlPlane.stop();
});
