import { Agent, request } from "node:http";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DeltaDiscoveryResponseSchema } from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import type { Proxy } from "../../src/proxy/proxy.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { assignment, dynamicBootstrap, edsCluster, rds, toCluster } from "./dynamic-bootstrap.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const DIRECT = { match: { prefix: "/" }, direct_response: { status: 418 } };

interface Answer {
  readonly status: number;
  readonly body: string;
}

const VARIANTS = ["GRPC", "DELTA_GRPC"] as const;

describe.each(VARIANTS)("a proxy under a control plane that speaks %s", (variant) => {
  let controlPlane: TestControlPlane;
  let proxy: Proxy;
  let stop: () => Promise<void>;
  let one: ScriptedUpstream;
  let two: ScriptedUpstream;
  let port: number;
  let agent: Agent;

  beforeEach(async () => {
    const says = (text: string): string =>
      `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
    one = await ScriptedUpstream.start({ "/": { send: says("one") }, "/slow": {} });
    two = await ScriptedUpstream.start({ "/": { send: says("two") } });
    controlPlane = new TestControlPlane();
    await controlPlane.start();
    [port = 0] = await freePorts(1);
    agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const started = await startWeft(dynamicBootstrap(controlPlane.port, 0, variant));
    proxy = started.proxy;
    stop = () => started.stop();
  });

  afterEach(async () => {
    agent.destroy();
    await stop();
    controlPlane.stop();
    await one.stop();
    await two.stop();
  });

  function get(path = "/", options: object = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path, agent, ...options }, (response) => {
        let body = "";
        response.setEncoding("latin1");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", reject);
      });
      sent.on("error", reject);
      sent.end();
    });
  }

  async function admin(path: string): Promise<Response> {
    return fetch(`http://${proxy.adminAddress}${path}`);
  }

  /** The usual start: one EDS cluster behind one RDS listener. */
  async function serve(): Promise<void> {
    controlPlane.set("cluster", { a: edsCluster("a") });
    controlPlane.set("endpoint", { a: assignment("a", [one.port]) });
    controlPlane.set("listener", { in: httpListener("in", port, rds("r")) });
    controlPlane.set("route", { r: { ...routeTable([toCluster("a")]), name: "r" } });
    await whenAnswered("one");
  }

  function whenAnswered(body: string): Promise<true | undefined> {
    return until(async () => {
      const answer = await get().catch(() => undefined);
      return answer?.body === body ? true : undefined;
    }, `the answer ${body}`);
  }

  test("is ready when its first listener serves, and not before", async () => {
    expect((await admin("/ready")).status).toBe(503);
    expect(await (await admin("/ready")).text()).toBe("PRE_INITIALIZING\n");
    controlPlane.set("listener", { in: httpListener("in", port, rds("r")) });
    await until(async () => proxy.state === "INITIALIZING", "the listener to warm");
    await expect(get()).rejects.toThrow("ECONNREFUSED");
    await serve();
    expect((await admin("/ready")).status).toBe(200);
  });

  test("asks for the endpoints and routes that it needs, and takes them", async () => {
    await serve();
    const asked = controlPlane.requests.map(
      ({ typeUrl, resourceNames }) => `${typeUrl.split(".").at(-1)} ${resourceNames.join()}`,
    );
    expect(asked).toContain("ClusterLoadAssignment a");
    expect(asked).toContain("RouteConfiguration r");
    expect(controlPlane.requests.filter(({ errorDetail }) => errorDetail)).toEqual([]);
  });

  test("sends new requests where new routes say, and ends old ones where they began", async () => {
    await serve();
    controlPlane.set("cluster", { a: edsCluster("a"), b: edsCluster("b") });
    controlPlane.set("endpoint", {
      a: assignment("a", [one.port]),
      b: assignment("b", [two.port]),
    });
    const slow = get("/slow", { agent: false });
    await until(() => one.requests.some(({ line }) => line.includes("/slow")), "the slow request");
    controlPlane.set("route", { r: { ...routeTable([toCluster("b")]), name: "r" } });
    await whenAnswered("two");
    expect(one.openConnections).toBeGreaterThan(0);
    await one.stop();
    expect((await slow).status).toBe(503);
  });

  test("a route to a cluster that is not there answers 503, and 200 when it comes", async () => {
    await serve();
    controlPlane.set("route", { r: { ...routeTable([toCluster("b")]), name: "r" } });
    await until(async () => (await get()).status === 503, "503");
    expect((await get()).body).toBe("");
    controlPlane.set("cluster", { a: edsCluster("a"), b: edsCluster("b") });
    controlPlane.set("endpoint", { b: assignment("b", [two.port]) });
    await whenAnswered("two");
  });

  test("an endpoint that goes gets nothing more and loses its idle connections", async () => {
    await serve();
    expect(one.openConnections).toBe(1);
    controlPlane.set("endpoint", { a: assignment("a", [two.port]) });
    await whenAnswered("two");
    await until(() => one.openConnections === 0, "the idle connection to close");
    controlPlane.set("endpoint", { a: assignment("a", []) });
    await until(async () => (await get()).body === "no healthy upstream", "no healthy upstream");
  });

  test("a cluster that changes serves under its old form until the new one is warm", async () => {
    await serve();
    controlPlane.set("cluster", { a: edsCluster("a", { lb_policy: "RANDOM" }) });
    for (let times = 0; times < 20; times++) expect((await get()).status).toBe(200);
    const dump = (await (await admin("/config_dump")).json()) as object;
    expect(JSON.stringify(dump)).toContain('"lb_policy":"RANDOM"');
  });

  test("a listener that changes keeps its socket and lets requests end", async () => {
    await serve();
    const slow = get("/slow", { agent: false });
    await until(() => one.requests.some(({ line }) => line.includes("/slow")), "the slow request");
    let failures = 0;
    let isDone = false;
    const load = (async () => {
      while (!isDone) {
        const answer = await get().catch(() => ({ status: 0, body: "" }));
        if (answer.status !== 200 && answer.status !== 418) failures++;
      }
    })();
    for (let times = 0; times < 10; times++) {
      const name = `direct ${times}`;
      const options = { route_config: { ...routeTable([DIRECT]), name } };
      controlPlane.set("listener", { in: httpListener("in", port, options) });
      await until(async () => (await get()).status === 418, "the new listener");
    }
    isDone = true;
    await load;
    expect(failures).toBe(0);
    await one.stop();
    expect((await slow).status).toBe(503);
  });

  test("a listener that is removed accepts nothing more", async () => {
    await serve();
    controlPlane.set("listener", {});
    await until(
      async () => (await get("/", { agent: false }).catch(() => undefined)) === undefined,
      "connections to be refused",
    );
    expect(await (await admin("/listeners")).text()).toBe("");
  });

  test("a connection that outlives its listener follows the newest routes", async () => {
    await serve();
    const inline = { route_config: { ...routeTable([toCluster("a")]), name: "inline" } };
    controlPlane.set("listener", { in: httpListener("in", port, inline) });
    await until(
      async () => (await (await admin("/config_dump")).text()).includes("inline"),
      "the other listener",
    );
    const asked = controlPlane.requests.length;
    controlPlane.set("route", { r: { ...routeTable([DIRECT]), name: "r" } });
    await until(() => controlPlane.requests.length > asked, "the routes to be taken");
    // The kept connection still belongs to the listener that was replaced, another does not.
    const send = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const { messages } = await exchangeRaw({ port, parts: [send], answers: 1 });
    expect((await get()).status).toBe(418);
    expect(messages[0]?.line).toBe("HTTP/1.1 200 OK");
  });

  test("asks for what the bootstrap names, and no more", async () => {
    const other = new TestControlPlane();
    await other.start();
    const [ownPort = 0] = await freePorts(1);
    const { dynamic_resources: dynamics, ...rest } = dynamicBootstrap(other.port, 0, variant);
    const { lds_config: _unused, ...asked } = dynamics;
    const routes = { route_config: routeTable([toCluster("a")]) };
    const { clusters } = rest.static_resources;
    const own = await startWeft({
      ...rest,
      static_resources: { clusters, listeners: [httpListener("own", ownPort, routes)] },
      dynamic_resources: asked,
    });
    try {
      other.set("cluster", { a: edsCluster("a") });
      other.set("endpoint", { a: assignment("a", [one.port]) });
      await until(() => own.proxy.state === "LIVE", "the other proxy to be live");
      await until(
        async () => (await fetch(`http://127.0.0.1:${ownPort}/`)).status === 200,
        "the static listener to use the cluster",
      );
      const types = new Set(other.requests.map(({ typeUrl }) => typeUrl));
      expect([...types].map((type) => type.replace(/.*\./, ""))).toEqual([
        "Cluster",
        "ClusterLoadAssignment",
      ]);
    } finally {
      await own.stop();
      other.stop();
    }
  });

  test("refuses by name what it cannot do, keeps the last good, takes the rest", async () => {
    await serve();
    controlPlane.set("cluster", {
      a: edsCluster("a", { track_cluster_stats: {} }),
      b: edsCluster("b"),
    });
    expect(await controlPlane.refusal("cluster", "track_cluster")).toBe(
      "a: track_cluster_stats: is not supported yet",
    );
    expect((await get()).body).toBe("one");
    controlPlane.set("cluster", {
      a: edsCluster("a", { common_lb_config: { healthy_panic_threshold: { value: 101 } } }),
      b: edsCluster("b"),
    });
    expect(await controlPlane.refusal("cluster", "panic")).toBe(
      "a: common_lb_config.healthy_panic_threshold.value: must be at most 100",
    );
    controlPlane.set("endpoint", {
      a: assignment("a", [one.port]),
      b: assignment("b", [two.port]),
    });
    controlPlane.set("route", { r: { ...routeTable([toCluster("b")]), name: "r" } });
    await whenAnswered("two");
    controlPlane.set("route", { r: { ...routeTable([{ match: { prefix: "/" } }]), name: "r" } });
    expect(await controlPlane.refusal("route", "action")).toBe(
      "r: virtual_hosts[0].routes[0]: has no action",
    );
    expect((await get()).body).toBe("two");
    const bad = httpListener("in", port, { ...rds("r"), tracing: { provider: { name: "t" } } });
    controlPlane.set("listener", { in: bad });
    expect(await controlPlane.refusal("listener", "tracing")).toBe(
      "in: filter_chains[0].filters[0].tracing.provider: " +
        "Didn't find a registered implementation for 't' with type URL: ''",
    );
    expect((await get()).body).toBe("two");
  });

  test.each(["cluster", "listener"] as const)(
    "keeps every %s when one cannot be read, as it may be any of them",
    async (kind) => {
      await serve();
      const typeUrl = RESOURCE_TYPE_URL[kind];
      const value = Buffer.from([0xff, 0xff, 0xff]);
      const resources = [{ name: "x", resource: { typeUrl, value } }];
      if (variant === "GRPC") controlPlane.setBytes(kind, new Map([["x", value]]));
      else controlPlane.writeDelta(create(DeltaDiscoveryResponseSchema, { typeUrl, resources }));
      // In delta the name stands beside the bytes.
      expect(await controlPlane.refusal(kind, "cannot decode")).toMatch(
        variant === "GRPC" ? /^cannot decode envoy.config/ : /^x: cannot decode envoy.config/,
      );
      expect((await get("/", { agent: false })).body).toBe("one");
    },
  );

  test("serves on while the control plane is away, and comes back", async () => {
    await serve();
    const { port: adsPort } = controlPlane;
    controlPlane.stop();
    expect((await get()).body).toBe("one");
    controlPlane = new TestControlPlane();
    controlPlane.set("cluster", { a: edsCluster("a") });
    controlPlane.set("endpoint", { a: assignment("a", [two.port]) });
    controlPlane.set("listener", { in: httpListener("in", port, rds("r")) });
    controlPlane.set("route", { r: { ...routeTable([toCluster("a")]), name: "r" } });
    await controlPlane.start(adsPort);
    await whenAnswered("two");
    const [first] = controlPlane.requests;
    const [firstDelta] = controlPlane.deltaRequests;
    // What is the same there has the same version.
    const held = firstDelta?.initialResourceVersions ?? {};
    expect(variant === "GRPC" ? first?.versionInfo : held["a"]).toMatch(/./);
  });

  test("`stop()` lets the request in flight end, for as long as it is given", async () => {
    const late = await ScriptedUpstream.start({ "/": {} });
    await serve();
    controlPlane.set("endpoint", { a: assignment("a", [late.port]) });
    await until(
      async () => (await admin("/clusters")).text().then((t) => t.includes(`:${late.port}:`)),
      "the endpoint",
    );
    const slow = get("/", { agent: false });
    await until(() => late.requests.length > 0, "the request");
    const stopped = proxy.stop(10_000);
    await expect(get("/", { agent: false })).rejects.toThrow("ECONN");
    await late.stop();
    expect((await slow).status).toBe(503);
    await stopped;
  });
});
