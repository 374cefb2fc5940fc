import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { DebugServer, isLoopback } from "../../src/controlplane/debug-server.ts";
import { JsonList } from "../../src/controlplane/json-chunks.ts";
import { jsonPage, type Pages, textPage } from "../../src/controlplane/page.ts";
import { PageRenderer, RENDERS_MAX } from "../../src/controlplane/page-renderer.ts";
import { until } from "./until.ts";

/** An address of this machine that is not loopback, as a pod next door would ask from. */
const OUTER = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

const MANY = 200_000;
const HUGE = 10_000_000;
let server: DebugServer;
let renderer: PageRenderer;
let made: number;
let pushed: number;

/** Numbers without end to anybody's patience: some megabytes. */
function* numbers(): Generator<number> {
  for (let number = 0; number < MANY; number++) {
    made = number + 1;
    yield number;
  }
}

const PAGES: Pages = {
  "/ready": { get: () => textPage("ready\n") },
  "/many": { get: (query) => jsonPage(new JsonList(numbers), query) },
  // More than the system keeps for a reader that does not read.
  "/huge": {
    get: (query) =>
      jsonPage(
        new JsonList(function* () {
          for (let number = 0; number < HUGE; number++) yield number;
        }),
        query,
      ),
  },
  "/few": { get: (query) => jsonPage(new JsonList(() => [1, 2]), query) },
  "/broken": {
    get: () => {
      throw new Error("a bug");
    },
  },
  "/half": {
    get: (query) =>
      jsonPage(
        new JsonList(function* () {
          yield* Array.from({ length: 50_000 }, (_, index) => index);
          throw new Error("a bug on the way");
        }),
        query,
      ),
  },
  "/debug/press": {
    get: () => textPage("press by POST\n", 405),
    post: () => textPage(`pressed ${(pushed += 1)}\n`),
    isLocal: true,
  },
};

beforeEach(async () => {
  made = 0;
  pushed = 0;
  renderer = new PageRenderer(nodeClock);
  server = new DebugServer({ pages: PAGES, renderer, clock: nodeClock });
  await server.start("0.0.0.0:0");
});
afterEach(() => server.stop());

const url = (path: string, host = "127.0.0.1"): string => `http://${host}:${server.port}${path}`;

async function open(line: string): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`${line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  return socket;
}

describe("DebugServer", () => {
  it.each([
    ["GET /ready", "200 OK"],
    ["HEAD /ready", "200 OK"],
    ["GET /ready?x=%zz", "200 OK"],
    ["GET /nothing", "404 Not Found"],
    ["POST /ready", "405 Method Not Allowed"],
    ["DELETE /ready", "405 Method Not Allowed"],
    ["GET //", "400 Bad Request"],
    ["GET http://[", "400 Bad Request"],
    ["GET //ready:x/", "400 Bad Request"],
    ["GET /broken", "500 Internal Server Error"],
  ])("answers %s with %s", async (line, status) => {
    const socket = await open(line);
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text.split("\r\n", 1)[0]).toBe(`HTTP/1.1 ${status}`);
  });

  it("writes a large page whole, and makes none for HEAD", async () => {
    const plain = Array.from({ length: MANY }, (_, index) => index);
    expect(await (await fetch(url("/many"))).text()).toBe(`${JSON.stringify(plain)}\n`);
    const pretty = await (await fetch(url("/many?pretty"))).text();
    expect(pretty).toBe(`${JSON.stringify(plain, null, 2)}\n`);
    made = 0;
    const head = await fetch(url("/many"), { method: "HEAD" });
    expect([head.status, await head.text(), made]).toEqual([200, "", 0]);
  });

  it("breaks off a page that fails on its way, so that nobody takes a part for the whole", async () => {
    const response = await fetch(url("/half"));
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow(/terminated/);
    expect(renderer.pending).toBe(0);
  });

  it("makes no more of a page than is read, refuses what is too much, and frees it afterwards", async () => {
    const sockets: Socket[] = [];
    for (let index = 0; index < RENDERS_MAX; index++) {
      const socket = await open("GET /huge?pretty");
      socket.pause();
      sockets.push(socket);
    }
    // Those that come after find all places taken.
    await until(() => renderer.pending === RENDERS_MAX, "the large pages to begin");
    const waiting = Array.from({ length: 32 }, () => fetch(url("/few")));
    await until(() => renderer.pending === RENDERS_MAX + 32, "all to wait");
    const refused = await fetch(url("/few"));
    expect([refused.status, await refused.text()]).toEqual([
      503,
      expect.stringMatching(/try again/),
    ]);
    // Small pages need no turn.
    expect((await fetch(url("/ready"))).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    for (const response of await Promise.all(waiting))
      expect(await response.json()).toEqual([1, 2]);
    await until(() => renderer.pending === 0, "all places to be free");
  });

  it("lets POST press what has a button, but no other web page", async () => {
    const post = (headers: Record<string, string> = {}): Promise<Response> =>
      fetch(url("/debug/press"), { method: "POST", body: "x".repeat(100_000), headers });
    expect(await (await post()).text()).toBe("pressed 1\n");
    expect((await post({ origin: "http://evil.example" })).status).toBe(403);
    expect((await post({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await fetch(url("/debug/press"))).status).toBe(405);
    expect(pushed).toBe(1);
  });

  it.skipIf(OUTER === undefined)("shows debug pages to this machine alone", async () => {
    // Linux asks its own addresses from those addresses.
    const response = await fetch(url("/debug/press", OUTER), { method: "POST" });
    expect([response.status, pushed]).toEqual([401, 0]);
    expect(await response.text()).toContain("kubectl port-forward");
    expect((await fetch(url("/ready", OUTER))).status).toBe(200);
  });

  it.each([
    ["127.0.0.1", true],
    ["127.66.0.9", true],
    ["::ffff:127.0.0.1", true],
    ["::1", true],
    ["10.0.0.1", false],
    ["::ffff:10.0.0.1", false],
    ["127.evil.example", false],
    ["", false],
  ])("`isLoopback(%j)` is %s", (address, is) => {
    expect(isLoopback(address)).toBe(is);
  });
});
