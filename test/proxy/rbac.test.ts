import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { httpListener, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { findOutcome, statusesOf } from "./outcome.ts";
import { RBAC_CASES, type RbacCase } from "./rbac-cases.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { caseLog, logLines, statsOf, type TwinPlaces, Twins } from "./twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;
const TYPES = "type.googleapis.com/envoy.extensions.filters.http";
const NAME = "envoy.filters.http.rbac";
const NOBODY = { rules: {} };

function filter(name: string, settings: object, options: object = {}): object {
  return { name, typed_config: { "@type": `${TYPES}.rbac.v3.RBAC`, ...settings }, ...options };
}

function ofRoute(settings: object): object {
  return { "@type": `${TYPES}.rbac.v3.RBACPerRoute`, ...settings };
}

/** What a level of the route says around the filter's own message. */
function wrapped(settings: object): object {
  return { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", ...settings };
}

const TO_UP = { match: { prefix: "/" }, route: { cluster: "up" } };

/** Beside the cases: who decides when several levels say something. */
const LEVELS = [
  {
    name: "closed.test",
    status: 403,
    virtualHost: { routes: [TO_UP] },
  },
  {
    name: "open.test",
    status: 200,
    virtualHost: {
      typed_per_filter_config: { [NAME]: ofRoute({}) },
      routes: [TO_UP],
    },
  },
  {
    name: "route.test",
    status: 403,
    virtualHost: {
      typed_per_filter_config: { [NAME]: ofRoute({}) },
      routes: [{ ...TO_UP, typed_per_filter_config: { [NAME]: ofRoute({ rbac: NOBODY }) } }],
    },
  },
  {
    name: "disabled.test",
    status: 200,
    virtualHost: {
      typed_per_filter_config: { [NAME]: wrapped({ disabled: true }) },
      routes: [TO_UP],
    },
  },
  {
    name: "enabled.test",
    status: 403,
    virtualHost: {
      typed_per_filter_config: {
        [NAME]: ofRoute({}),
        sleeping: wrapped({ config: ofRoute({ rbac: NOBODY }) }),
      },
      routes: [TO_UP],
    },
  },
  {
    name: "cluster.test",
    status: 403,
    virtualHost: {
      typed_per_filter_config: { [NAME]: ofRoute({}) },
      routes: [
        {
          match: { prefix: "/" },
          route: {
            weighted_clusters: {
              clusters: [
                {
                  name: "up",
                  weight: 1,
                  typed_per_filter_config: { [NAME]: ofRoute({ rbac: NOBODY }) },
                },
              ],
            },
          },
        },
      ],
    },
  },
  {
    name: "direct.test",
    status: 403,
    virtualHost: { routes: [{ match: { prefix: "/" }, direct_response: { status: 205 } }] },
  },
  { name: "unknown.test", status: 403, virtualHost: undefined },
] as const;

const DYNAMIC =
  "%DYNAMIC_METADATA(envoy.filters.http.rbac)% %DYNAMIC_METADATA(envoy.common:access_log_hint)%";

function bootstrap(places: TwinPlaces, upstreamPort: number): object {
  const cases = RBAC_CASES.map((one, at) => ({
    name: `${at}`,
    domains: [`${at}.test`],
    routes: [{ ...TO_UP, typed_per_filter_config: { [NAME]: ofRoute({ rbac: one.rbac }) } }],
  }));
  const levels = LEVELS.flatMap(({ name, virtualHost }) =>
    virtualHost === undefined ? [] : [{ name, domains: [name], ...virtualHost }],
  );
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    static_resources: {
      listeners: [
        httpListener("main", places.ports["main"] ?? 0, {
          http_filters: [
            filter(NAME, { ...NOBODY, rules_stat_prefix: "own", shadow_rules_stat_prefix: "dry." }),
            filter("sleeping", NOBODY, { disabled: true }),
            {
              name: "envoy.filters.http.router",
              typed_config: { "@type": `${TYPES}.router.v3.Router` },
            },
          ],
          access_log: [caseLog(places.logPath, DYNAMIC)],
          route_config: {
            name: "local",
            validate_clusters: false,
            virtual_hosts: [...cases, ...levels],
          },
        }),
      ],
      clusters: [staticCluster("up", [upstreamPort])],
    },
  };
}

let upstream: ScriptedUpstream;
let twins: Twins;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  twins = await Twins.start(["main"], (places) => bootstrap(places, upstream.port));
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
});

function send(one: RbacCase, { ports }: TwinPlaces): ReturnType<typeof findOutcome> {
  const { method = "GET", path = "/", lines = "" } = one;
  const at = RBAC_CASES.indexOf(one);
  const body = method === "POST" ? "hello" : "";
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${at}.test\r\nX-Case: ${at}\r\n`;
  return findOutcome({
    port: ports["main"] ?? 0,
    upstream,
    parts: [`${head}${length}${lines}\r\n${body}`],
    answers: 1,
    methods: [method],
  });
}

describe("role based access control", () => {
  test.each(RBAC_CASES)("$name", async (one) => {
    const ours = await send(one, twins.weft);
    expect(statusesOf(ours)).toEqual([one.status]);
    const theirs = twins.envoy === undefined ? ours : await send(one, twins.envoy);
    expect(ours).toEqual(theirs);
  });

  test.each(LEVELS)("by levels: $name", async ({ name, status }) => {
    for (const { ports } of twins.all) {
      const outcome = await findOutcome({
        port: ports["main"] ?? 0,
        upstream,
        parts: [`GET / HTTP/1.1\r\nHost: ${name}\r\nX-Case: ${name}\r\n\r\n`],
        answers: 1,
      });
      expect(statusesOf(outcome)).toEqual([status]);
    }
  });
});

describe.skipIf(!HAS_ENVOY)("role based access control in weft and Envoy", () => {
  test("is logged alike", async () => {
    const count = RBAC_CASES.length + LEVELS.length;
    const logs = await Promise.all(twins.all.map((twin) => logLines(twin, count)));
    expect(logs[0]).toEqual(logs[1]);
  });

  test("is counted alike", async () => {
    const [ours, theirs] = await Promise.all(
      twins.all.map((twin) => statsOf(twin, "http.main.rbac.")),
    );
    expect(ours).toEqual(theirs);
    expect(Object.keys(ours ?? {}).length).toBeGreaterThan(4);
  });
});
