import { getHeapStatistics } from "node:v8";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { collectGarbage } from "../../src/proxy/overload/collect-garbage.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { SlowUpstream } from "./slow-upstream.ts";

/** A clock that knows how many of its timers are set. */
class CountingClock implements Clock {
  readonly #armed = new Set<object>();

  get armed(): number {
    return this.#armed.size;
  }

  nowMs(): number {
    return nodeClock.nowMs();
  }

  monotonicMs(): number {
    return nodeClock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const key = {};
    this.#armed.add(key);
    const timer = nodeClock.setTimer(delayMs, () => {
      this.#armed.delete(key);
      callback();
    });
    return {
      cancel: () => {
        this.#armed.delete(key);
        timer.cancel();
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return nodeClock.sleep(delayMs, signal);
  }
}

const RETRY = {
  retry_on: "reset",
  num_retries: 2,
  per_try_timeout: "0.03s",
  retry_back_off: { base_interval: "0.001s", max_interval: "0.002s" },
};

/** How a request runs out of time: the route's action, the path at the upstream. */
const WAYS = [
  { action: { timeout: "0.05s" }, path: "/silent" },
  { action: { timeout: "0.05s" }, path: "/half-head" },
  { action: { timeout: "0.05s" }, path: "/half" },
  { action: { timeout: "0.05s" }, path: "/drip/30" },
  { action: { timeout: "0s", idle_timeout: "0.05s" }, path: "/silent" },
  { action: { retry_policy: RETRY }, path: "/silent" },
  {
    action: { retry_policy: { ...RETRY, per_try_timeout: "0s", per_try_idle_timeout: "0.03s" } },
    path: "/silent",
  },
  { action: { max_stream_duration: { max_stream_duration: "0.05s" } }, path: "/half" },
] as const;

/** So many of each at a time. */
const AT_ONCE = 5;
const ROUNDS = 25;

let upstream: SlowUpstream;
let plane: DataPlane;
let port = 0;
let adminPort = 0;
const clock = new CountingClock();

beforeAll(async () => {
  upstream = await SlowUpstream.start();
  [port = 0, adminPort = 0] = await freePorts(2);
  const routes = WAYS.map(({ action }, at) => ({
    match: { prefix: `/${at}/` },
    route: { cluster: "up", prefix_rewrite: "/", ...action },
  }));
  const bootstrap = {
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [httpListener("in", port, { route_config: routeTable(routes) })],
      clusters: [
        staticCluster("up", [upstream.port], {
          circuit_breakers: { thresholds: [{ max_retries: 1000 }] },
        }),
      ],
    },
  };
  plane = await startWeft(bootstrap, { clock });
});

afterAll(async () => {
  await plane.stop();
  await upstream.stop();
});

/** One request of each way, several times; their statuses, 0 of those that were cut off. */
async function runRound(): Promise<readonly number[]> {
  const all = WAYS.flatMap(({ path }, at) =>
    Array.from({ length: AT_ONCE }, async () => {
      const parts = [`GET /${at}${path} HTTP/1.1\r\nHost: a\r\n\r\n`];
      const { messages } = await exchangeRaw({ port, parts, answers: 1 });
      return Number(messages[0]?.line.split(" ")[1] ?? 0);
    }),
  );
  return await Promise.all(all);
}

async function runRounds(count: number): Promise<number> {
  let requests = 0;
  for (let round = 0; round < count; round++) {
    const statuses = await runRound();
    // On a slow machine time may be up before the head that would be cut off behind.
    expect(statuses.filter((status) => status !== 504 && status !== 0)).toEqual([]);
    requests += statuses.length;
  }
  return requests;
}

const IN_USE =
  /^(http\.in\.downstream_(cx|rq)_active|cluster\.up\.(upstream_(rq|rq_pending)_active|circuit_breakers\.\w+\.\w+_open)): (\d+)$/;

/** Gauges of what is in use that are not 0. */
async function inUse(): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats`);
  const lines = (await answer.text()).split("\n").filter((line) => IN_USE.test(line));
  expect(lines.length).toBeGreaterThanOrEqual(8);
  return lines.filter((line) => !line.endsWith(": 0"));
}

describe("a thousand requests that run out of time", () => {
  test("leave no connection, no timer and no memory behind", async () => {
    await runRounds(2);
    await until(async () => (await inUse()).length === 0, "the first to be over");
    collectGarbage();
    const heapBefore = getHeapStatistics().used_heap_size;
    const armedBefore = clock.armed;
    const requests = await runRounds(ROUNDS);
    expect(requests).toBe(1000);
    await until(async () => (await inUse()).length === 0, "all to be over");
    // The rest of a response is waited for a moment; what comes to its end leaves its connection
    // for others, no more of them than were at work at once.
    const few = AT_ONCE * WAYS.length;
    await until(() => upstream.openConnections <= few, "connections to be closed");
    // One timer stands for all deadlines of one length; it is not set again for nobody.
    expect(clock.armed).toBeLessThanOrEqual(armedBefore);
    upstream.times.clear();
    collectGarbage();
    const grownBytes = getHeapStatistics().used_heap_size - heapBefore;
    // What a request keeps for good would show a thousandfold.
    expect(grownBytes / requests).toBeLessThan(2000);
  }, 60_000);

  test("do not disturb the next one", async () => {
    const parts = ["GET /0/up HTTP/1.1\r\nHost: a\r\n\r\n"];
    const { messages } = await exchangeRaw({ port, parts, answers: 1 });
    expect(messages[0]?.body).toBe("0123456789");
  });
});
