import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "../bootstrap-json.ts";
import { BothPlanes } from "../both-planes.ts";
import { LOG_OPERATORS, maskLine } from "../log-operators.ts";

/** With what is sent; what differs on purpose is its own use of HPACK (docs/access-logs.md). */
const REQUESTS: readonly (readonly [headers: Record<string, string>, body: string])[] = [
  [
    { ":path": "/a/b?x=1&y=%41b", ":authority": "a.test:80", "user-agent": 'c"url', "x-h": "v1" },
    "",
  ],
  [{ ":path": "/a/post", ":method": "POST", ":authority": "a.test" }, "abcdefg"],
  [{ ":path": "/none", ":authority": "a.test", "content-type": "application/grpc" }, ""],
  [{ ":path": "/nowhere", ":authority": "a.test" }, ""],
];

/** Bytes on the wire, and of heads before HPACK. */
const WIRE = /DOWNSTREAM_(?:WIRE|HEADER|DECOMPRESSED_HEADER)_/;

function mask(operator: string, line: string): string {
  return WIRE.test(operator) ? "#" : maskLine(operator, line);
}

async function send(port: number): Promise<void> {
  const session = connect(`http://127.0.0.1:${port}`);
  for (const [headers, body] of REQUESTS) {
    const stream = session.request(headers, { endStream: body === "" });
    stream.resume();
    if (body !== "") stream.end(body);
    await new Promise((resolve) => stream.once("close", resolve));
  }
  await new Promise<void>((resolve) => session.close(resolve));
}

describe("access logs of HTTP/2", () => {
  const planes = new BothPlanes<"http">();
  const folder = mkdtempSync(join(tmpdir(), "weft-log-h2-"));
  const files: string[] = [];
  let upstream: Server;

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      request.resume();
      response.setHeader("x-up", "yes");
      request.on("end", () => response.end("hello"));
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    await planes.start(["http"], (ports) => {
      const file = join(folder, String(ports.http));
      files.push(file);
      const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
      const inline_string = LOG_OPERATORS.map((one) => `${one}\n`).join("");
      const log_format = { text_format_source: { inline_string } };
      const log = { name: "file", typed_config: { "@type": type, path: file, log_format } };
      const routes = [
        { match: { prefix: "/none" }, direct_response: { status: 503 } },
        { name: "rt", match: { prefix: "/a" }, route: { cluster: "up", prefix_rewrite: "/new" } },
      ];
      return {
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [
            httpListener("http", ports.http, {
              route_config: routeTable(routes),
              access_log: [log],
              http_filters: [filter("http.router.v3.Router", { suppress_envoy_headers: true })],
            }),
          ],
          clusters: [staticCluster("up", [port])],
        },
      };
    });
    await planes.each(({ ports }) => send(ports.http));
    for (const file of files) {
      const count = REQUESTS.length * LOG_OPERATORS.length;
      await until(() => read(file).length >= count, "the entries");
    }
  });

  afterAll(async () => {
    await planes.stop();
    rmSync(folder, { recursive: true });
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
  });

  const read = (file: string): string[] => readFileSync(file, "utf8").split("\n").slice(0, -1);

  test("say with every operator what Envoy's say", () => {
    const [ours, theirs = ours] = files.map((file) =>
      read(file).map((line, at) => {
        const operator = LOG_OPERATORS[at % LOG_OPERATORS.length] ?? "";
        return `${Math.floor(at / LOG_OPERATORS.length)} ${operator} ${mask(operator, line)}`;
      }),
    );
    expect(ours?.length).toBe(REQUESTS.length * LOG_OPERATORS.length);
    expect(ours).toEqual(theirs);
  });
});
