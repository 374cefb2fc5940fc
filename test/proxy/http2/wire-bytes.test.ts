import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { BothPlanes } from "../both-planes.ts";
import { http2Options } from "../http2-cluster.ts";
import { type H2Request, sendH2 } from "./h2-client.ts";
import { type H2Script, H2Upstream } from "./h2-upstream.ts";

const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const SIDES = ["DOWNSTREAM", "UPSTREAM"] as const;
const RECEIVED = ["WIRE_BYTES_RECEIVED", "HEADER_BYTES_RECEIVED"] as const;
const SENT = ["WIRE_BYTES_SENT", "HEADER_BYTES_SENT"] as const;
const OPERATORS = SIDES.flatMap((side) => [...RECEIVED, ...SENT].map((kind) => `${side}_${kind}`));
/** So large that nobody renews one in the middle, which is a frame too. */
const WINDOW = 1_000_000;

/** Node would say the date of the moment, which its table makes shorter within a second. */
const HEAD = { ":status": 200, date: "Sun, 01 Jan 2023 00:00:00 GMT" };
const SCRIPTS: Readonly<Record<string, H2Script>> = {
  "/empty": { headers: HEAD },
  "/parts": { headers: HEAD, body: ["one", "two", "three"] },
  "/large": { headers: HEAD, body: [Buffer.alloc(300_000, "x")] },
  "/trailers": { headers: HEAD, body: ["hi"], trailers: { "x-t": "1", "x-u": "2" } },
  "/sent": { headers: HEAD, body: ["hi"] },
};

/** What is asked, and the bytes of data that must go down to the client and up. */
const REQUESTS: Readonly<
  Record<string, Omit<H2Request, "headers"> & { readonly down: number; readonly up: number }>
> = {
  "/empty": { down: 0, up: 0 },
  "/parts": { down: 11, up: 0 },
  "/large": { down: 300_000, up: 0 },
  "/trailers": { down: 2, up: 0 },
  "/sent": {
    body: [Buffer.alloc(40_000, "x")],
    trailers: { "x-t": "1" },
    down: 2,
    up: 40_000,
  },
  "/direct": { down: 6, up: 0 },
};

const folder = mkdtempSync(join(tmpdir(), "weft-h2-bytes-"));
const planes = new BothPlanes<"in">();
const logs: string[] = [];
let upstream: H2Upstream;

beforeAll(async () => {
  upstream = await H2Upstream.start(SCRIPTS, { initialWindowSize: WINDOW });
  const fields = Object.fromEntries(OPERATORS.map((name) => [name, `%${name}%`]));
  const format = { json_format: { path: "%REQ(:PATH)%", ...fields } };
  await planes.start(["in"], (ports) => {
    const log = join(folder, `log-${logs.length}`);
    logs.push(log);
    const config = { "@type": FILE_LOG, path: log, log_format: format };
    return {
      admin: { address: socketAddress(ports.admin) },
      static_resources: {
        listeners: [
          httpListener("in", ports.in, {
            codec_type: "HTTP2",
            access_log: [{ name: "file", typed_config: config }],
            route_config: routeTable([
              {
                match: { prefix: "/direct" },
                direct_response: { status: 418, body: { inline_string: "teapot" } },
              },
              { match: { prefix: "/" }, route: { cluster: "up" } },
            ]),
          }),
        ],
        clusters: [staticCluster("up", [upstream.port], http2Options())],
      },
    };
  });
});

afterAll(async () => {
  await planes.stop();
  await upstream?.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Entry = Readonly<Record<string, number>>;

/** What a plane logs of one request after the other on one connection. */
async function logOf(at: number, port: number): Promise<readonly Entry[]> {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: WINDOW } });
  session.on("error", () => undefined);
  for (const [path, request] of Object.entries(REQUESTS)) {
    const method = request.body === undefined ? "GET" : "POST";
    const headers = { ":authority": "a", ":path": path, ":method": method };
    await sendH2(session, { ...request, headers });
  }
  session.destroy();
  return until(() => {
    const lines = readFileSync(logs[at] ?? "", "utf8")
      .split("\n")
      .slice(0, -1);
    return lines.length >= Object.keys(REQUESTS).length && lines.map((line) => JSON.parse(line));
  }, "the log to have them");
}

/**
 * What was sent besides data: each plane packs heads in its own way, and cuts data into frames as it
 * comes; a frame has nine bytes more.
 */
function sentOf(entry: Entry, side: (typeof SIDES)[number], dataBytes: number): object {
  const heads = entry[`${side}_HEADER_BYTES_SENT`] ?? 0;
  const frames = (entry[`${side}_WIRE_BYTES_SENT`] ?? 0) - heads - dataBytes;
  return { hasHead: heads > 9, areFrames: frames >= 0 && frames % 9 === 0 && frames < 9 * 60 };
}

describe("bytes of HTTP/2 in logs", () => {
  test("are Envoy's, but for what a table makes of heads and frames that are sent", async () => {
    let at = 0;
    const { weft, envoy } = await planes.each(async ({ ports }) => logOf(at++, ports.in));
    const comparable = (entries: readonly Entry[]): object[] =>
      entries.map((entry) => {
        const { down = 0, up = 0 } = REQUESTS[String(entry["path"])] ?? {};
        return {
          path: entry["path"],
          received: SIDES.flatMap((side) => RECEIVED.map((kind) => entry[`${side}_${kind}`])),
          sentDown: sentOf(entry, "DOWNSTREAM", down),
          sentUp: sentOf(entry, "UPSTREAM", up),
        };
      });
    expect(comparable(weft)).toEqual(comparable(envoy));
  });
});
