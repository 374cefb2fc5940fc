import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileFormat } from "../../src/match/substitution.ts";
import { until } from "../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
} from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { CEL_EXPRESSIONS, CEL_STRING_EXPRESSIONS } from "./cel-expressions.ts";
import { exchangeRaw } from "./raw-exchange.ts";

const TYPE = "type.googleapis.com/envoy.extensions";

const REQUESTS: readonly string[] = [
  "GET /a/b?x=1&y=%41b HTTP/1.1\r\nHost: a.test\r\nUser-Agent: ua\r\nX-H: v1\r\nX-U: \u00c3\u00a9\r\n",
  "POST /own HTTP/1.1\r\nHost: a.test\r\nReferer: r\r\nContent-Length: 0\r\n",
  "GET /nowhere HTTP/1.1\r\nHost: b.test\r\n",
];

const STRINGS = [
  {
    name: "cel",
    typed_config: {
      "@type": `${TYPE}.formatter.cel.v3.Cel`,
      cel_config: {
        enable_string_conversion: true,
        enable_string_concat: true,
        enable_string_functions: true,
      },
    },
  },
];

function fileLog(path: string, log_format: object): object {
  const typed = { "@type": `${TYPE}.access_loggers.file.v3.FileAccessLog`, path, log_format };
  return { name: "file", typed_config: typed };
}

const lines = (expressions: readonly string[]): object => ({
  text_format_source: { inline_string: expressions.map((one) => `%CEL(${one})%\n`).join("") },
});
const typed = (expressions: readonly string[]): object => ({
  json_format: Object.fromEntries(expressions.map((one) => [one, `%TYPED_CEL(${one})%`])),
});

/** What differs from run to run. */
function mask(value: unknown): unknown {
  return typeof value === "string" ? value.replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:#") : value;
}

describe("expressions over attributes", () => {
  const planes = new BothPlanes<"http" | "tcp">();
  const folder = mkdtempSync(join(tmpdir(), "weft-cel-"));
  const prefixes: string[] = [];
  let upstream: Server;

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      request.resume();
      response.setHeader("x-up", "yes");
      request.on("end", () => response.end("hello"));
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    await planes.start(["http", "tcp"], (ports) => {
      const prefix = join(folder, String(ports.http));
      prefixes.push(prefix);
      const logs = [
        fileLog(`${prefix}-text`, lines(CEL_EXPRESSIONS)),
        fileLog(`${prefix}-json`, typed(CEL_EXPRESSIONS)),
        fileLog(`${prefix}-strings`, { ...lines(CEL_STRING_EXPRESSIONS), formatters: STRINGS }),
      ];
      const routes = [
        {
          name: "rt",
          match: { prefix: "/a" },
          route: { cluster: "up" },
          metadata: { filter_metadata: { ns: { a: 1.5, l: ["é"] } } },
        },
        { match: { prefix: "/own" }, direct_response: { status: 503 } },
      ];
      const manager = {
        route_config: routeTable(routes),
        access_log: logs,
        // How many digits a time has would make heads of different sizes.
        http_filters: [filter("http.router.v3.Router", { suppress_envoy_headers: true })],
      };
      const metadata = { filter_metadata: { lm: { b: "é€" } } };
      const place = { locality: { region: "r", zone: "z1" }, metadata: { filter_metadata: {} } };
      const up = staticCluster("up", [port], {
        metadata: { filter_metadata: { cm: { c: "y", o: { p: true } } } },
      }) as { load_assignment: { endpoints: object[] } };
      up.load_assignment.endpoints[0] = { ...up.load_assignment.endpoints[0], ...place };
      return {
        node: { id: "n1", cluster: "c1", locality: { zone: "z1" } },
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [
            { ...httpListener("http", ports.http, manager), metadata },
            tcpListener("tcp", ports.tcp, {
              cluster: "up",
              access_log: [fileLog(`${prefix}-tcp`, lines(CEL_EXPRESSIONS))],
            }),
          ],
          clusters: [up],
        },
      };
    });
    await planes.each(async ({ ports }) => {
      for (const text of REQUESTS) {
        const parts = [`${text}Connection: close\r\n\r\n`];
        await exchangeRaw({ port: ports.http, parts, answers: 1 });
      }
      const parts = ["GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"];
      await exchangeRaw({ port: ports.tcp, parts, answers: 1 });
    });
    for (const prefix of prefixes) {
      await until(() => read(`${prefix}-json`).length === REQUESTS.length, "the requests' log");
      await until(() => read(`${prefix}-tcp`).length === CEL_EXPRESSIONS.length, "the other log");
    }
  });

  afterAll(async () => {
    await planes.stop();
    rmSync(folder, { recursive: true });
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
  });

  const read = (path: string): string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);

  test.each([
    ["text", CEL_EXPRESSIONS, REQUESTS.length],
    ["tcp", CEL_EXPRESSIONS, 1],
    ["strings", CEL_STRING_EXPRESSIONS, REQUESTS.length],
  ])("come to what they come to in Envoy: %s", (name, expressions, count) => {
    const [ours, theirs = ours] = prefixes.map((prefix) =>
      read(`${prefix}-${name}`).map((line, at) => [
        expressions[at % expressions.length],
        mask(line),
      ]),
    );
    expect(ours?.length).toBe(expressions.length * count);
    expect(ours).toEqual(theirs);
  });

  test("have Envoy's types in JSON", () => {
    const [ours, theirs = ours] = prefixes.map((prefix) =>
      read(`${prefix}-json`).map((line) =>
        Object.entries(JSON.parse(line) as object).map(([name, value]) => [name, mask(value)]),
      ),
    );
    expect(ours).toEqual(theirs);
  });
});

describe("what is refused of expressions", () => {
  test.each([
    ["[1].all(x, x > 0)", "Comprehension is not allowed"],
    ["string(1)", "string() needs enable_string_conversion"],
    ["'a'.lowerAscii()", "there is no function lowerAscii()"],
    ["request.", "Not able to parse expression"],
    ["'a'.matches(request.path)", "the pattern of matches() must be a literal"],
    ["'a'.matches('(')", "missing closing )"],
    ["xds.node", "xds.node as a whole is not supported yet"],
    ["metadata.filter_metadata == {}", "metadata.filter_metadata as a whole"],
    ["xds.node.user_agent_name", "xds.node.user_agent_name is not supported yet"],
    ["1+".repeat(2048).concat("1"), "has more than 4096 characters"],
  ])("%.40s", (expression, problem) => {
    const compiled = compileFormat(`%CEL(${expression})%`, "-");
    expect(compiled.ok ? "" : compiled.issues[0]?.message).toContain(problem);
  });
});
