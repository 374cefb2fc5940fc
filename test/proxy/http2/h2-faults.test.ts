import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { BothPlanes, type Plane } from "../both-planes.ts";
import { http2Options } from "../http2-cluster.ts";
import { H2_SCRIPTS } from "./cases/scripts.ts";
import { exchangeH2, sendH2 } from "./h2-client.ts";
import { H2Upstream } from "./h2-upstream.ts";
import {
  exchangeFrames,
  FLAG,
  FRAME,
  frame,
  get,
  getBlock,
  headerBlock,
  headers,
  PREFACE,
  settings,
} from "./raw-frames.ts";

const HTTP2 = http2Options();
const NONE = Buffer.alloc(0);
/** An upstream's whole answer to its first request: head, body, trailers. */
const ANSWER = Buffer.concat([
  settings([]),
  frame(FRAME.settings, FLAG.ack, 0, NONE),
  headers(1, headerBlock([[":status", "200"]]), FLAG.endHeaders),
  frame(FRAME.data, 0, 1, Buffer.from("half")),
  frame(FRAME.data, 0, 1, Buffer.from("half")),
  headers(1, headerBlock([["x-t", "1"]]), FLAG.endHeaders | FLAG.endStream),
]);

const planes = new BothPlanes<"in">();
let good: H2Upstream;
let cutAt = 0;
let cutHow: "fin" | "reset" = "fin";
let broken: { readonly port: number; stop(): Promise<void> };

/** Says the first bytes of an answer to whoever connects, then breaks off. */
async function startBroken(): Promise<typeof broken> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    // The request is here when more than the preface and the settings has come.
    let got = 0;
    socket.on("data", (bytes: Buffer) => {
      got += bytes.length;
      if (got < 80 || socket.writableEnded || socket.destroyed) return;
      socket.write(ANSWER.subarray(0, cutAt), () => {
        if (cutHow === "fin") socket.end();
        else socket.resetAndDestroy();
      });
      got = Number.NEGATIVE_INFINITY;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

beforeAll(async () => {
  good = await H2Upstream.start(H2_SCRIPTS);
  broken = await startBroken();
  await planes.start(["in"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("in", ports.in, {
          codec_type: "HTTP2",
          delayed_close_timeout: "0.1s",
          stream_idle_timeout: "3s",
          route_config: routeTable([
            { match: { prefix: "/broken" }, route: { cluster: "broken", timeout: "5s" } },
            {
              match: { prefix: "/direct" },
              direct_response: { status: 418, body: { inline_string: "teapot" } },
            },
            { match: { prefix: "/" }, route: { cluster: "good", timeout: "0s" } },
          ]),
        }),
      ],
      clusters: [
        staticCluster("good", [good.port], HTTP2),
        staticCluster("broken", [broken.port], HTTP2),
      ],
    },
  }));
});

afterAll(async () => {
  await planes.stop();
  await good?.stop();
  await broken?.stop();
});

/** What is still counted as in progress a while after a test. */
async function leftOver(plane: Plane<"in">): Promise<readonly (readonly [string, number])[]> {
  const active = /(downstream_rq_active|upstream_rq_active|downstream_cx_active|streams_active)$/;
  let left: readonly [string, number][] = [];
  await until(async () => {
    const stats = await plane.stats("active");
    left = Object.entries(stats).filter(
      ([name, value]) =>
        active.test(name) &&
        value !== 0 &&
        !name.includes("admin") &&
        !name.startsWith("listener."),
    );
    return left.length === 0;
  }, "everything to be over").catch(() => undefined);
  return left;
}

afterEach(async () => {
  await planes.each(async (plane) => {
    const left = await leftOver(plane);
    if (left.length > 0) throw new Error(`${plane.name} still counts ${JSON.stringify(left)}`);
    const headersOf = { ":authority": "a", ":path": "/direct" };
    const [answer] = await exchangeH2(plane.ports.in, [{ headers: headersOf }]);
    if (answer?.body !== "teapot") throw new Error(`${plane.name} does not serve any more`);
  });
});

/** Writes bytes and breaks off. */
async function speak(port: number, bytes: Buffer, how: "fin" | "reset"): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  socket.write(bytes);
  await after(5);
  if (how === "fin") socket.end();
  else socket.resetAndDestroy();
  await after(5);
  socket.destroy();
}

function after(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

describe("an upstream that breaks off", () => {
  test.each(["fin", "reset"] as const)("at every byte of its answer, by %s", async (how) => {
    cutHow = how;
    const [weft] = planes.planes;
    if (weft === undefined) throw new Error("nothing was started");
    const wrong: string[] = [];
    for (cutAt = 0; cutAt <= ANSWER.length; cutAt++) {
      const [answer] = await exchangeH2(weft.ports.in, [
        { headers: { ":authority": "a", ":path": "/broken" } },
      ]);
      const isWhole = answer?.trailers.length === 1 && answer.reset === undefined;
      const status = answer?.headers.find((line) => line.startsWith(":status"));
      const isRefused = status === ":status: 503" || status === ":status: 502";
      const isCut = status === ":status: 200" && answer?.reset !== undefined;
      const isRight = cutAt === ANSWER.length ? isWhole || isCut : isRefused || isCut;
      if (!isRight) wrong.push(`${cutAt}: ${JSON.stringify(answer)}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe("a client that breaks off", () => {
  const request = Buffer.concat([
    PREFACE,
    settings([]),
    headers(1, getBlock("/echo", [], "a"), FLAG.endHeaders),
    frame(FRAME.data, 0, 1, Buffer.from("half")),
    get(3, "/silent"),
    headers(1, headerBlock([["x-t", "1"]]), FLAG.endHeaders | FLAG.endStream),
  ]);
  test.each(["fin", "reset"] as const)("at every byte of its requests, by %s", async (how) => {
    const [weft] = planes.planes;
    if (weft === undefined) throw new Error("nothing was started");
    for (let at = 1; at <= request.length; at++) {
      await speak(weft.ports.in, request.subarray(0, at), how);
    }
    expect(await leftOver(weft)).toEqual([]);
  });
});

describe("one connection", () => {
  test("serves others while a stream that nobody reads stands still", async () => {
    await planes.each(async (plane) => {
      const session = connectHttp2(`http://127.0.0.1:${plane.ports.in}`, {
        settings: { initialWindowSize: 1_000 },
      });
      session.on("error", () => undefined);
      const stuck = session.request({ ":path": "/large", ":authority": "a" });
      stuck.on("error", () => undefined);
      await once(stuck, "response");
      stuck.pause();
      const answers = [];
      for (let at = 0; at < 20; at++) {
        answers.push(await sendH2(session, { headers: { ":authority": "a", ":path": "/parts" } }));
      }
      expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(["onetwothree"]));
      session.destroy();
    });
  });

  test("carries 10,000 streams, a hundred at a time", async () => {
    const [weft] = planes.planes;
    if (weft === undefined) throw new Error("nothing was started");
    const session = connectHttp2(`http://127.0.0.1:${weft.ports.in}`);
    session.on("error", () => undefined);
    let done = 0;
    let left = 10_000;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const path = left % 2 === 0 ? "/parts-of-nothing" : "/direct";
        const { headers: head } = await sendH2(session, {
          headers: { ":authority": "a", ":path": path },
        });
        if (head.some((line) => line === ":status: 200" || line === ":status: 418")) done++;
      }
    };
    await Promise.all(Array.from({ length: 100 }, worker));
    session.destroy();
    expect(done).toBe(10_000);
  }, 60_000);

  test("outlives many early answers whose requests go on for a while", async () => {
    const ids = Array.from({ length: 600 }, (_, at) => 2 * at + 1);
    const sent = [
      ...ids.map((id) => headers(id, getBlock("/direct", [], "a"), FLAG.endHeaders)),
      ...ids.map((id) => frame(FRAME.data, FLAG.endStream, id, Buffer.from("late"))),
      get(1_201, "/direct"),
    ];
    await planes.each(async (plane) => {
      const { frames, end } = await exchangeFrames(plane.ports.in, [Buffer.concat(sent)]);
      expect(frames.filter((line) => line.startsWith("HEADERS "))).toHaveLength(601);
      expect(frames.filter((line) => line.startsWith("GOAWAY"))).toEqual([]);
      expect(end).toBe("open");
    });
  });

  test("ends in order when its client says GOAWAY in the middle", async () => {
    await planes.each(async (plane) => {
      const session = connectHttp2(`http://127.0.0.1:${plane.ports.in}`);
      session.on("error", () => undefined);
      const answer = sendH2(session, { headers: { ":authority": "a", ":path": "/parts" } });
      await after(10);
      session.goaway();
      expect((await answer).body).toBe("onetwothree");
      session.destroy();
    });
  });
});
