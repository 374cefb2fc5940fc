import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { clustersOf } from "./dynamic-bootstrap.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const ADS = { ads: {}, resource_api_version: "V3" };
const PROGRAM = findProgram("envoy");
const PLANES = PROGRAM === undefined ? ["weft"] : ["weft", "envoy"];

function cluster(options: object = {}): object {
  return {
    name: "a",
    type: "EDS",
    connect_timeout: "1s",
    eds_cluster_config: { eds_config: ADS },
    common_lb_config: { update_merge_window: "0s", healthy_panic_threshold: { value: 0 } },
    outlier_detection: { interval: "3600s", consecutive_5xx: 1, max_ejection_percent: 100 },
    ...options,
  };
}

function assignment(ports: readonly number[], weight: number): object {
  const endpoints = ports.map((port) => ({
    endpoint: { address: socketAddress(port) },
    load_balancing_weight: weight,
  }));
  return { cluster_name: "a", endpoints: [{ lb_endpoints: endpoints }] };
}

const FAILURE = { send: "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n" };
let ups: readonly ScriptedUpstream[];

beforeAll(async () => {
  ups = await Promise.all([1, 2].map(() => ScriptedUpstream.start({ "/500": FAILURE })));
});

afterAll(async () => {
  for (const up of ups) await up.stop();
});

describe.each(PLANES)("ejected hosts that discovery names, in %s", (name) => {
  const controlPlane = new TestControlPlane();
  let plane: DataPlane;
  let port = 0;
  let adminPort = 0;

  beforeAll(async () => {
    await controlPlane.start();
    [port = 0, adminPort = 0] = await freePorts(2);
    controlPlane.set("cluster", { a: cluster() });
    controlPlane.set("endpoint", { a: assignment(allPorts(), 1) });
    const routes = [{ match: { prefix: "/" }, route: { cluster: "a" } }];
    const bootstrap = clustersOf(controlPlane.port, adminPort, [
      httpListener("in", port, { route_config: routeTable(routes) }),
    ]);
    const isEnvoy = name === "envoy" && PROGRAM !== undefined;
    plane = isEnvoy ? await startEnvoy(PROGRAM, bootstrap, adminPort) : await startWeft(bootstrap);
    await until(async () => (await get("")) === 200, "the first answer");
  });

  afterAll(async () => {
    await plane.stop();
    controlPlane.stop();
  });

  function allPorts(): readonly number[] {
    return ups.map((up) => up.port);
  }

  async function get(path: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${port}/${path}`);
    await answer.arrayBuffer();
    return answer.status;
  }

  async function page(path: string): Promise<readonly string[]> {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/${path}`);
    return (await answer.text()).split("\n");
  }

  async function stat(stat: string): Promise<number> {
    const lines = await page(`stats?filter=cluster.a.${stat}`);
    return Number(lines.find((line) => line.startsWith(`cluster.a.${stat}: `))?.split(": ")[1]);
  }

  /** By port: what keeps hosts from being simply healthy. */
  async function flags(): Promise<Readonly<Record<string, string>>> {
    const lines = await page("clusters");
    const found = lines.flatMap((line) => {
      const [, key = "", flag] = /^a::127\.0\.0\.1:(\d+)::health_flags::(.*)$/.exec(line) ?? [];
      return flag === undefined ? [] : [[key, flag] as const];
    });
    return Object.fromEntries(found);
  }

  const active = (): Promise<number> => stat("outlier_detection.ejections_active");

  /** Makes one host fail; the ports of who is out now, and who is not. */
  async function eject(): Promise<readonly [out: number, rest: number]> {
    expect(await get("500")).toBe(500);
    await until(async () => (await active()) === 1, "an ejection");
    const all = Object.entries(await flags());
    const out = Number(all.find(([, flag]) => flag === "/failed_outlier_check")?.[0]);
    return [out, allPorts().find((one) => one !== out) ?? 0];
  }

  test("stay out when they are named again, and are new when they come back", async () => {
    const [out, rest] = await eject();
    controlPlane.set("endpoint", { a: assignment(allPorts(), 7) });
    await until(async () => (await stat("max_host_weight")) === 7, "the weights");
    expect(await flags()).toEqual({ [out]: "/failed_outlier_check", [rest]: "healthy" });
    expect(await active()).toBe(1);
    controlPlane.set("endpoint", { a: assignment([rest], 7) });
    await until(async () => (await stat("membership_total")) === 1, "one to go");
    expect(await active()).toBe(0);
    controlPlane.set("endpoint", { a: assignment(allPorts(), 7) });
    await until(async () => (await stat("membership_total")) === 2, "it to be back");
    expect(await flags()).toEqual({ [out]: "healthy", [rest]: "healthy" });
    expect(await active()).toBe(0);
  });

  test("are new in a cluster that changed", async () => {
    const [out, rest] = await eject();
    controlPlane.set("cluster", { a: cluster({ connect_timeout: "2s" }) });
    // Envoy waits to be told its endpoints anew.
    controlPlane.set("endpoint", { a: assignment(allPorts(), 7) });
    await until(async () => (await active()) === 0, "the cluster to be new");
    expect(await flags()).toEqual({ [out]: "healthy", [rest]: "healthy" });
    expect(await get("")).toBe(200);
  });
});
