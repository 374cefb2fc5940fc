import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";
import { LOG_OPERATORS, maskLine } from "./log-operators.ts";
import { exchangeRaw } from "./raw-exchange.ts";

const TYPE = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

function fileLog(path: string, inline_string: string, log_filter?: object): object {
  const typed = { "@type": TYPE, path, log_format: { text_format_source: { inline_string } } };
  return { name: "file", ...(log_filter && { filter: log_filter }), typed_config: typed };
}

/** Each with how many attempts it takes. */
const REQUESTS: readonly (readonly [head: string, attempts: number])[] = [
  ["GET /ok?x=1 HTTP/1.1\r\nHost: a.test\r\nX-H: v1\r\n\r\n", 1],
  ["POST /ok HTTP/1.1\r\nHost: a.test\r\nContent-Length: 7\r\n\r\nabcdefg", 1],
  ["GET /retry/503 HTTP/1.1\r\nHost: a.test\r\n\r\n", 2],
  ["POST /retry/503 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc", 2],
  ["GET /none HTTP/1.1\r\nHost: a.test\r\n\r\n", 0],
  ["GET /bad HTTP/1.1\r\nHost: a.test\r\n\r\n", 2],
  ["GET /slow/try HTTP/1.1\r\nHost: a.test\r\n\r\n", 2],
  ["GET /slow/all HTTP/1.1\r\nHost: a.test\r\n\r\n", 1],
  ["GET /cut/head HTTP/1.1\r\nHost: a.test\r\n\r\n", 1],
  ["GET /cut/body HTTP/1.1\r\nHost: a.test\r\n\r\n", 1],
];
const ATTEMPTS = REQUESTS.reduce((sum, [, attempts]) => sum + attempts, 0);

/**
 * What is told apart, by the operator. Of a response's head Envoy has the headers that concern the
 * connection alone too; of an attempt without a connection it forgets the request's host; the read
 * that makes it give an attempt up it counts before, and the heads of such attempts twice.
 */
function isOtherwise(operator: string, attempt: number): boolean {
  if (/RESPONSE_HEADERS_BYTES|RESP\(connection/.test(operator)) return true;
  if (/REQUESTED_SERVER_NAME\((?:SNI|HOST)/.test(operator)) return [6, 7].includes(attempt);
  if (operator === "%UPSTREAM_WIRE_BYTES_RECEIVED%") return [2, 4].includes(attempt);
  return operator.startsWith("%UPSTREAM_DECOMPRESSED") && [3, 5].includes(attempt);
}

describe("logs of attempts", () => {
  const planes = new BothPlanes<"http" | "moments">();
  const folder = mkdtempSync(join(tmpdir(), "weft-attempts-"));
  const prefixes: string[] = [];
  let upstream: Server;

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      const { url = "" } = request;
      request.resume();
      response.setHeader("x-up", "yes");
      if (url.startsWith("/slow")) return;
      request.on("end", () => {
        if (url === "/cut/head") return void request.socket.destroy();
        if (url === "/cut/body") {
          response.setHeader("content-length", "10");
          response.write("hello");
          setTimeout(() => request.socket.destroy(), 50);
          return;
        }
        if (url === "/retry/503") response.statusCode = 503;
        if (url === "/late") setTimeout(() => response.end("hello"), 400);
        else response.end("hello");
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    const [refused = 0] = await freePorts(1);
    const retry = { retry_on: "5xx,connect-failure", num_retries: 1 };
    const routes = [
      { match: { prefix: "/none" }, direct_response: { status: 418 } },
      { match: { prefix: "/bad" }, route: { cluster: "bad", retry_policy: retry } },
      {
        match: { prefix: "/slow/try" },
        route: { cluster: "up", retry_policy: { ...retry, per_try_timeout: "0.1s" } },
      },
      { match: { prefix: "/slow/all" }, route: { cluster: "up", timeout: "0.1s" } },
      { name: "rt", match: { prefix: "/retry" }, route: { cluster: "up", retry_policy: retry } },
      { name: "rt", match: { prefix: "/" }, route: { cluster: "up" } },
    ];
    await planes.start(["http", "moments"], (ports) => {
      const prefix = join(folder, String(ports.http));
      prefixes.push(prefix);
      const router = filter("http.router.v3.Router", {
        suppress_envoy_headers: true,
        upstream_log: [
          fileLog(`${prefix}-all`, LOG_OPERATORS.map((one) => `${one}\n`).join("")),
          fileLog(`${prefix}-flags`, "%RESPONSE_FLAGS%\n", {
            response_flag_filter: { flags: ["UF", "UT", "UC"] },
          }),
        ],
      });
      const moments = filter("http.router.v3.Router", {
        suppress_envoy_headers: true,
        upstream_log: [
          fileLog(
            `${prefix}-moments`,
            "%ACCESS_LOG_TYPE% %PATH% %RESPONSE_CODE% %BYTES_RECEIVED%\n",
          ),
        ],
        upstream_log_options: {
          flush_upstream_log_on_upstream_stream: true,
          upstream_log_flush_interval: "0.1s",
        },
      });
      const table = { route_config: routeTable(routes) };
      return {
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [
            httpListener("http", ports.http, { ...table, http_filters: [router] }),
            httpListener("moments", ports.moments, { ...table, http_filters: [moments] }),
          ],
          clusters: [staticCluster("up", [port]), staticCluster("bad", [refused])],
        },
      };
    });
    await planes.each(async ({ ports }) => {
      for (const [text] of REQUESTS) {
        const parts = [text.replace("\r\n", "\r\nConnection: close\r\n")];
        await exchangeRaw({ port: ports.http, parts, answers: 2 });
      }
      for (const path of ["/late", "/bad", "/ok"]) {
        const parts = [`GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`];
        await exchangeRaw({ port: ports.moments, parts, answers: 2 });
      }
    });
    for (const prefix of prefixes) {
      const lines = ATTEMPTS * LOG_OPERATORS.length;
      await until(() => read(`${prefix}-all`).length >= lines, "the entries");
      const isDone = (): boolean => read(`${prefix}-moments`).includes("UpstreamEnd /ok 200 5");
      await until(isDone, "the last entry");
    }
  });

  afterAll(async () => {
    await planes.stop();
    rmSync(folder, { recursive: true });
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
  });

  const read = (path: string): string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);

  test("have an entry for each attempt, in which every operator says what Envoy says", () => {
    const [ours, theirs = ours] = prefixes.map((prefix) =>
      read(`${prefix}-all`).map((line, at) => {
        const operator = LOG_OPERATORS[at % LOG_OPERATORS.length] ?? "";
        const attempt = Math.floor(at / LOG_OPERATORS.length);
        if (isOtherwise(operator, attempt)) return "otherwise";
        return `${attempt} ${operator} ${maskLine(operator, line)}`;
      }),
    );
    expect(ours?.length).toBe(ATTEMPTS * LOG_OPERATORS.length);
    expect(ours).toEqual(theirs);
  });

  test("are filtered by what is known of the attempt", () => {
    const [ours, theirs = ours] = prefixes.map((prefix) => read(`${prefix}-flags`));
    expect(ours?.length).toBeGreaterThan(3);
    expect(ours).toEqual(theirs);
  });

  test("have entries when an attempt has its connection, and at intervals", () => {
    const [ours, theirs = ours] = prefixes.map((prefix) => [...new Set(read(`${prefix}-moments`))]);
    expect(ours).toContain("UpstreamPoolReady /late 0 0");
    expect(ours).toContain("UpstreamPeriodic /late 0 0");
    expect(ours).toEqual(theirs);
  });
});
