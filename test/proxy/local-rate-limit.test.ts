import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { httpListener, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { RATE_LIMIT_CASES } from "./local-rate-limit-cases.ts";
import { findOutcome, type Outcome, statusesOf } from "./outcome.ts";
import { ALL, bucket, descriptor, key, type RateLimitCase, rule } from "./rate-limit-case.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { caseLog, logLines, metricsOf, statsOf, type TwinPlaces, Twins } from "./twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;
const NAME = "envoy.filters.http.local_ratelimit";
const TYPES = "type.googleapis.com/envoy.extensions.filters.http.";
const FAULT = {
  name: "envoy.filters.http.fault",
  typed_config: { "@type": `${TYPES}fault.v3.HTTPFault` },
};
const ROUTER = { name: "router", typed_config: { "@type": `${TYPES}router.v3.Router` } };

function limit(settings: object): object {
  return {
    "@type": `${TYPES}local_ratelimit.v3.LocalRateLimit`,
    stat_prefix: "own",
    filter_enabled: ALL,
    filter_enforced: ALL,
    ...settings,
  };
}

function virtualHost(one: RateLimitCase, at: number): object {
  const { limit: settings, routeLimits = [], hostLimits = [], route = {}, action = {} } = one;
  const own = { [NAME]: limit({ stat_prefix: `case_${at}`, ...settings }) };
  const more = "typed_per_filter_config" in route ? Object(route.typed_per_filter_config) : {};
  return {
    name: `case ${at}`,
    domains: [`case-${at}.test`],
    rate_limits: hostLimits,
    routes: [
      {
        match: { prefix: "/" },
        route: { cluster: "up", rate_limits: routeLimits, ...action },
        ...route,
        typed_per_filter_config: { ...own, ...more },
      },
    ],
  };
}

function listener(
  name: string,
  { ports, logPath }: TwinPlaces,
  settings: object,
  virtualHosts: readonly object[],
): object {
  return httpListener(name, ports[name] ?? 0, {
    http_filters: [FAULT, { name: NAME, typed_config: limit(settings) }, ROUTER],
    access_log: [caseLog(logPath)],
    route_config: { name, virtual_hosts: virtualHosts },
  });
}

const TO_UP = { match: { prefix: "/" }, route: { cluster: "up" } };
const ANY_HOST = { name: "all", domains: ["*"], routes: [TO_UP] };

const OFF = { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", disabled: true };

/** Routes of the listener "shared", whose own bucket holds three. */
const SHARED = {
  ...ANY_HOST,
  routes: [
    {
      match: { path: "/own" },
      route: { cluster: "up" },
      typed_per_filter_config: { [NAME]: limit({ stat_prefix: "of_route", ...bucket(1) }) },
    },
    {
      match: { path: "/off" },
      route: { cluster: "up" },
      typed_per_filter_config: {
        [NAME]: OFF,
      },
    },
    { match: { path: "/direct" }, direct_response: { status: 200 } },
    {
      match: { path: "/half" },
      route: { cluster: "up" },
      typed_per_filter_config: {
        [NAME]: limit({
          stat_prefix: "half",
          ...bucket(0),
          filter_enabled: { default_value: { numerator: 5000, denominator: "TEN_THOUSAND" } },
        }),
      },
    },
    TO_UP,
  ],
};

const SHARE_REQUESTS = 300;
const SOON_MS = 400;
const SOON = bucket(2, `${SOON_MS / 1000}s`);

/** Two filters of two stages, both of which tell of their buckets. */
function stagesListener({ ports, logPath }: TwinPlaces): object {
  const tell = { enable_x_ratelimit_headers: "DRAFT_VERSION_03" };
  const stage = (number: number, maxTokens: number): object => ({
    name: `stage ${number}`,
    typed_config: limit({
      stat_prefix: `stage_${number}`,
      stage: number,
      ...bucket(100),
      ...tell,
      descriptors: [descriptor("generic_key=x", maxTokens)],
    }),
  });
  return httpListener("stages", ports["stages"] ?? 0, {
    http_filters: [stage(0, 3), stage(1, 2), ROUTER],
    access_log: [caseLog(logPath)],
    route_config: {
      virtual_hosts: [
        {
          ...ANY_HOST,
          routes: [
            {
              match: { path: "/both" },
              route: {
                cluster: "up",
                rate_limits: [rule(key("x")), { stage: 1, ...rule(key("x")) }],
              },
            },
            {
              match: { path: "/first" },
              route: { cluster: "up", rate_limits: [rule(key("x"))] },
              typed_per_filter_config: { "stage 1": OFF },
            },
          ],
        },
      ],
    },
  });
}

function bootstrap(places: TwinPlaces, upstreamPort: number): object {
  const perConnection = { local_rate_limit_per_downstream_connection: true };
  return {
    node: { id: "test", cluster: "test-node" },
    admin: { address: socketAddress(places.adminPort) },
    layered_runtime: {
      layers: [{ name: "static", static_layer: { test: { none: 0, all: 100 } } }],
    },
    static_resources: {
      listeners: [
        listener("cases", places, {}, RATE_LIMIT_CASES.map(virtualHost)),
        listener("shared", places, { stat_prefix: "shared", ...bucket(3) }, [SHARED]),
        listener("each", places, { stat_prefix: "each", ...bucket(2), ...perConnection }, [
          {
            ...ANY_HOST,
            routes: [
              {
                match: { path: "/more" },
                route: { cluster: "up" },
                typed_per_filter_config: {
                  [NAME]: limit({ stat_prefix: "more", ...bucket(4), ...perConnection }),
                },
              },
              TO_UP,
            ],
          },
        ]),
        stagesListener(places),
        listener("soon", places, { stat_prefix: "soon", ...SOON }, [ANY_HOST]),
      ],
      clusters: [
        staticCluster("up", [upstreamPort], {
          metadata: { filter_metadata: { test: { a: "cluster" } } },
        }),
      ],
    },
  };
}

const LISTENERS = ["cases", "shared", "each", "stages", "soon"];
let upstream: ScriptedUpstream;
let twins: Twins;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  twins = await Twins.start(LISTENERS, (places) => bootstrap(places, upstream.port));
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
});

/** Sends the requests of a case, each on a connection of its own. */
async function sendCase(one: RateLimitCase, twin: TwinPlaces): Promise<readonly Outcome[]> {
  const at = RATE_LIMIT_CASES.indexOf(one);
  const { method = "GET", path = "/" } = one;
  const start = `${method} ${path} HTTP/1.1\r\nHost: case-${at}.test\r\nX-Case: ${at}\r\n`;
  const outcomes: Outcome[] = [];
  for (const lines of one.sends) {
    const outcome = await findOutcome({
      port: twin.ports["cases"] ?? 0,
      upstream,
      parts: [`${start}${lines}Connection: close\r\n\r\n`],
      answers: 1,
      methods: [method],
    });
    outcomes.push(outcome);
  }
  return outcomes;
}

/** The statuses of requests that go one after the other over one connection. */
async function statusesAt(
  twin: TwinPlaces,
  listenerName: string,
  paths: readonly string[],
): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const statuses: number[] = [];
  try {
    for (const path of paths) {
      const port = twin.ports[listenerName] ?? 0;
      const sent = request({ host: "127.0.0.1", port, path, agent }).end();
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      answer.resume();
      await once(answer, "close");
      statuses.push(answer.statusCode ?? 0);
    }
  } finally {
    agent.destroy();
  }
  return statuses;
}

/** Seconds go by while a case runs. */
function withoutSeconds({ answers, ...rest }: Outcome): object {
  return {
    ...rest,
    answers: answers.map(({ headers, ...message }) => ({
      ...message,
      headers: headers.map((header) =>
        header
          .replace(/^(x-ratelimit-reset|retry-after): (99\d|1000)$/, "$1: about 1000")
          .replace(/^(x-ratelimit-reset|retry-after): (9\d|100)$/, "$1: about 100"),
      ),
    })),
  };
}

describe("local rate limits", () => {
  test.each(RATE_LIMIT_CASES)("$name", async (one) => {
    const ours = await sendCase(one, twins.weft);
    expect(ours.flatMap(statusesOf)).toEqual(one.statuses);
    const theirs = twins.envoy === undefined ? ours : await sendCase(one, twins.envoy);
    expect(ours.map(withoutSeconds)).toEqual(theirs.map(withoutSeconds));
  });

  test("of a route take the place of the filter's own", async () => {
    for (const twin of twins.all) {
      const paths = ["/own", "/", "/own", "/off", "/", "/direct", "/off", "/direct", "/"];
      const statuses = await statusesAt(twin, "shared", paths);
      expect(statuses).toEqual([200, 200, 429, 200, 200, 200, 200, 429, 429]);
      // The bucket is that of all connections.
      expect(await statusesAt(twin, "shared", ["/", "/own", "/off"])).toEqual([429, 429, 200]);
    }
  });

  test("count each connection on its own", async () => {
    for (const twin of twins.all) {
      for (let round = 0; round < 2; round++) {
        expect(await statusesAt(twin, "each", ["/", "/", "/"])).toEqual([200, 200, 429]);
      }
      // The buckets of whichever settings came first are those of the connection.
      const first = await statusesAt(twin, "each", ["/", "/more", "/more", "/"]);
      expect(first).toEqual([200, 200, 429, 429]);
      const second = await statusesAt(twin, "each", ["/more", "/", "/", "/more", "/"]);
      expect(second).toEqual([200, 200, 200, 200, 429]);
    }
  });

  test("of two stages count each on its own", async () => {
    const outcomes: (readonly Outcome[])[] = [];
    for (const twin of twins.all) {
      const ofTwin: Outcome[] = [];
      for (const path of ["/both", "/first", "/both", "/both", "/first"]) {
        const port = twin.ports["stages"] ?? 0;
        const part = `GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`;
        ofTwin.push(await findOutcome({ port, upstream, parts: [part], answers: 1 }));
      }
      outcomes.push(ofTwin);
    }
    const [ours = [], theirs = ours] = outcomes;
    expect(ours.flatMap(statusesOf)).toEqual([200, 200, 200, 429, 429]);
    expect(ours.map(withoutSeconds)).toEqual(theirs.map(withoutSeconds));
  });

  test("concern the share of requests that was given", async () => {
    for (const twin of twins.all) {
      const paths = Array.from({ length: SHARE_REQUESTS }, () => "/half");
      const statuses = await statusesAt(twin, "shared", paths);
      const share = statuses.filter((status) => status === 429).length / SHARE_REQUESTS;
      // Five standard deviations of a fair coin: one run in more than a million is outside.
      expect(Math.abs(share - 0.5)).toBeLessThan((5 * 0.5) / Math.sqrt(SHARE_REQUESTS));
    }
  });

  test("let pass again what comes later", async () => {
    for (const twin of twins.all) {
      const begin = performance.now();
      const paths = Array.from({ length: 30 }, () => "/");
      const burst = await statusesAt(twin, "soon", paths);
      // A slow machine sees tokens come back meanwhile.
      const cameBack = Math.ceil((performance.now() - begin) / SOON_MS);
      const passed = burst.filter((status) => status === 200).length;
      expect(burst.slice(0, 2)).toEqual([200, 200]);
      expect(passed).toBeLessThanOrEqual(2 + cameBack);
      await new Promise((resolve) => setTimeout(resolve, 900));
      expect((await statusesAt(twin, "soon", ["/", "/"])).slice(0, 2)).toEqual([200, 200]);
    }
  });
});

describe.skipIf(!HAS_ENVOY)("local rate limits in weft and Envoy", () => {
  test("are logged alike", async () => {
    const count = RATE_LIMIT_CASES.reduce((sum, { sends }) => sum + sends.length, 0);
    const isNamed = (line: string): boolean => !line.startsWith("-");
    const [ours, theirs] = await Promise.all(twins.all.map((twin) => logLines(twin, count)));
    expect(ours?.filter(isNamed)).toEqual(theirs?.filter(isNamed));
    expect(
      ours?.filter((line) => line.includes(" 429 RL local_rate_limited")).length,
    ).toBeGreaterThan(50);
  });

  test("are counted alike", async () => {
    // How often chance and time let pass differs from run to run.
    const isExact = (name: string): boolean =>
      name.includes(".http_local_rate_limit.") && !/^(?:half|soon)\./.test(name);
    const counted = async (twin: TwinPlaces): Promise<object> => {
      const all = Object.entries(await statsOf(twin, ""));
      return Object.fromEntries(all.filter(([name]) => isExact(name)));
    };
    const [ours, theirs] = await Promise.all(twins.all.map(counted));
    expect(ours).toEqual(theirs);
    const told = async (twin: TwinPlaces): Promise<readonly string[]> =>
      (await metricsOf(twin, "http_local_rate")).filter((line) => !/"(?:half|soon)"/.test(line));
    const [metrics, more] = await Promise.all(twins.all.map(told));
    expect(metrics).toEqual(more);
    expect(ours).toMatchObject({ "case_0.http_local_rate_limit.enforced": 2 });
  });
});
