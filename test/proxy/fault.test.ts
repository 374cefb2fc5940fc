import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { ALWAYS, FAULT_CASES, type FaultCase, RUNTIME } from "./fault-cases.ts";
import { findOutcome, type Outcome, statusesOf } from "./outcome.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { caseLog, logLines, statsOf, type TwinPlaces, Twins } from "./twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;
const FAULT = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
const ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const ACTIVE = "http.main.fault.active_faults";
const SHARE_REQUESTS = 400;
const RETRY = { retry_on: "5xx,retriable-status-codes", retriable_status_codes: [418] };
const NAME = "envoy.filters.http.fault";

function fault(settings: object): object {
  return { "@type": FAULT, ...settings };
}

function listener(name: string, { ports, logPath }: TwinPlaces, settings: object): object {
  return httpListener(name, ports[name] ?? 0, {
    http_filters: [
      { name: NAME, typed_config: fault(settings) },
      { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER } },
    ],
    access_log: [caseLog(logPath, "%DYNAMIC_METADATA(envoy.filters.http.fault)%")],
    route_config: routeTable([
      ...FAULT_CASES.map((one, at) => ({
        match: { path: `/${at}` },
        // Neither retries nor timeouts concern faults: the router comes after the filter.
        route: { cluster: "up", prefix_rewrite: one.path ?? "/", retry_policy: RETRY },
        typed_per_filter_config: { [NAME]: fault(one.fault) },
      })),
      {
        match: { path: "/half" },
        route: { cluster: "up" },
        typed_per_filter_config: {
          [NAME]: fault({ abort: { http_status: 418, percentage: { numerator: 50 } } }),
        },
      },
      {
        match: { path: "/late" },
        route: { cluster: "up", timeout: "0.2s" },
        typed_per_filter_config: {
          [NAME]: fault({ delay: { fixed_delay: "0.5s", percentage: ALWAYS } }),
        },
      },
      { match: { prefix: "/" }, route: { cluster: "up" } },
    ]),
  });
}

function bootstrap(places: TwinPlaces, upstreamPort: number): object {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    layered_runtime: { layers: [{ name: "static", static_layer: RUNTIME }] },
    static_resources: {
      listeners: [
        listener("main", places, {}),
        listener("whole", places, {
          abort: { http_status: 503, percentage: { numerator: 100 } },
        }),
      ],
      clusters: [staticCluster("up", [upstreamPort])],
    },
  };
}

let upstream: ScriptedUpstream;
let twins: Twins;

beforeAll(async () => {
  const large = "x".repeat(200 * 1024);
  upstream = await ScriptedUpstream.start({
    "/large": { send: `HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}` },
    "/chunked": {
      send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    },
    "/204": { send: "HTTP/1.1 204 No Content\r\n\r\n" },
  });
  twins = await Twins.start(["main", "whole"], (places) => bootstrap(places, upstream.port));
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
});

async function send(
  one: FaultCase,
  twin: TwinPlaces,
): Promise<{ outcome: Outcome; tookMs: number }> {
  const method = one.method ?? "GET";
  const body = method === "POST" ? "hello" : "";
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  const at = FAULT_CASES.indexOf(one);
  const head = `${method} /${at} HTTP/1.1\r\nHost: a.test\r\nX-Case: ${at}\r\n`;
  const before = performance.now();
  const outcome = await findOutcome({
    port: twin.ports["main"] ?? 0,
    upstream,
    parts: [`${head}${length}${one.lines ?? ""}\r\n${body}`],
    answers: 1,
    methods: [method],
  });
  return { outcome, tookMs: performance.now() - before };
}

/** Sends a request and waits for nothing but the status. */
async function statusOf(twin: TwinPlaces, listenerName: string, path: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${twin.ports[listenerName] ?? 0}${path}`);
  await answer.arrayBuffer();
  return answer.status;
}

describe("faults", () => {
  test.each(FAULT_CASES)("$name", async (one) => {
    const ours = await send(one, twins.weft);
    expect(statusesOf(ours.outcome)).toEqual([one.status]);
    const theirs = twins.envoy === undefined ? ours : await send(one, twins.envoy);
    expect(ours.outcome).toEqual(theirs.outcome);
    // A timer may fire up to a millisecond before its time.
    const leastMs = (one.tookMs ?? 0) - 1;
    expect(ours.tookMs).toBeGreaterThan(leastMs);
    expect(theirs.tookMs).toBeGreaterThan(leastMs);
  });

  test("of a route take the place of the filter's own", async () => {
    const plain = FAULT_CASES.findIndex(({ name }) => name === "an abort of 0 %");
    for (const twin of twins.all) {
      expect(await statusOf(twin, "whole", "/else")).toBe(503);
      expect(await statusOf(twin, "whole", `/${plain}`)).toBe(200);
    }
  });

  test("take no time of the route's", async () => {
    for (const twin of twins.all) expect(await statusOf(twin, "main", "/late")).toBe(200);
  });

  test("hit the share that was given", async () => {
    const shares = [];
    for (const twin of twins.all) {
      let aborts = 0;
      const requests = Array.from({ length: SHARE_REQUESTS }, async () => {
        if ((await statusOf(twin, "main", "/half")) === 418) aborts++;
      });
      await Promise.all(requests);
      shares.push(aborts / SHARE_REQUESTS);
    }
    // Five standard deviations of a fair coin: one run in more than a million is outside.
    const bound = (5 * 0.5) / Math.sqrt(SHARE_REQUESTS);
    for (const share of shares) expect(Math.abs(share - 0.5)).toBeLessThan(bound);
  });

  test("end with the client that gave up", async () => {
    const delayed = FAULT_CASES.findIndex(({ name }) => name === "a delay by its header");
    for (const twin of twins.all) {
      const socket = connect(twin.ports["main"] ?? 0, "127.0.0.1");
      socket.on("error", () => undefined);
      const lines = "Host: a\r\nX-Case: gave up\r\nX-Envoy-Fault-Delay-Request: 100000\r\n";
      socket.write(`GET /${delayed} HTTP/1.1\r\n${lines}\r\n`);
      const active = async (): Promise<number> => (await statsOf(twin, ACTIVE))[ACTIVE] ?? 0;
      await until(async () => (await active()) === 1, "the fault to begin");
      socket.destroy();
      await until(async () => (await active()) === 0, "the fault to end");
      expect(await active()).toBe(0);
    }
  });
});

describe.skipIf(!HAS_ENVOY)("faults in weft and Envoy", () => {
  test("are logged alike", async () => {
    // Every case, and the one that gave up; those of the statistics carry no name.
    const isNamed = (line: string): boolean => !line.startsWith("-");
    const count = FAULT_CASES.length + SHARE_REQUESTS + 4;
    const [ours, theirs] = await Promise.all(twins.all.map((twin) => logLines(twin, count)));
    expect(ours?.filter(isNamed)).toEqual(theirs?.filter(isNamed));
  });

  test("are counted alike", async () => {
    const [ours, theirs] = await Promise.all(
      twins.all.map((twin) => statsOf(twin, "http.main.fault.")),
    );
    const share = "http.main.fault.aborts_injected";
    expect({ ...ours, [share]: 0 }).toEqual({ ...theirs, [share]: 0 });
    expect(ours?.["http.main.fault.shop.aborts_injected"]).toBe(1);
  });
});
