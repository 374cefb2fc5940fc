import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DeltaDiscoveryResponseSchema } from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";
import { assignment, dynamicBootstrap, edsCluster, rds, toCluster } from "./dynamic-bootstrap.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { TestControlPlane } from "./test-control-plane.ts";

describe("a control plane that errs in delta", () => {
  let controlPlane: TestControlPlane;
  let weft: DataPlane;
  let one: ScriptedUpstream;
  let two: ScriptedUpstream;
  let port: number;
  let adsPort: number;
  let adminPort: number;

  beforeEach(async () => {
    const says = (text: string): string =>
      `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
    one = await ScriptedUpstream.start({ "/": { send: says("one") }, "/slow": {} });
    two = await ScriptedUpstream.start({ "/": { send: says("two") } });
    controlPlane = new TestControlPlane();
    [port = 0, adsPort = 0, adminPort = 0] = await freePorts(3);
    await controlPlane.start(adsPort);
    give(one);
    weft = await startWeft(dynamicBootstrap(adsPort, adminPort, "DELTA_GRPC"));
    await whenAnswered("200 one");
  });

  afterEach(async () => {
    await weft.stop();
    controlPlane.stop();
    await one.stop();
    await two.stop();
  });

  function give(upstream: ScriptedUpstream): void {
    controlPlane.set("cluster", { a: edsCluster("a") });
    controlPlane.set("endpoint", { a: assignment("a", [upstream.port]) });
    controlPlane.set("listener", { in: httpListener("in", port, rds("r")) });
    controlPlane.set("route", { r: { ...routeTable([toCluster("a")]), name: "r" } });
  }

  async function body(path = "/"): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${answer.status} ${await answer.text()}`;
  }

  function whenAnswered(text: string): Promise<true | undefined> {
    return until(
      async () => ((await body().catch(() => "")) === text ? true : undefined),
      `the answer "${text}"`,
    );
  }

  async function stats(filter: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${adminPort}/stats?filter=${filter}`)).text();
  }

  test("sends what nobody asked for: it is acknowledged and not looked at", async () => {
    const typeUrl = RESOURCE_TYPE_URL.route;
    const value = Buffer.from([0xff, 0xff]);
    const resources = [{ name: "other", version: "1", resource: { typeUrl, value } }];
    controlPlane.writeDelta(
      create(DeltaDiscoveryResponseSchema, { typeUrl, nonce: "odd", resources }),
    );
    const answer = await until(
      () => controlPlane.deltaRequests.find(({ responseNonce }) => responseNonce === "odd"),
      "the answer",
    );
    expect(answer.errorDetail).toBeUndefined();
    expect(await body()).toBe("200 one");
  });

  test("says that tables and endpoints are gone: they stay in use, as in Envoy", async () => {
    for (const [kind, name] of [
      ["route", "r"],
      ["endpoint", "a"],
    ] as const) {
      const typeUrl = RESOURCE_TYPE_URL[kind];
      const message = { typeUrl, nonce: `gone ${kind}`, removedResources: [name] };
      controlPlane.writeDelta(create(DeltaDiscoveryResponseSchema, message));
      await until(
        () => controlPlane.deltaRequests.some((it) => it.responseNonce === `gone ${kind}`),
        "the answer",
      );
      expect(await body()).toBe("200 one");
    }
    expect(await stats("cluster.a.update_empty")).toContain("cluster.a.update_empty: 1");
  });

  test("says of a new cluster that it has no endpoints: it serves without", async () => {
    controlPlane.set("cluster", { a: edsCluster("a"), b: edsCluster("b") });
    controlPlane.set("route", { r: { ...routeTable([toCluster("b")]), name: "r" } });
    await whenAnswered("503 ");
    const typeUrl = RESOURCE_TYPE_URL.endpoint;
    const message = { typeUrl, nonce: "none", removedResources: ["b"] };
    controlPlane.writeDelta(create(DeltaDiscoveryResponseSchema, message));
    expect(await whenAnswered("503 no healthy upstream")).toBe(true);
  });

  test("takes a cluster and a listener in use away: requests in flight end", async () => {
    const slow = body("/slow");
    await until(() => one.requests.some(({ line }) => line.includes("/slow")), "the slow request");
    controlPlane.set("cluster", {});
    await whenAnswered("503 ");
    controlPlane.set("listener", {});
    await until(async () => (await body().catch(() => "refused")) === "refused", "no listener");
    await one.stop();
    expect(await slow).toMatch(/^503 /);
    give(two);
    expect(await whenAnswered("200 two")).toBe(true);
  });

  test("ends in the middle of an update: another one brings the rest", async () => {
    // The clusters have come, their endpoints have not.
    controlPlane.set("cluster", { a: edsCluster("a"), b: edsCluster("b") });
    controlPlane.set("route", { r: { ...routeTable([toCluster("b")]), name: "r" } });
    await whenAnswered("503 ");
    controlPlane.stop();
    expect(await body()).toBe("503 ");
    controlPlane = new TestControlPlane();
    controlPlane.set("cluster", { a: edsCluster("a"), b: edsCluster("b") });
    controlPlane.set("endpoint", {
      a: assignment("a", [one.port]),
      b: assignment("b", [two.port]),
    });
    controlPlane.set("listener", { in: httpListener("in", port, rds("r")) });
    controlPlane.set("route", { r: { ...routeTable([toCluster("b")]), name: "r" } });
    await controlPlane.start(adsPort);
    await whenAnswered("200 two");
    const first = controlPlane.deltaRequests.find(({ typeUrl }) => typeUrl.endsWith(".Cluster"));
    expect(Object.keys(first?.initialResourceVersions ?? {}).sort()).toEqual(["a", "b"]);
  });

  test("changes one of 500 clusters: the others are not sent, and not touched", async () => {
    const names = Array.from({ length: 500 }, (_, at) => `c${at}`);
    const clusters = Object.fromEntries(names.map((name) => [name, edsCluster(name)]));
    const endpoints = names.map((name) => [name, assignment(name, [two.port])]);
    controlPlane.set("cluster", { a: edsCluster("a"), ...clusters });
    controlPlane.set("endpoint", {
      a: assignment("a", [one.port]),
      ...Object.fromEntries(endpoints),
    });
    controlPlane.set("route", { r: { ...routeTable([toCluster("c7")]), name: "r" } });
    await whenAnswered("200 two");
    const before = await stats("cluster.c[0-9]*.update_success");
    const asked = controlPlane.deltaRequests.length;
    controlPlane.set("cluster", {
      a: edsCluster("a"),
      ...clusters,
      c7: edsCluster("c7", { lb_policy: "RANDOM" }),
    });
    await until(() => controlPlane.deltaRequests.length > asked, "the answer");
    expect(await body()).toBe("200 two");
    // The one that changed keeps its endpoints: nobody is asked for any.
    const later = controlPlane.deltaRequests.slice(asked);
    expect(later.flatMap((request) => request.resourceNamesSubscribe)).toEqual([]);
    const isOther = (line: string): boolean => !line.startsWith("cluster.c7.");
    const after = await stats("cluster.c[0-9]*.update_success");
    expect(after.split("\n").filter(isOther)).toEqual(before.split("\n").filter(isOther));
  });
});
