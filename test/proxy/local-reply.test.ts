import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { findOutcome, statusesOf } from "./outcome.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { caseLog, logLines, type TwinPlaces, Twins } from "./twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;

function statusIs(value: number): object {
  const comparison = { op: "EQ", value: { default_value: value, runtime_key: "none" } };
  return { status_code_filter: { comparison } };
}

const FLAG_NR = { response_flag_filter: { flags: ["NR"] } };
const ANY = {
  status_code_filter: {
    comparison: { op: "GE", value: { default_value: 0, runtime_key: "none" } },
  },
};
const HEADER = { header_filter: { header: { name: "x-who", string_match: { exact: "me" } } } };

/** One listener for each way to shape answers. */
const CONFIGS = {
  empty: {},
  text: {
    body_format: {
      text_format_source: {
        inline_string:
          "%LOCAL_REPLY_BODY%|%RESPONSE_CODE%|%REQ(:path)%|%RESPONSE_FLAGS%|%REQ(x-none)%",
      },
    },
  },
  html: {
    body_format: {
      text_format_source: { inline_string: "<b>%RESPONSE_CODE%</b>" },
      content_type: "text/html; charset=UTF-8",
    },
  },
  json: {
    body_format: {
      json_format: {
        status: "%RESPONSE_CODE%",
        message: "%LOCAL_REPLY_BODY%",
        path: "%REQ(:path)%",
        none: "%REQ(x-none)%",
      },
    },
  },
  mappers: {
    mappers: [
      {
        filter: { and_filter: { filters: [statusIs(404), HEADER] } },
        status_code: 401,
        body: { inline_string: "who are you" },
        body_format_override: { json_format: { why: "%LOCAL_REPLY_BODY%" } },
      },
      { filter: FLAG_NR, status_code: 410, body: { inline_bytes: "Z29uZQ==" } },
      {
        filter: { or_filter: { filters: [statusIs(418), statusIs(503)] } },
        headers_to_add: [
          { header: { key: "x-code", value: "%RESPONSE_CODE%" } },
          {
            header: { key: "x-path", value: "%REQ(:path)%" },
            append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
          },
        ],
      },
      { filter: statusIs(502), body: { inline_string: "" } },
      { filter: statusIs(301), status_code: 302 },
      // Never reached for what the ones before took.
      { filter: ANY, headers_to_add: [{ header: { key: "x-last", value: "yes" } }] },
    ],
    body_format: { text_format_source: { inline_string: "[%LOCAL_REPLY_BODY%]\n" } },
  },
} as const;

type ConfigName = keyof typeof CONFIGS;

const ROUTES = [
  {
    match: { prefix: "/teapot" },
    direct_response: { status: 418, body: { inline_string: "teapot" } },
  },
  { match: { prefix: "/bare" }, direct_response: { status: 502 } },
  { match: { prefix: "/wide" }, direct_response: { status: 502, body: { inline_string: "é中" } } },
  { match: { prefix: "/moved" }, redirect: { path_redirect: "/x" } },
  { match: { prefix: "/nowhere" }, route: { cluster: "nowhere" } },
  { match: { prefix: "/up" }, route: { cluster: "up" } },
];

/** Path, header lines, method and the status of each configuration. */
const REQUESTS: readonly {
  readonly path: string;
  readonly lines?: string;
  readonly method?: string;
  readonly status: Readonly<Record<ConfigName, number>>;
}[] = [
  { path: "/teapot?a=b", status: all(418) },
  { path: "/teapot", method: "HEAD", status: all(418) },
  { path: "/bare", status: all(502) },
  { path: "/wide", status: all(502) },
  { path: "/moved", status: { ...all(301), mappers: 302 } },
  { path: "/nowhere", status: all(503) },
  { path: "/none", status: { ...all(404), mappers: 410 } },
  { path: "/none", lines: "X-Who: me\r\n", status: { ...all(404), mappers: 401 } },
  { path: "/up", status: all(200) },
  { path: "/teapot", lines: "Content-Type: application/grpc\r\n", status: all(200) },
  { path: "/none", lines: "Content-Type: application/grpc\r\n", status: all(200) },
  { path: "/bad", lines: "Bad Header: x\r\n", status: all(400) },
];

/**
 * Envoy notes the flag DPE of what it cannot read after it has answered, so that the answer cannot
 * say it; weft's can.
 */
function saysMore({ path, config }: { path: string; config: ConfigName }): boolean {
  return path === "/bad" && config === "text";
}

function all(status: number): Record<ConfigName, number> {
  return { empty: status, text: status, html: status, json: status, mappers: status };
}

const CASES = REQUESTS.flatMap((request, at) =>
  (Object.keys(CONFIGS) as ConfigName[]).map((config) => ({
    ...request,
    config,
    status: request.status[config],
    id: `${config}-${at}`,
    name: `${config}: ${request.method ?? "GET"} ${request.path} ${request.lines?.trim() ?? ""}`,
  })),
).filter((one) => !saysMore(one));

function listener(name: ConfigName, { ports, logPath }: TwinPlaces): object {
  return httpListener(name, ports[name] ?? 0, {
    route_config: routeTable(ROUTES),
    access_log: [caseLog(logPath)],
    local_reply_config: CONFIGS[name],
  });
}

function bootstrap(places: TwinPlaces, upstreamPort: number): object {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    static_resources: {
      listeners: (Object.keys(CONFIGS) as ConfigName[]).map((name) => listener(name, places)),
      clusters: [staticCluster("up", [upstreamPort])],
    },
  };
}

let upstream: ScriptedUpstream;
let twins: Twins;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  twins = await Twins.start(Object.keys(CONFIGS), (places) => bootstrap(places, upstream.port));
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
});

function send(one: (typeof CASES)[number], { ports }: TwinPlaces): ReturnType<typeof findOutcome> {
  const { method = "GET", path, lines = "" } = one;
  return findOutcome({
    port: ports[one.config] ?? 0,
    upstream,
    parts: [`${method} ${path} HTTP/1.1\r\nHost: a.test\r\nX-Case: ${one.id}\r\n${lines}\r\n`],
    answers: 1,
    methods: [method],
  });
}

describe("local replies", () => {
  test.each(CASES)("$name", async (one) => {
    const ours = await send(one, twins.weft);
    expect(statusesOf(ours)).toEqual([one.status]);
    const theirs = twins.envoy === undefined ? ours : await send(one, twins.envoy);
    expect(ours).toEqual(theirs);
  });

  test.each([
    ["a mapper without a filter", { mappers: [{ status_code: 200 }] }, "filter"],
    ["a status that is none", { mappers: [{ filter: ANY, status_code: 99 }] }, "status_code"],
    [
      "an operator that is none",
      { body_format: { text_format_source: { inline_string: "%NO_SUCH%" } } },
      "NO_SUCH",
    ],
  ])("are refused with %s", async (_what, config, reason) => {
    const [port = 0, adminPort = 0] = await freePorts(2);
    const refused = {
      admin: { address: socketAddress(adminPort) },
      static_resources: {
        listeners: [
          httpListener("in", port, {
            route_config: routeTable(ROUTES),
            local_reply_config: config,
          }),
        ],
      },
    };
    await expect(startWeft(refused)).rejects.toThrow(reason);
  });
});

test.skipIf(!HAS_ENVOY)("local replies are logged alike in weft and Envoy", async () => {
  const logs = await Promise.all(twins.all.map((twin) => logLines(twin, CASES.length)));
  expect(logs[0]).toEqual(logs[1]);
});
