import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { BothPlanes, type Plane } from "../both-planes.ts";
import { freePorts } from "../data-plane.ts";
import { askAdmin, LONG_MS, ProxyProcesses } from "../weft-process.ts";
import { RawClient } from "./raw-client.ts";
import {
  FLAG,
  FRAME,
  frame,
  get,
  getBlock,
  headerBlock,
  headers,
  number32,
  settings,
} from "./raw-frames.ts";

const NAMES = ["in", "drains", "pings"] as const;
type Name = (typeof NAMES)[number];
const INITIAL_WINDOW = 4;
const WINDOW_MAX = 0x7fff_ffff;
const NONE = Buffer.alloc(0);

const planes = new BothPlanes<Name>();
const upstreams: { stop(): void }[] = [];

/** Answers every request with so many bytes, as fast as they are taken, after a while. */
async function startUpstream(bytes: number, delayMs: number): Promise<number> {
  const sockets = new Set<Socket>();
  const piece = Buffer.alloc(16_384, "x");
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", () => {
      setTimeout(() => {
        socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`);
        let left = bytes;
        const go = (): void => {
          while (left > 0) {
            const part = Math.min(left, piece.length);
            left -= part;
            if (!socket.write(piece.subarray(0, part))) return;
          }
        };
        socket.on("drain", go);
        go();
      }, delayMs);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  upstreams.push({
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const large = await startUpstream(300_000, 0);
  const slow = await startUpstream(5, 1_500);
  const routes = [
    {
      match: { prefix: "/direct" },
      direct_response: { status: 200, body: { inline_string: "teapot" } },
    },
    { match: { prefix: "/slow" }, route: { cluster: "slow", timeout: "0s" } },
    { match: { prefix: "/" }, route: { cluster: "large", timeout: "0s" } },
  ];
  await planes.start(NAMES, (ports) => {
    const listener = (name: Name, options: object): object =>
      httpListener(name, ports[name], {
        codec_type: "HTTP2",
        delayed_close_timeout: "0.2s",
        route_config: routeTable(routes),
        ...options,
      });
    return {
      admin: { address: socketAddress(ports.admin) },
      static_resources: {
        listeners: [
          listener("in", { http2_protocol_options: { max_concurrent_streams: 20 } }),
          listener("drains", {
            drain_timeout: "0.3s",
            common_http_protocol_options: { max_requests_per_connection: 1 },
          }),
          listener("pings", {
            http2_protocol_options: {
              connection_keepalive: { interval: "0.1s", timeout: "0.3s" },
            },
          }),
        ],
        clusters: [staticCluster("large", [large]), staticCluster("slow", [slow])],
      },
    };
  });
});

afterAll(async () => {
  await planes.stop();
  for (const upstream of upstreams) upstream.stop();
});

/** Does something on a connection of its own with each plane. */
async function each<T>(
  name: Name,
  options: Parameters<typeof RawClient.open>[1],
  run: (client: RawClient, plane: Plane<Name>) => Promise<T>,
): Promise<{ weft: T; envoy: T }> {
  return planes.each(async (plane) => {
    const client = await RawClient.open(plane.ports[name], options);
    try {
      return await run(client, plane);
    } finally {
      await client.close();
    }
  });
}

/** The same with weft alone: Envoy closes without a word, or does not notice. */
async function inWeft<T>(run: (client: RawClient) => Promise<T>): Promise<T> {
  const client = await RawClient.open(planes.planes[0]?.ports.in ?? 0);
  try {
    return await run(client);
  } finally {
    await client.close();
  }
}

/** The last GOAWAY's code; `undefined` without one. */
function goawayCode(client: RawClient): number | undefined {
  return client.of(FRAME.goaway).at(-1)?.payload.readUInt32BE(4);
}

describe("the end of a connection of HTTP/2", () => {
  test("leaves what is opened behind the last GOAWAY unanswered", async () => {
    const { weft, envoy } = await each("drains", {}, async (client) => {
      client.send(get(1, "/slow"));
      const lasts = (): readonly number[] =>
        client.of(FRAME.goaway).map(({ payload }) => payload.readUInt32BE(0));
      await until(() => lasts().length === 2, "both GOAWAYs");
      client.send(get(3, "/direct"), headers(5, getBlock("/direct"), FLAG.endHeaders));
      client.send(frame(FRAME.data, FLAG.endStream, 5, Buffer.from("x")));
      await until(() => client.isEnded, "the end");
      const others = client.frames.filter(({ stream }) => stream > 1);
      return { lasts: lasts(), data: client.dataOn(1), others: others.length };
    });
    expect(weft).toEqual({ lasts: [WINDOW_MAX, 1], data: 5, others: 0 });
    expect(weft).toEqual(envoy);
  });

  test("comes when nobody answers its PINGs", async () => {
    const { weft, envoy } = await each("pings", { answersPings: false }, async (client, plane) => {
      await until(() => client.isEnded, "the end");
      const counted = Object.values(await plane.stats("http2.keepalive_timeout"));
      return { pings: client.of(FRAME.ping).length > 0, goaway: goawayCode(client), counted };
    });
    expect(weft).toEqual({ pings: true, goaway: undefined, counted: [1] });
    expect(weft).toEqual(envoy);
  });

  test("does not where they are answered", async () => {
    const { weft, envoy } = await each("pings", {}, async (client) => {
      await until(() => client.of(FRAME.ping).length >= 8, "eight PINGs");
      return client.isEnded;
    });
    expect(weft).toBe(false);
    expect(weft).toBe(envoy);
  });
});

const MANY = 20_000;
const many = (make: (at: number) => Buffer): readonly Buffer[] =>
  Array.from({ length: MANY }, (_, at) => make(at));

/** What a client may not do for long: frames behind the preface. */
const FLOODS: Readonly<Record<string, () => readonly Buffer[]>> = {
  SETTINGS: () => many(() => settings([[1, 4096]])),
  PING: () => many(() => frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
  PRIORITY: () => many(() => frame(FRAME.priority, 0, 1, Buffer.alloc(5))),
  WINDOW_UPDATE: () => many(() => number32(FRAME.windowUpdate, 0, 1)),
  "WINDOW_UPDATE of a stream": () => [
    get(1, "/slow"),
    ...many(() => number32(FRAME.windowUpdate, 1, 1)),
  ],
  "empty DATA": () => [
    headers(1, getBlock("/slow"), FLAG.endHeaders),
    ...many(() => frame(FRAME.data, 0, 1, NONE)),
  ],
  "empty CONTINUATION": () => [
    headers(1, getBlock("/slow"), FLAG.endStream),
    ...many(() => frame(FRAME.continuation, 0, 1, NONE)),
  ],
  "empty HEADERS": () => many((at) => headers(2 * at + 1, NONE, FLAG.endHeaders)),
  CONTINUATION: () => [
    headers(1, getBlock("/slow"), FLAG.endStream),
    ...many((at) => frame(FRAME.continuation, 0, 1, headerBlock([["x-more", String(at)]]))),
  ],
  "streams that are reset": () =>
    many((at) => Buffer.concat([get(2 * at + 1, "/slow"), number32(FRAME.reset, 2 * at + 1, 8)])),
  "streams that are too many": () => many((at) => get(2 * at + 1, "/slow")),
};

const TOO_MANY_ANSWERS = ["http2.outbound_control_flood"];

/**
 * Envoy's codec ends these by itself before they are counted: too many answers that wait, and a
 * stream more than it allowed, which weft refuses alone (RFC 9113 5.1.2), as long as that is not
 * too many answers.
 */
const COUNTED_HERE: Readonly<Record<string, readonly string[]>> = {
  SETTINGS: TOO_MANY_ANSWERS,
  PING: TOO_MANY_ANSWERS,
  "streams that are too many": TOO_MANY_ANSWERS,
};

/** What both count of floods. */
const COUNTED =
  /^http2\..*(flood|overflow|_size_too_large|messaging_error|refused)|http\.in\.downstream_(cx_protocol_error|rq_too_many_premature_resets)$/;

async function floodCounts(plane: Plane<Name>): Promise<Readonly<Record<string, number>>> {
  const all = { ...(await plane.stats("http2.")), ...(await plane.stats("http.in.downstream_")) };
  return Object.fromEntries(Object.entries(all).filter(([name]) => COUNTED.test(name)));
}

describe("a flood ends the connection and is counted as Envoy counts it:", () => {
  test.each(Object.keys(FLOODS))("%s", async (name) => {
    const { weft, envoy } = await each("in", {}, async (client, plane) => {
      const before = await floodCounts(plane);
      client.send(...(FLOODS[name]?.() ?? []));
      await until(() => client.isEnded, "the end");
      const after = await floodCounts(plane);
      const moved = Object.keys(after).filter((key) => after[key] !== (before[key] ?? 0));
      return moved.sort();
    });
    expect(weft).toEqual(COUNTED_HERE[name] ?? envoy);
  });
});

describe("windows that a client plays with", () => {
  test("opened byte by byte, shut, below nothing and open again", async () => {
    const { weft, envoy } = await each(
      "in",
      { settings: [[INITIAL_WINDOW, 0]] },
      async (client) => {
        const got: number[] = [];
        const now = async (count: number): Promise<void> => {
          await until(() => client.dataOn(1) >= count, `${count} bytes`);
          await client.settle();
          got.push(client.dataOn(1));
        };
        client.send(get(1, "/large"));
        await until(() => client.of(FRAME.headers, 1).length === 1, "the head");
        await now(0);
        for (let at = 1; at <= 3; at++) {
          client.send(number32(FRAME.windowUpdate, 1, 1));
          await now(at);
        }
        // 3 more than it has sent; then less than it has sent.
        client.send(settings([[INITIAL_WINDOW, 10]]));
        await now(13);
        client.send(settings([[INITIAL_WINDOW, 0]]));
        await now(13);
        client.send(number32(FRAME.windowUpdate, 1, 10));
        await now(13);
        client.send(number32(FRAME.windowUpdate, 1, 7));
        await now(20);
        client.send(
          settings([[INITIAL_WINDOW, 1_000_000]]),
          number32(FRAME.windowUpdate, 0, 1_000_000),
        );
        await now(300_000);
        return got;
      },
    );
    expect(weft).toEqual([0, 1, 2, 3, 13, 13, 13, 20, 300_000]);
    expect(weft).toEqual(envoy);
  });

  test("the connection's own, byte by byte", async () => {
    const { weft, envoy } = await each(
      "in",
      { settings: [[INITIAL_WINDOW, 1_000_000]] },
      async (client) => {
        client.send(get(1, "/large"));
        await until(() => client.dataOn(1) === 65_535, "the connection's first window");
        for (let at = 1; at <= 3; at++) {
          client.send(number32(FRAME.windowUpdate, 0, 1));
          await until(() => client.dataOn(1) === 65_535 + at, "one byte");
        }
        await client.settle();
        return client.dataOn(1);
      },
    );
    expect(weft).toBe(65_538);
    expect(weft).toBe(envoy);
  });

  test.each([
    ["by SETTINGS", (): readonly Buffer[] => [settings([[INITIAL_WINDOW, 0x8000_0000]])]],
    [
      "of a stream by SETTINGS",
      (): readonly Buffer[] => [
        get(1, "/slow"),
        number32(FRAME.windowUpdate, 1, WINDOW_MAX - 65_535),
        settings([[INITIAL_WINDOW, 65_536]]),
      ],
    ],
    ["of the connection", (): readonly Buffer[] => [number32(FRAME.windowUpdate, 0, WINDOW_MAX)]],
  ] as const)("that overflow %s end the connection", async (_name, frames) => {
    const code = await inWeft(async (client) => {
      client.send(...frames());
      await until(() => client.isEnded, "the end");
      return goawayCode(client);
    });
    expect(code).toBe(3);
  });

  test("of a stream that overflows end the stream", async () => {
    const seen = await inWeft(async (client) => {
      client.send(get(1, "/slow"), number32(FRAME.windowUpdate, 1, WINDOW_MAX));
      await until(() => client.of(FRAME.reset, 1).length === 1, "a reset");
      await client.settle();
      return {
        code: client.of(FRAME.reset, 1)[0]?.payload.readUInt32BE(0),
        isEnded: client.isEnded,
      };
    });
    expect(seen).toEqual({ code: 3, isEnded: false });
  });
});

const STREAMS = 1_000;
const ANSWER_BYTES = 500_000;
/** What they hold at most where they are bound, and the program itself; the answers have 500 MB. */
const RESIDENT_BYTES_MAX = 350_000_000;

describe("a thousand large responses that a client does not read", () => {
  test.each([
    ["from its socket", [[INITIAL_WINDOW, WINDOW_MAX]]],
    ["since it opens no window", [[INITIAL_WINDOW, 0]]],
  ] as const)(
    "%s, are not kept in memory",
    async (_name, first) => {
      const processes = new ProxyProcesses();
      const large = await startUpstream(ANSWER_BYTES, 0);
      const [port = 0, admin = 0] = await freePorts(2);
      const bootstrap = {
        admin: { address: socketAddress(admin) },
        static_resources: {
          listeners: [
            httpListener("in", port, {
              codec_type: "HTTP2",
              stream_idle_timeout: "0s",
              route_config: routeTable([
                { match: { prefix: "/" }, route: { cluster: "large", timeout: "0s" } },
              ]),
            }),
          ],
          clusters: [staticCluster("large", [large])],
        },
      };
      const proxy = processes.run(["-c", processes.write("bootstrap.json", bootstrap)]);
      try {
        await until(
          async () => (await askAdmin(admin, "/ready")).startsWith("LIVE"),
          "it",
          LONG_MS,
        );
        const client = await RawClient.open(port, { settings: first });
        client.send(number32(FRAME.windowUpdate, 0, WINDOW_MAX - 65_535));
        await client.settle();
        client.pause();
        for (let at = 0; at < STREAMS; at++) client.send(get(2 * at + 1, "/"));
        const received = async (): Promise<number> => {
          const text = await askAdmin(
            admin,
            "/stats?filter=cluster.large.upstream_cx_rx_bytes_total",
          );
          return Number(/: (\d+)/.exec(text)?.[1] ?? 0);
        };
        const begun = async (): Promise<boolean> =>
          /_2xx: 1000/.test(await askAdmin(admin, "/stats?filter=cluster.large.upstream_rq_2xx"));
        await until(begun, "all responses", 2 * LONG_MS);
        // It has stopped when nothing comes from the upstream any more.
        let last = -1;
        await until(
          async () => {
            const before = last;
            last = await received();
            await new Promise((resolve) => setTimeout(resolve, 500));
            return last === before;
          },
          "it to stop reading",
          2 * LONG_MS,
        );
        const status = readFileSync(`/proc/${proxy.child.pid}/status`, "utf8");
        const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
        expect(resident).toBeLessThan(RESIDENT_BYTES_MAX);
        expect(last).toBeLessThan(STREAMS * ANSWER_BYTES);
        await client.close();
        const active = (): Promise<string> =>
          askAdmin(admin, "/stats?filter=http.in.downstream_rq_active");
        await until(async () => /: 0$/m.test(await active()), "all streams to end", LONG_MS);
      } finally {
        await processes.stop();
      }
    },
    180_000,
  );
});
