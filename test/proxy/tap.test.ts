import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { sizeDelimitedPeek } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TraceWrapperSchema } from "../../src/api/gen/envoy/data/tap/v3/wrapper_pb.js";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { until } from "../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { BothPlanes, converse } from "./both-planes.ts";

const header = (name: string, exact: string): object => ({
  headers: [{ name, string_match: { exact } }],
});
const TAPPED = { http_request_headers_match: header("x-tap", "1") };
const OK = { http_response_headers_match: header(":status", "200") };

function tap(match: object, format: string, path_prefix: string, more: object = {}): object {
  const output_config = { sinks: [{ format, file_per_tap: { path_prefix } }], ...more };
  return { common_config: { static_config: { match, output_config } } };
}

/** Each filter of its own, by the beginning of its files' names. */
function taps(folder: string): Readonly<Record<string, object>> {
  const at = (name: string): string => join(folder, name);
  const few = { max_buffered_rx_bytes: 3, max_buffered_tx_bytes: 2 };
  return {
    text: {
      ...tap({ any_match: true }, "JSON_BODY_AS_STRING", at("text")),
      record_downstream_connection: true,
      record_headers_received_time: true,
    },
    bytes: tap(TAPPED, "JSON_BODY_AS_BYTES", at("bytes"), few),
    parts: tap({ any_match: true }, "JSON_BODY_AS_STRING", at("parts"), {
      streaming: true,
      ...few,
    }),
    late: tap(OK, "JSON_BODY_AS_STRING", at("late"), { streaming: true }),
    both: tap({ and_match: { rules: [TAPPED, OK] } }, "JSON_BODY_AS_STRING", at("both")),
    either: tap({ or_match: { rules: [TAPPED, OK] } }, "JSON_BODY_AS_STRING", at("either")),
    not: tap({ not_match: OK }, "JSON_BODY_AS_STRING", at("not")),
    binary: tap(TAPPED, "PROTO_BINARY", at("binary")),
    sized: tap(TAPPED, "PROTO_BINARY_LENGTH_DELIMITED", at("sized"), { streaming: true }),
  };
}

const REQUESTS: readonly string[] = [
  "GET /plain HTTP/1.1\r\nHost: a\r\n",
  "GET /tapped HTTP/1.1\r\nHost: a\r\nX-Tap: 1\r\n",
  "GET /own HTTP/1.1\r\nHost: a\r\nX-Tap: 1\r\n",
  "POST /post HTTP/1.1\r\nHost: a\r\nX-Tap: 1\r\nContent-Length: 7\r\n\r\nabcdefg",
];

interface Tapped {
  readonly folder: string;
}

describe("the tap filter", () => {
  const planes = new BothPlanes<"http">();
  const root = mkdtempSync(join(tmpdir(), "weft-tap-"));
  const tapped: Tapped[] = [];
  let upstream: Server;

  beforeAll(async () => {
    upstream = createServer((incoming, response) => {
      incoming.resume();
      incoming.on("end", () => {
        response.setHeader("x-up", "yes");
        response.end("hello");
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    await planes.start(["http"], (ports) => {
      const folder = join(root, String(ports.http));
      mkdirSync(folder);
      tapped.push({ folder });
      const filters = Object.entries(taps(folder)).map(([name, options]) => ({
        ...filter("http.tap.v3.Tap", options),
        name,
      }));
      const admin = { common_config: { admin_config: { config_id: "mine" } } };
      const routes = [
        {
          match: { prefix: "/own" },
          direct_response: { status: 404, body: { inline_string: "no" } },
        },
        { match: { prefix: "/" }, route: { cluster: "up" } },
      ];
      return {
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [
            httpListener("http", ports.http, {
              stat_prefix: "p",
              route_config: routeTable(routes),
              http_filters: [
                ...filters,
                { ...filter("http.tap.v3.Tap", admin), name: "admin" },
                filter("http.router.v3.Router", { suppress_envoy_headers: true }),
              ],
            }),
          ],
          clusters: [staticCluster("up", [port])],
        },
      };
    });
    await planes.each(async ({ ports }) => {
      for (const text of REQUESTS) {
        const send = text.includes("\r\n\r\n") ? text : `${text}\r\n`;
        const head = send.replace("\r\n", "\r\nConnection: close\r\n");
        await converse({ to: { port: ports.http }, send: head });
      }
    });
    for (const { folder } of tapped) {
      const isWritten = (): boolean =>
        names(folder, "text").length === REQUESTS.length &&
        readdirSync(folder).every((file) => readFileSync(join(folder, file)).length > 0);
      await until(isWritten, "all traces to be written");
    }
  });

  afterAll(async () => {
    await planes.stop();
    rmSync(root, { recursive: true });
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
  });

  const names = (folder: string, prefix: string): string[] =>
    readdirSync(folder).filter((file) => file.startsWith(`${prefix}_`));

  /** All traces of a filter, without what differs from run to run, in the order of their paths. */
  function traces(folder: string, prefix: string): string[] {
    return names(folder, prefix)
      .map((name) => {
        const bytes = readFileSync(join(folder, name));
        return `${name.replace(/_\d+/, "")} ${mask(readTrace(name, bytes))}`;
      })
      .sort();
  }

  function readTrace(name: string, bytes: Buffer): string {
    if (name.endsWith(".json")) return bytes.toString();
    const json = (part: Uint8Array): string =>
      JSON.stringify(
        toJson(TraceWrapperSchema, fromBinary(TraceWrapperSchema, part)),
        undefined,
        1,
      );
    if (name.endsWith(".pb")) return json(bytes);
    let all = "";
    for (let rest: Uint8Array = bytes; rest.length > 0; ) {
      const { offset, size, eof } = sizeDelimitedPeek(rest);
      if (eof || offset === null || size === null) throw new Error("a trace is cut off");
      all += json(rest.subarray(offset, offset + size));
      rest = rest.subarray(offset + size);
    }
    return all;
  }

  function mask(text: string): string {
    return (
      text
        .replaceAll(/"(trace_id|traceId|headers_received_time)": "[^"]*"/g, '"$1": "#"')
        .replaceAll(/"port_value": \d+/g, '"port_value": 0')
        // A field that Envoy has since our protobuf tree was made.
        .replaceAll(/,\s*"network_namespace_filepath": ""/g, "")
        .replaceAll(
          /"key": "(x-request-id|date)",\s*"value": "[^"]*"/g,
          '"key": "$1", "value": "#"',
        )
        // Of the connection's own header Envoy keeps a response's for the filters to see.
        .replaceAll(
          /\{\s*"key": "connection",\s*"value": "[^"]*"(?:,\s*"raw_value": "")?\s*\},?/g,
          "",
        )
        .replaceAll(/\s+/g, " ")
        .replaceAll("}, ]", "} ]")
    );
  }

  test.each(Object.keys(taps("")))("writes what Envoy writes: %s", (prefix) => {
    const [ours = [], theirs = ours] = tapped.map(({ folder }) => traces(folder, prefix));
    expect(ours.length).toBeGreaterThan(0);
    expect(ours).toEqual(theirs);
  });

  test("counts what is tapped", async () => {
    const { weft, envoy } = await planes.each(({ stats }) => stats("p.tap"));
    expect(weft).toEqual(envoy);
  });

  /** Posts a configuration and gathers what comes of it until `enough` of it is there, or its end. */
  async function listen(
    port: number,
    sink: object,
    act: () => Promise<unknown>,
    enough: string | undefined,
  ): Promise<string> {
    let got = "";
    let isOver = false;
    const asked = request({ port, host: "127.0.0.1", method: "POST", path: "/tap" }, (response) => {
      response.on("data", (bytes: Buffer) => {
        got += bytes.toString();
      });
      response.on("close", () => {
        isOver = true;
      });
    });
    asked.on("error", () => undefined);
    const output_config = { sinks: [{ format: "JSON_BODY_AS_STRING", ...sink }] };
    asked.end(JSON.stringify({ config_id: "mine", tap_config: { match: TAPPED, output_config } }));
    const isAttached = async (): Promise<boolean> =>
      (await post(port, "{}")).text.includes("Detach");
    await until(isAttached, "the tap to be attached");
    await act();
    await until(
      () => isOver || (enough !== undefined && got.includes(enough)),
      "what is tapped to come",
    );
    asked.destroy();
    await until(async () => !(await isAttached()), "the tap to be detached");
    return mask(got);
  }

  async function post(port: number, body: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${port}/tap`, { method: "POST", body });
    return { status: answer.status, text: await answer.text() };
  }

  test("sends to the admin port what whoever listens there asks for", async () => {
    const { weft, envoy } = await planes.each(({ ports }) => {
      const act = async (): Promise<void> => {
        for (const text of REQUESTS.slice(0, 3)) {
          const send = `${text}Connection: close\r\n\r\n`;
          await converse({ to: { port: ports.http }, send });
        }
      };
      return listen(ports.admin, { streaming_admin: {} }, act, '"no"');
    });
    expect(weft).toContain("/tapped");
    expect(weft).not.toContain('"/plain"');
    expect(weft).toBe(envoy);
  });

  test.each([
    ["so many", { max_traces: 1 }],
    ["so long", { max_traces: 9, timeout: "0.5s" }],
  ])("sends them together after %s, and ends", async (_, buffered_admin) => {
    const { weft, envoy } = await planes.each(({ ports }) => {
      const send = `${REQUESTS[1]}Connection: close\r\n\r\n`;
      const act = (): Promise<unknown> => converse({ to: { port: ports.http }, send });
      return listen(ports.admin, { buffered_admin }, act, undefined);
    });
    expect(weft).toContain("/tapped");
    expect(weft).toBe(envoy);
  });

  test("says what is wrong with what is posted", async () => {
    const answers = await planes.each(async ({ ports }) => ({
      none: await post(ports.admin, ""),
      other: await post(
        ports.admin,
        '{"config_id": "x", "tap_config": {"match": {"any_match": true}, "output_config": {"sinks": [{"streaming_admin": {}}]}}}',
      ),
      wrong: (await post(ports.admin, "{config_id: [")).status,
    }));
    expect(answers.weft).toEqual(answers.envoy);
  });
});

describe("what is refused of a tap", () => {
  const any = { any_match: true };
  const file = { file_per_tap: { path_prefix: "/x" } };

  test.each([
    [
      { match: any, output_config: { sinks: [{ streaming_admin: {} }] } },
      "admin port can go there",
    ],
    [
      { match: any, output_config: { sinks: [{ ...file, format: "PROTO_TEXT" }] } },
      "PROTO_TEXT is not supported yet",
    ],
    [
      { match: any, output_config: { sinks: [{ streaming_grpc: { grpc_service: {} } }] } },
      "streaming_grpc: is not supported yet",
    ],
    [
      {
        match: { http_request_trailers_match: { headers: [] } },
        output_config: { sinks: [file] },
      },
      "http_request_trailers_match: is not supported yet",
    ],
    [{ match: any, output_config: { sinks: [file, file] } }, "sinks"],
    [{ output_config: { sinks: [file] } }, "match: is missing"],
  ])("%j", (static_config, problem) => {
    const http_filters = [
      filter("http.tap.v3.Tap", { common_config: { static_config } }),
      filter("http.router.v3.Router", {}),
    ];
    const listeners = [httpListener("l", 1, { route_config: routeTable([]), http_filters })];
    const parsed = parseBootstrap(JSON.stringify({ static_resources: { listeners } }));
    const issues = parsed.ok ? [] : parsed.issues.map(({ path, message }) => `${path}: ${message}`);
    expect(issues.join("\n")).toContain(problem);
  });
});
