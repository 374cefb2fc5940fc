import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { httpListener, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { CORS_CASES, type CorsCase } from "./cors-cases.ts";
import { findOutcome, statusesOf } from "./outcome.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { caseLog, logLines, statsOf, type TwinPlaces, Twins } from "./twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;
const TYPES = "type.googleapis.com/envoy.extensions.filters.http";
const NAME = "envoy.filters.http.cors";

/** The policy where a virtual host or route has its own field for it, or where filters have theirs. */
function settings(policy: object | undefined, isOlder: boolean): object {
  if (policy === undefined) return {};
  if (isOlder) return { cors: policy };
  const typed = { "@type": `${TYPES}.cors.v3.CorsPolicy`, ...policy };
  return { typed_per_filter_config: { [NAME]: typed } };
}

function virtualHost(one: CorsCase, at: number): object {
  const isOlder = one.isOlder ?? false;
  const own = settings(one.policy, isOlder);
  const route = { cluster: "up", ...(isOlder ? own : {}) };
  return {
    name: `${at}`,
    domains: [`${at}.test`],
    ...settings(one.hostPolicy, isOlder),
    routes: [{ match: { prefix: "/" }, ...(one.action ?? { route }), ...(isOlder ? {} : own) }],
  };
}

function bootstrap(places: TwinPlaces, upstreamPort: number): object {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    static_resources: {
      listeners: [
        httpListener("main", places.ports["main"] ?? 0, {
          http_filters: [
            // Aborts where a header asks for it, before the requests of others are looked at.
            {
              name: "envoy.filters.http.fault",
              typed_config: {
                "@type": `${TYPES}.fault.v3.HTTPFault`,
                abort: { header_abort: {}, percentage: { numerator: 100 } },
              },
            },
            { name: NAME, typed_config: { "@type": `${TYPES}.cors.v3.Cors` } },
            {
              name: "envoy.filters.http.router",
              typed_config: { "@type": `${TYPES}.router.v3.Router` },
            },
          ],
          access_log: [caseLog(places.logPath)],
          route_config: {
            name: "local",
            validate_clusters: false,
            virtual_hosts: CORS_CASES.map(virtualHost),
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
  // What reaches the upstream is told by the status: 404 for OPTIONS, 200 for the rest.
  upstream = await ScriptedUpstream.start({
    "/options": { send: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" },
    "/": {
      send:
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: http://up\r\n" +
        "Access-Control-Expose-Headers: x-up\r\n\r\nhi",
    },
  });
  twins = await Twins.start(["main"], (places) => bootstrap(places, upstream.port));
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
});

function send(one: CorsCase, { ports }: TwinPlaces): ReturnType<typeof findOutcome> {
  const { method = "GET", lines } = one;
  const at = CORS_CASES.indexOf(one);
  const body = lines.includes("chunked") ? "0\r\n\r\n" : "";
  return findOutcome({
    port: ports["main"] ?? 0,
    upstream,
    parts: [
      `${method} ${method === "OPTIONS" ? "/options" : "/"} HTTP/1.1\r\nHost: ${at}.test\r\nX-Case: ${at}\r\n${lines}\r\n${body}`,
    ],
    answers: 1,
    methods: [method],
  });
}

describe("CORS", () => {
  test.each(CORS_CASES)("$name", async (one) => {
    const ours = await send(one, twins.weft);
    expect(statusesOf(ours)).toEqual([one.status]);
    const theirs = twins.envoy === undefined ? ours : await send(one, twins.envoy);
    expect(ours).toEqual(theirs);
  });
});

test("an origin is forgotten with its request", async () => {
  const at = CORS_CASES.findIndex(({ name }) => name === "a request of an origin");
  const head = `GET / HTTP/1.1\r\nHost: ${at}.test\r\nX-Case: twice\r\nOrigin: http://a.example\r\n`;
  const outcomes = [];
  for (const { ports } of twins.all) {
    const outcome = await findOutcome({
      port: ports["main"] ?? 0,
      upstream,
      parts: [`${head}\r\n`, `${head}X-Envoy-Fault-Abort-Request: 503\r\n\r\n`],
      answers: 2,
    });
    outcomes.push(outcome);
    expect(statusesOf(outcome)).toEqual([200, 503]);
    expect(outcome.answers[1]?.headers.join()).not.toContain("access-control");
  }
  expect(outcomes[0]).toEqual(outcomes.at(-1));
});

describe.skipIf(!HAS_ENVOY)("CORS in weft and Envoy", () => {
  test("is logged alike", async () => {
    const logs = await Promise.all(twins.all.map((twin) => logLines(twin, CORS_CASES.length + 2)));
    expect(logs[0]).toEqual(logs[1]);
  });

  test("is counted alike", async () => {
    const [ours, theirs] = await Promise.all(
      twins.all.map((twin) => statsOf(twin, "http.main.cors.")),
    );
    expect(ours).toEqual(theirs);
    expect(Object.keys(ours ?? {})).toHaveLength(2);
  });
});
