import { setTimeout as pause } from "node:timers/promises";
import { getHeapStatistics } from "node:v8";
import { afterEach, describe, expect, test } from "vitest";
import { collectGarbage } from "../../src/proxy/overload/collect-garbage.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";

const HEAP = "envoy.resource_monitors.fixed_heap";
const STOP = "envoy.overload_actions.stop_accepting_requests";

let plane: DataPlane | undefined;

afterEach(async () => {
  await plane?.stop();
  plane = undefined;
});

/** A proxy that answers 200, unless its heap is larger than that. */
async function start(bytesMax: number): Promise<{ url: string; admin: string }> {
  const [port = 0, adminPort = 0] = await freePorts(2);
  const typedConfig = {
    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
    max_heap_size_bytes: bytesMax,
  };
  plane = await startWeft({
    admin: { address: socketAddress(adminPort) },
    overload_manager: {
      refresh_interval: "0.02s",
      resource_monitors: [{ name: HEAP, typed_config: typedConfig }],
      actions: [STOP, "envoy.overload_actions.shrink_heap"].map((name) => ({
        name,
        triggers: [{ name: HEAP, threshold: { value: 0.9 } }],
      })),
    },
    static_resources: {
      listeners: [
        httpListener("in", port, {
          route_config: routeTable([{ match: { prefix: "/" }, direct_response: { status: 200 } }]),
        }),
      ],
    },
  });
  return { url: `http://127.0.0.1:${port}/`, admin: `http://127.0.0.1:${adminPort}` };
}

async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  return answer.status;
}

async function statOf(admin: string, name: string): Promise<number> {
  const answer = await fetch(`${admin}/stats?filter=^${name}$`);
  return Number(/: (\d+)/.exec(await answer.text())?.[1]);
}

describe("the heap as a resource", () => {
  test("is used up where it is larger than its bound", async () => {
    const { url, admin } = await start(1_000_000);
    await until(async () => (await statusOf(url)) === 503, "requests to be refused");
    // What is used is many times what may be.
    expect(await statOf(admin, `overload.${HEAP}.pressure`)).toBeGreaterThan(100);
    expect(await statOf(admin, `overload.${STOP}.active`)).toBe(1);
  });

  test("is measured with the buffers outside of it", async () => {
    const bytesMax = 4 * 2 ** 30;
    const { url, admin } = await start(bytesMax);
    const pressure = (): Promise<number> => statOf(admin, `overload.${HEAP}.pressure`);
    await pause(60);
    const before = await pressure();
    const buffer = Buffer.alloc(400 * 2 ** 20, "x");
    const expected = Math.trunc(before + (buffer.length / bytesMax) * 100) - 1;
    await until(async () => (await pressure()) >= expected, "the buffer to be seen");
    expect(buffer.length).toBe(400 * 2 ** 20);
    expect(await statusOf(url)).toBe(200);
  });
});

test("collecting garbage makes the heap smaller", () => {
  let held: object[] = Array.from({ length: 300_000 }, (_, at) => ({ at, text: `${at}` }));
  const before = getHeapStatistics().used_heap_size;
  expect(held.length).toBe(300_000);
  held = [];
  collectGarbage();
  expect(before - getHeapStatistics().used_heap_size).toBeGreaterThan(10 * 2 ** 20);
});
