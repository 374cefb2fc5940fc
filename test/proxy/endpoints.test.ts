import { Agent, request } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Proxy } from "../../src/proxy/proxy.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { clustersOf } from "./dynamic-bootstrap.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const ADS = { ads: {}, resource_api_version: "V3" };
const CLIENTS = 8;

function cluster(options: object = {}): object {
  return {
    name: "a",
    type: "EDS",
    connect_timeout: "1s",
    eds_cluster_config: { eds_config: ADS },
    ...options,
  };
}

function assignment(ports: readonly number[], options: object = {}, endpoint: object = {}): object {
  const endpoints = ports.map((port) => ({
    endpoint: { address: socketAddress(port) },
    ...endpoint,
  }));
  return { cluster_name: "a", endpoints: [{ lb_endpoints: endpoints }], ...options };
}

function named(name: string): object {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: socketAddress(1, name) } }] }];
  return { cluster_name: "a", endpoints };
}

describe("a cluster of a control plane", () => {
  let controlPlane: TestControlPlane;
  let proxy: Proxy;
  let port: number;
  const ups: ScriptedUpstream[] = [];
  const closers: (() => Promise<unknown> | void)[] = [];

  beforeEach(async () => {
    for (let at = 0; at < 3; at++) ups.push(await ScriptedUpstream.start({}));
    controlPlane = new TestControlPlane();
    await controlPlane.start();
    [port = 0] = await freePorts(1);
    const routes = [{ match: { prefix: "/" }, route: { cluster: "a", timeout: "5s" } }];
    const started = await startWeft(
      clustersOf(controlPlane.port, 0, [
        httpListener("in", port, { route_config: routeTable(routes) }),
      ]),
    );
    proxy = started.proxy;
    closers.push(() => controlPlane.stop());
    closers.push(() => started.stop());
    controlPlane.set("cluster", { a: cluster() });
    controlPlane.set("endpoint", { a: assignment(ports()) });
    await until(async () => (await get()) === 200, "the first answer");
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    for (const up of ups.splice(0)) await up.stop();
  });

  function ports(): readonly number[] {
    return ups.map((up) => up.port);
  }

  function get(agent: Agent | false = false): Promise<number> {
    return new Promise((resolve) => {
      const sent = request({ host: "127.0.0.1", port, agent }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", () => resolve(0));
      });
      sent.on("error", () => resolve(0));
      sent.end();
    });
  }

  async function stat(name: string): Promise<number> {
    const page = await fetch(`http://${proxy.adminAddress}/stats?filter=cluster.a.${name}`);
    const lines = (await page.text()).split("\n");
    return Number(lines.find((line) => line.startsWith(`cluster.a.${name}: `))?.split(": ")[1]);
  }

  /** Clients that ask without a pause while something happens; the answers that were not 200. */
  async function underLoad(happens: () => Promise<void>): Promise<readonly number[]> {
    const failures: number[] = [];
    let isDone = false;
    const load = Array.from({ length: CLIENTS }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      while (!isDone) {
        const status = await get(agent);
        if (status !== 200) failures.push(status);
      }
      agent.destroy();
    });
    await happens();
    isDone = true;
    await Promise.all(load);
    return failures;
  }

  test("loses no request while its endpoints come and go", async () => {
    const failures = await underLoad(async () => {
      const before = await stat("update_success");
      for (let times = 1; times <= 100; times++) {
        const some = ports().filter((_, at) => (times + at) % 3 !== 0);
        controlPlane.set("endpoint", { a: assignment(some) });
        await get();
      }
      await until(async () => (await stat("update_success")) >= before + 100, "all updates");
    });
    expect(failures).toEqual([]);
    expect(await stat("membership_change")).toBeGreaterThan(90);
  });

  test("loses no request while it changes itself", async () => {
    const failures = await underLoad(async () => {
      for (let times = 1; times <= 20; times++) {
        controlPlane.set("cluster", { a: cluster({ connect_timeout: `${times}s` }) });
        await until(() => proxyConfig(`"connect_timeout":"${times}s"`), "the cluster");
      }
    });
    expect(failures).toEqual([]);
  });

  async function proxyConfig(text: string): Promise<boolean> {
    const page = await fetch(`http://${proxy.adminAddress}/config_dump`);
    return (await page.text()).replaceAll(/\s/g, "").includes(text);
  }

  test("closes all connections when its hosts change, where it is told to", async () => {
    controlPlane.set("cluster", {
      a: cluster({ common_lb_config: { close_connections_on_host_set_change: true } }),
    });
    controlPlane.set("endpoint", { a: assignment(ports().slice(0, 1)) });
    await until(async () => (await stat("membership_total")) === 1, "one endpoint");
    expect(await get()).toBe(200);
    expect(await stat("upstream_cx_active")).toBe(1);
    controlPlane.set("endpoint", { a: assignment(ports()) });
    await until(async () => (await stat("upstream_cx_active")) === 0, "connections to close");
  });

  test("has nobody without endpoints, and somebody again", async () => {
    controlPlane.set("endpoint", { a: assignment([]) });
    await until(async () => (await get()) === 503, "503");
    expect(await stat("membership_total")).toBe(0);
    controlPlane.set("endpoint", { a: assignment(ports()) });
    await until(async () => (await get()) === 200, "200");
  });

  test("has nobody when its endpoints were not renewed in time", async () => {
    const policy = { endpoint_stale_after: "0.2s" };
    controlPlane.set("endpoint", { a: assignment(ports(), { policy }) });
    await until(async () => (await stat("assignment_stale")) === 1, "the endpoints to be stale");
    expect(await get()).toBe(503);
    controlPlane.set("endpoint", { a: assignment(ports()) });
    await until(async () => (await get()) === 200, "200");
  });

  const wrong: readonly (readonly [string, () => object, string])[] = [
    [
      "a weight of 0",
      () => assignment([1], {}, { load_balancing_weight: 0 }),
      "must be at least 1",
    ],
    ["a name", () => named("a.test"), "malformed IP address: a.test"],
    [
      "names for them, which are not built",
      () => assignment([1], { named_endpoints: { x: { address: socketAddress(1) } } }),
      "named_endpoints: is not supported yet",
    ],
    [
      "a priority past the last",
      () => ({ cluster_name: "a", endpoints: [{ priority: 200 }] }),
      "priority: must be at most 128",
    ],
  ];
  test.each(wrong)(
    "refuses endpoints with %s, and keeps those it has",
    async (_what, body, message) => {
      controlPlane.set("endpoint", { a: body() });
      expect(await controlPlane.refusal("endpoint", message)).toContain("a: ");
      expect(await get()).toBe(200);
      expect(await stat("membership_total")).toBe(3);
    },
  );

  test("takes the heaviest weight beside the lightest, and an address that comes twice once", async () => {
    const [one = 0, two = 0] = ports();
    const heavy = {
      endpoint: { address: socketAddress(one) },
      load_balancing_weight: 4_294_967_295,
    };
    const light = { endpoint: { address: socketAddress(two) } };
    const endpoints = [{ lb_endpoints: [heavy, light, heavy, light] }];
    controlPlane.set("endpoint", { a: { cluster_name: "a", endpoints } });
    await until(async () => (await stat("membership_total")) === 2, "two endpoints");
    const before = ups[0]?.requests.length ?? 0;
    for (let times = 0; times < 20; times++) expect(await get()).toBe(200);
    expect((ups[0]?.requests.length ?? 0) - before).toBeGreaterThanOrEqual(19);
  });
});
