import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { destroy } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { BREAKER_CASES, type BreakerCase, BUDGET_CASES, type Priority } from "./retry-cases.ts";
import { SlowUpstream } from "./slow-upstream.ts";
import { caseLog, type Twin, type TwinPlaces, Twins } from "./twins.ts";

/** So long that nobody sees the retry: it waits while the test looks. */
const NEVER = { base_interval: "10000s", max_interval: "10000s" };
const SOON = { base_interval: "0.001s", max_interval: "0.002s" };

const breakerCluster = (at: number): string => `b${at}`;
const budgetCluster = (at: number): string => `r${at}`;

/** What ends a request whose retries are used up, or were none to begin with. */
const ENDS = [
  ["error", "/error", { retry_on: "5xx", num_retries: 2 }, "500 URX via_upstream 3"],
  ["error", "/error", { retry_on: "5xx", num_retries: 0 }, "500 URX via_upstream 1"],
  ["error", "/error", { retry_on: "reset", num_retries: 2 }, "500 - via_upstream 1"],
  ["error", "/up", { retry_on: "5xx", num_retries: 2 }, "200 - via_upstream 1"],
  [
    "refused",
    "/up",
    { retry_on: "connect-failure", num_retries: 2 },
    "503 URX,UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 3",
  ],
  [
    "refused",
    "/up",
    { retry_on: "retriable-4xx", num_retries: 2 },
    "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 1",
  ],
  [
    "error",
    "/silent",
    { retry_on: "5xx", num_retries: 1, per_try_timeout: "0.1s" },
    "504 URX,UT upstream_per_try_timeout 2",
  ],
] as const;

function bootstrap({ ports, adminPort, logPath }: TwinPlaces, up: number, refused: number): object {
  const clusters = [
    ...BREAKER_CASES.map(({ thresholds }, at) =>
      staticCluster(breakerCluster(at), [up], { circuit_breakers: { thresholds } }),
    ),
    ...BUDGET_CASES.map(({ budget }, at) =>
      staticCluster(budgetCluster(at), [up], {
        circuit_breakers: { thresholds: [{ retry_budget: budget, track_remaining: true }] },
      }),
    ),
  ];
  const names = [...BREAKER_CASES.keys()].map(breakerCluster);
  names.push(...[...BUDGET_CASES.keys()].map(budgetCluster));
  const routes = names.flatMap((cluster) =>
    (["DEFAULT", "HIGH"] as const).map((priority) => ({
      match: { prefix: `/${cluster}/${priority}/` },
      route: {
        cluster,
        priority,
        prefix_rewrite: "/",
        timeout: "0s",
        retry_policy: { retry_on: "5xx", num_retries: 1, retry_back_off: NEVER },
      },
    })),
  );
  const ends = ENDS.map(([cluster, , policy], at) => ({
    match: { prefix: `/end/${at}/` },
    route: { cluster, prefix_rewrite: "/", retry_policy: { ...policy, retry_back_off: SOON } },
  }));
  const windows = {
    match: { prefix: "/windows/" },
    route: {
      cluster: "error",
      prefix_rewrite: "/error/",
      timeout: "0s",
      retry_policy: {
        retry_on: "5xx",
        num_retries: 4,
        retry_back_off: { base_interval: "0.1s", max_interval: "0.3s" },
      },
    },
  };
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [
        httpListener("in", ports["in"] ?? 0, {
          route_config: routeTable([...routes, ...ends, windows]),
          access_log: [caseLog(logPath, "%UPSTREAM_REQUEST_ATTEMPT_COUNT%")],
        }),
      ],
      clusters: [
        ...clusters,
        staticCluster("error", [up], {
          circuit_breakers: { thresholds: [{ max_retries: 1000 }] },
        }),
        staticCluster("refused", [refused]),
      ],
    },
  };
}

let upstream: SlowUpstream;
let twins: Twins;
const clients = new Set<Socket>();

beforeAll(async () => {
  upstream = await SlowUpstream.start();
  const [refused = 0] = await freePorts(1);
  twins = await Twins.start(["in"], (places) => bootstrap(places, upstream.port, refused));
});

afterAll(async () => {
  for (const client of clients) await destroy(client);
  await twins.stop();
  await upstream.stop();
});

async function statsOf(twin: Twin, cluster: string): Promise<Readonly<Record<string, number>>> {
  const prefix = `cluster.${cluster}.`;
  const answer = await fetch(`http://127.0.0.1:${twin.adminPort}/stats?filter=^${prefix}`);
  return Object.fromEntries(
    (await answer.text()).split("\n").map((line) => {
      const [name = "", value = ""] = line.split(": ");
      return [name.replace(prefix, ""), Number(value)];
    }),
  );
}

async function awaitStat(twin: Twin, cluster: string, name: string, value: number): Promise<void> {
  await until(
    async () => (await statsOf(twin, cluster))[name] === value,
    `${cluster}: ${name} to be ${value}`,
  );
}

/** Sends a request whose answer nobody waits for. */
function hold(twin: Twin, path: string): Socket {
  const client = connect(twin.ports["in"] ?? 0, "127.0.0.1");
  client.on("error", () => undefined);
  client.resume();
  client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  clients.add(client);
  return client;
}

async function letGo(held: readonly Socket[]): Promise<void> {
  for (const client of held) {
    await destroy(client);
    clients.delete(client);
  }
}

let asked = 0;

/** One request, with what is logged of it. */
async function ask(twin: Twin, path: string): Promise<{ answer: string; log: string }> {
  const id = `case-${asked++}`;
  const text = `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Case: ${id}\r\n\r\n`;
  const { messages } = await exchangeRaw({
    port: twin.ports["in"] ?? 0,
    parts: [text],
    answers: 1,
  });
  const answer = messages.map(({ line, headers, body }) => {
    const overloaded = headers.filter((header) => header.startsWith("x-envoy-overloaded"));
    return [line, ...overloaded, body].join("|");
  });
  const log = await until(() => {
    const lines = readFileSync(twin.logPath, "utf8").split("\n");
    return lines.find((line) => line.startsWith(`${id} `));
  }, `the log of ${path}`);
  return { answer: answer.join(), log: log.substring(id.length + 1) };
}

async function alike<T>(run: (twin: Twin) => Promise<T>): Promise<T> {
  const [ours, theirs] = await Promise.all(twins.all.map(run));
  if (ours === undefined) throw new Error("no data plane was started");
  expect(ours).toEqual(theirs ?? ours);
  return ours;
}

async function load(twin: Twin, one: BreakerCase, cluster: string): Promise<readonly Socket[]> {
  const to = (priority: Priority, path: string): string => `/${cluster}/${priority}${path}`;
  const { held, retrying } = one;
  const sockets: Socket[] = [];
  for (let count = 1; count <= (held?.count ?? 0); count++) {
    sockets.push(hold(twin, to(held?.priority ?? "DEFAULT", "/silent")));
    await awaitStat(twin, cluster, "upstream_rq_active", count);
  }
  for (let count = 1; count <= (retrying?.count ?? 0); count++) {
    sockets.push(hold(twin, to(retrying?.priority ?? "DEFAULT", "/error")));
    // The retry itself is not counted before it begins.
    await awaitStat(twin, cluster, "retry.upstream_rq_500", count);
  }
  return sockets;
}

/** There are no pools of connection pools here. */
const LOOKED_AT =
  /^circuit_breakers(?!.*_pool)|^upstream_(rq_\w+|cx)_overflow$|^(retry\.)?upstream_rq_(active|retry.*|5\d\d)$/;

describe("circuit breakers", () => {
  test.each(BREAKER_CASES.map((one, at) => ({ ...one, at })))("$name", async (one) => {
    const cluster = breakerCluster(one.at);
    const seen = await alike(async (twin) => {
      const sockets = await load(twin, one, cluster);
      const before = await statsOf(twin, cluster);
      const { answer, log } = await ask(twin, `/${cluster}/${one.asks.priority}${one.asks.path}`);
      const after = await statsOf(twin, cluster);
      await letGo(sockets);
      await awaitStat(twin, cluster, "upstream_rq_active", 0);
      const priority = one.asks.priority.toLowerCase();
      await awaitStat(twin, cluster, `circuit_breakers.${priority}.rq_retry_open`, 0);
      const idle = await statsOf(twin, cluster);
      const pick = (all: Readonly<Record<string, number>>): object =>
        Object.fromEntries(Object.entries(all).filter(([name]) => LOOKED_AT.test(name)));
      return { answer, log, before: pick(before), after: pick(after), idle: pick(idle) };
    });
    expect(seen.log).toBe(`${one.status} ${one.log} 1`);
    expect(seen.answer.includes("x-envoy-overloaded: true")).toBe(one.status === 503);
    expect({ ...seen.before, ...counters(seen.after) }).toMatchObject(one.stats);
  });
});

/** Those that only go up: they tell of the last request too. */
function counters(all: object): object {
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => !/circuit_breakers|_active$/.test(name)),
  );
}

/** Requests that would be tried again. */
const FAILING = 6;

describe("a budget of retries", () => {
  test.each(BUDGET_CASES.map((one, at) => ({ ...one, at, text: JSON.stringify(one.budget) })))(
    "$text with $held in flight lets $retries through",
    async ({ at, held, retries }) => {
      const cluster = budgetCluster(at);
      const seen = await alike(async (twin) => {
        const sockets: Socket[] = [];
        for (let count = 1; count <= held; count++) {
          sockets.push(hold(twin, `/${cluster}/DEFAULT/silent`));
          await awaitStat(twin, cluster, "upstream_rq_active", count);
        }
        for (let count = 1; count <= FAILING; count++) {
          sockets.push(hold(twin, `/${cluster}/DEFAULT/error`));
          await until(async () => {
            const all = await statsOf(twin, cluster);
            const decided =
              (all["retry.upstream_rq_500"] ?? 0) + (all["upstream_rq_retry_overflow"] ?? 0);
            return decided === count && all["upstream_rq_active"] === held;
          }, `${count} decisions`);
        }
        const all = await statsOf(twin, cluster);
        await letGo(sockets);
        return {
          retries: all["retry.upstream_rq_500"] ?? 0,
          overflow: all["upstream_rq_retry_overflow"],
          isOpen: all["circuit_breakers.default.rq_retry_open"],
          left: all["circuit_breakers.default.remaining_retries"],
        };
      });
      expect({ retries: seen.retries, overflow: seen.overflow }).toEqual({
        retries,
        overflow: FAILING - retries,
      });
    },
  );
});

describe("a request at its end", () => {
  test.each(ENDS.map(([cluster, path, policy, log], at) => ({ at, cluster, path, policy, log })))(
    "$cluster $path $policy: $log",
    async ({ at, path, log }) => {
      const seen = await alike(async (twin) => await ask(twin, `/end/${at}${path}`));
      expect(seen.log).toBe(log);
    },
  );
});

describe("the waits before retries", () => {
  test("are as long as their windows, and no longer than what was configured", async () => {
    const requests = 100;
    const windowsMs = [100, 200, 300, 300];
    for (const [index, twin] of twins.all.entries()) {
      const paths = Array.from({ length: requests }, (_, at) => `${index}-${at}`);
      upstream.times.clear();
      for (let at = 0; at < requests; at += 25) {
        const some = paths.slice(at, at + 25);
        await Promise.all(some.map((path) => ask(twin, `/windows/${path}`)));
      }
      const gaps = paths.map((path) => gapsOf(upstream.times.get(`/error/${path}`) ?? []));
      for (const [retry, windowMs] of windowsMs.entries()) {
        const all = gaps.map((one) => one[retry] ?? Number.NaN).sort((one, two) => one - two);
        // What is late on this machine only adds to a wait: the median of an even distribution
        // is half a window, and the shortest of a hundred waits is near none at all.
        expect(all[0]).toBeLessThan(windowMs * 0.3);
        expect(all[requests / 2]).toBeGreaterThan(windowMs * 0.3);
        expect(all[Math.floor(requests * 0.2)]).toBeLessThan(windowMs * 0.7);
      }
    }
  });
});

function gapsOf(times: readonly number[]): readonly number[] {
  return times.slice(1).map((time, at) => time - (times[at] ?? 0));
}
