import { once } from "node:events";
import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { BothPlanes, type Plane } from "../both-planes.ts";
import { http2Options } from "../http2-cluster.ts";
import { FLAG, FRAME, frame, headerBlock, headers, settings } from "./raw-frames.ts";

const RETRY_ON = [
  "reset-before-request",
  "refused-stream",
  "reset",
  "connect-failure",
  "5xx",
] as const;
const PINGS = { interval: "0.1s", timeout: "0.2s" };

const planes = new BothPlanes<"in">();
const servers: Server[] = [];
const sockets = new Set<Socket>();

/** What one upstream has seen, for one plane after the other. */
interface Upstream {
  readonly port: number;
  readonly sessions: Set<ServerHttp2Session>;
  connections: number;
  requests: number;
  pings: number;
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** An upstream of HTTP/2 that does with each request what `answer` says. */
async function startUpstream(
  answer: (stream: ServerHttp2Stream, upstream: Upstream) => void,
  options: object = {},
): Promise<Upstream> {
  const server = createHttp2Server({ settings: options });
  const sessions = new Set<ServerHttp2Session>();
  const port = await listen(server as unknown as Server);
  const upstream: Upstream = { port, sessions, connections: 0, requests: 0, pings: 0 };
  server.on("session", (session) => {
    upstream.connections++;
    sessions.add(session);
    session.on("error", () => undefined);
    session.on("ping", () => upstream.pings++);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    upstream.requests++;
    answer(stream, upstream);
  });
  return upstream;
}

/** Answers the first request of a connection with a head, and nothing else ever: no PING either. */
async function startDeaf(): Promise<number> {
  return listen(
    createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      let got = 0;
      socket.on("data", (bytes: Buffer) => {
        const before = got;
        got += bytes.length;
        if (before === 0) {
          socket.write(
            Buffer.concat([settings([]), frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0))]),
          );
          socket.write(headers(1, headerBlock([[":status", "200"]]), FLAG.endHeaders));
        }
      });
    }),
  );
}

let live: Upstream;
let lowered: Upstream;
let leaving: Upstream;
let refusing: Upstream;

beforeAll(async () => {
  live = await startUpstream((stream) => {
    stream.respond({ ":status": 200 });
    setTimeout(() => stream.end("at last"), 1_000);
  });
  lowered = await startUpstream(
    (stream, { requests }) => {
      // From the second request on the peer wants no more than one at a time.
      if (requests === 1) stream.session?.settings({ maxConcurrentStreams: 1 });
      setTimeout(() => {
        if (stream.destroyed) return;
        stream.respond({ ":status": 200 });
        stream.end("ok");
      }, 150);
    },
    { maxConcurrentStreams: 100 },
  );
  // It takes the first request of a connection, and says of the second that it never saw it.
  leaving = await startUpstream((stream) => {
    if (stream.id === 1) {
      stream.respond({ ":status": 200 });
      setTimeout(() => stream.end("first"), 300);
    } else stream.session?.goaway(0, 1);
  });
  refusing = await startUpstream((stream, { requests }) => {
    if (requests % 2 === 1) return stream.close(7);
    stream.respond({ ":status": 200 });
    stream.end("again");
  });
  const deaf = await startDeaf();
  const routes = [
    ...["live", "deaf", "idle", "lowered"].map((cluster) => ({
      match: { prefix: `/${cluster}` },
      route: { cluster, timeout: "0s" },
    })),
    ...["leaving", "refusing"].flatMap((cluster) =>
      RETRY_ON.map((on) => ({
        match: { path: `/${cluster}/${on}` },
        route: {
          cluster,
          timeout: "0s",
          retry_policy: {
            retry_on: on,
            num_retries: 1,
            retry_back_off: { base_interval: "0.001s", max_interval: "0.002s" },
          },
        },
      })),
    ),
    { match: { prefix: "/leaving" }, route: { cluster: "leaving", timeout: "0s" } },
  ];
  await planes.start(["in"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [httpListener("in", ports.in, { route_config: routeTable(routes) })],
      clusters: [
        staticCluster("live", [live.port], http2Options({ connection_keepalive: PINGS })),
        staticCluster("deaf", [deaf], http2Options({ connection_keepalive: PINGS })),
        staticCluster(
          "idle",
          [live.port],
          http2Options({
            connection_keepalive: { connection_idle_interval: "0.1s", timeout: "5s" },
          }),
        ),
        staticCluster("lowered", [lowered.port], http2Options()),
        staticCluster("leaving", [leaving.port], http2Options()),
        staticCluster("refusing", [refusing.port], http2Options()),
      ],
    },
  }));
});

afterAll(async () => {
  await planes.stop();
  for (const upstream of [live, lowered, leaving, refusing]) {
    for (const session of upstream?.sessions ?? []) session.destroy();
  }
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** A status and a body; `broken` where the body does not end in order. */
async function ask({ ports }: Plane<"in">, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${ports.in}${path}`);
  return `${answer.status} ${await answer.text().catch(() => "broken")}`;
}

/** The statistics of a cluster that are not 0, as far as the test is about them. */
async function counted(plane: Plane<"in">, cluster: string, names: RegExp): Promise<object> {
  const stats = await plane.stats(`cluster.${cluster}.`);
  return Object.fromEntries(
    Object.entries(stats)
      .map(([name, value]) => [name.replace(`cluster.${cluster}.`, ""), value] as const)
      .filter(([name, value]) => names.test(name) && value !== 0),
  );
}

const LIFE =
  /^(http2\.(keepalive_timeout|rx_reset|tx_reset|goaway_sent|stream_refused_errors)|upstream_(cx_(total|close_notify|destroy.*|protocol_error)|rq_(retry|retry_success|total|rx_reset|tx_reset|completed|2xx|5xx|per_try_timeout)))$/;

describe("a connection of HTTP/2 to an upstream lives as Envoy's", () => {
  test("with one that answers PINGs", async () => {
    const { weft, envoy } = await planes.each(async (plane) => {
      live.pings = 0;
      const answer = await ask(plane, "/live");
      return { answer, hasPings: live.pings >= 2, counted: await counted(plane, "live", LIFE) };
    });
    expect(weft).toMatchObject({ answer: "200 at last", hasPings: true });
    expect(weft).toEqual(envoy);
  });

  test("with one that does not", async () => {
    const { weft, envoy } = await planes.each(async (plane) => {
      const answer = await ask(plane, "/deaf");
      return { answer, counted: await counted(plane, "deaf", LIFE) };
    });
    expect(weft.answer).toBe("200 broken");
    expect(weft).toEqual(envoy);
  });

  test("with one that is asked by PING after it was idle", async () => {
    const { weft, envoy } = await planes.each(async (plane) => {
      await ask(plane, "/idle");
      const before = live.pings;
      await new Promise((resolve) => setTimeout(resolve, 300));
      const answer = await ask(plane, "/idle");
      await until(() => live.pings > before, "a PING");
      return { answer, counted: await counted(plane, "idle", LIFE) };
    });
    expect(weft).toEqual(envoy);
  });

  test("with one that allows fewer streams than before", async () => {
    const { weft, envoy } = await planes.each(async (plane) => {
      lowered.requests = 0;
      lowered.connections = 0;
      const answers = [await ask(plane, "/lowered")];
      answers.push(...(await Promise.all([1, 2, 3].map(() => ask(plane, "/lowered")))));
      const { connections } = lowered;
      return { answers, connections, counted: await counted(plane, "lowered", LIFE) };
    });
    expect(weft.answers).toEqual(Array.from({ length: 4 }, () => "200 ok"));
    expect(weft).toEqual(envoy);
  });

  test.each(["none", ...RETRY_ON])(
    "with one that says GOAWAY before the request was looked at (retry_on: %s)",
    async (on) => {
      const { weft, envoy } = await planes.each(async (plane) => {
        const first = ask(plane, "/leaving/first");
        const { requests } = leaving;
        await until(() => leaving.requests > requests, "the first request");
        const second = await ask(plane, `/leaving/${on}`);
        const answers = [await first, second];
        const stats = await counted(plane, "leaving", LIFE);
        // Envoy has broken no rule of HTTP/2, nor has the upstream.
        return { answers, counted: { ...stats, upstream_cx_protocol_error: "not compared" } };
      });
      expect(weft).toEqual(envoy);
    },
  );

  test.each(RETRY_ON)("with one that refuses the stream (retry_on: %s)", async (on) => {
    const { weft, envoy } = await planes.each(async (plane) => {
      refusing.requests = 0;
      const answer = await ask(plane, `/refusing/${on}`);
      return { answer, counted: await counted(plane, "refusing", LIFE) };
    });
    expect(weft).toEqual(envoy);
  });
});
