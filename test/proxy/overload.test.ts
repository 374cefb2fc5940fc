import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { converse, destroy } from "./both-planes.ts";
import {
  CONNECTIONS_MAX,
  IDLE_MS_MIN,
  OVERLOAD_PORTS,
  overloadBootstrap,
  RESOURCES,
  type ResourceName,
} from "./overload-bootstrap.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { TestAuthority } from "./test-pki.ts";
import { logLines, statsOf, type Twin, Twins } from "./twins.ts";

let upstream: ScriptedUpstream;
let twins: Twins;
const folders: string[] = [];

beforeAll(async () => {
  upstream = await ScriptedUpstream.start({ "/up/silent": {} });
  const ca = await TestAuthority.create();
  const cert = await ca.issue();
  twins = await Twins.start(OVERLOAD_PORTS, (places) => {
    const folder = mkdtempSync(join(tmpdir(), "weft-overload-"));
    folders.push(folder);
    for (const name of RESOURCES) writeFileSync(join(folder, name), "0");
    return overloadBootstrap(places, { folder, upstreamPort: upstream.port, cert });
  });
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function folderOf(twin: Twin): string {
  return folders[twins.all.indexOf(twin)] ?? "";
}

function write(twin: Twin, resource: ResourceName, text: string): void {
  const file = join(folderOf(twin), resource);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

async function stat({ adminPort }: Twin, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats?filter=^${name}$`);
  return Number(/: (\d+)/.exec(await answer.text())?.[1] ?? 0);
}

/** Under that pressure, until it is known. */
async function press(twin: Twin, resource: ResourceName, pressure: number): Promise<void> {
  write(twin, resource, String(pressure));
  const name = `overload.${resource}.pressure`;
  await until(async () => (await stat(twin, name)) === Math.trunc(pressure * 100), name);
  // One more look at all resources: then what follows from the pressure is in force everywhere.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

async function under<T>(
  twin: Twin,
  resource: ResourceName,
  pressure: number,
  run: () => Promise<T>,
): Promise<T> {
  await press(twin, resource, pressure);
  try {
    return await run();
  } finally {
    await press(twin, resource, 0);
  }
}

/** What each twin does; they must do the same. */
async function alike<T>(run: (twin: Twin) => Promise<T>): Promise<T> {
  const [ours, theirs] = await Promise.all(twins.all.map(run));
  if (ours === undefined) throw new Error("no data plane was started");
  expect(ours).toEqual(theirs ?? ours);
  return ours;
}

/** What a request gets, without what no two runs share. */
async function ask(twin: Twin, text: string, name = "in"): Promise<string> {
  const port = twin.ports[name] ?? 0;
  const { messages, rest } = await exchangeRaw({ port, parts: [text], answers: 1 });
  const shown = messages.map(({ line, headers, body }) =>
    [line, ...headers.filter((one) => !/^(date|x-envoy-upstream)/.test(one)).sort(), body].join(
      "|",
    ),
  );
  return `${shown.join("\n")}${rest}`;
}

function get(path: string, lines = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: a.test\r\nX-Case: ${path}\r\n${lines}\r\n`;
}

const POST = "POST /up HTTP/1.1\r\nHost: a.test\r\nX-Case: post\r\nContent-Length: 5\r\n\r\nhello";
const ABORT = "X-Envoy-Fault-Abort-Request: 418\r\n";

/** How statistics changed that are about overload. */
async function counted(twin: Twin, run: () => Promise<void>): Promise<object> {
  const wanted = /overload|overflow|_rq_5xx$|rq_total$|^http\.in\.downstream_cx_total/;
  const read = async (): Promise<ReadonlyMap<string, number>> => {
    const all = { ...(await statsOf(twin, "http.in.")), ...(await statsOf(twin, "overload.")) };
    return new Map(
      Object.entries(all).filter(
        // Heaps differ, and everybody measures time for himself.
        ([name]) => wanted.test(name) && !/heap|refresh_interval|max_connections/.test(name),
      ),
    );
  };
  const before = await read();
  await run();
  const after = await read();
  const changes = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)]);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0));
}

describe("requests under pressure", () => {
  const cases: readonly (readonly [ResourceName, string, string, string])[] = [
    ["stop", "a request", get("/up"), "503"],
    ["stop", "a request that has no route", get("/none"), "503"],
    ["stop", "a request with a body", POST, "503"],
    ["stop", "a request that a filter would answer", get("/up", ABORT), "503"],
    ["stop", "a request that cannot be read", "GET bad HTTP/1.1\r\nHost: a\r\n\r\n", "400"],
    ["keepalive", "a request", get("/up"), "200"],
    ["keepalive", "a request that has no route", get("/none"), "404"],
    ["keepalive", "a request of HTTP/1.1 that closes", get("/up", "Connection: close\r\n"), "200"],
    ["dispatch", "a request", get("/up"), "500"],
    ["dispatch", "a request that cannot be read", "GET bad HTTP/1.1\r\nHost: a\r\n\r\n", "500"],
    ["head", "a request", get("/up"), "503"],
    ["head", "a request with a body", POST, "503"],
    ["head", "a request that closes", get("/up", "Connection: close\r\n"), "503"],
    ["router", "a request", get("/up"), "503"],
    ["router", "a request that a filter answers", get("/up", ABORT), "418"],
    ["router", "a request that has no route", get("/none"), "404"],
    ["router", "a request that the route answers", get("/direct"), "299"],
    ["router", "a request that the route sends elsewhere", get("/moved"), "301"],
    ["router", "a request to a cluster that is not there", get("/nowhere"), "503"],
  ];

  test.each(cases)("%s: %s", async (resource, _name, text, status) => {
    const answer = await alike((twin) =>
      under(twin, resource, 0.95, async () => {
        let said = "";
        const counts = await counted(twin, async () => {
          said = await ask(twin, text);
        });
        return { said, counts };
      }),
    );
    expect(answer.said).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test("that is none changes nothing", async () => {
    const answer = await alike((twin) => ask(twin, get("/up")));
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\|.*hi$/);
    expect(answer).not.toContain("connection: close");
  });

  test("are refused in proportion", async () => {
    const requests = 300;
    for (const twin of twins.all) {
      const refused = await under(twin, "scaled", 0.7, async () => {
        let count = 0;
        for (let at = 0; at < requests; at += 10) {
          const some = Array.from({ length: 10 }, () => ask(twin, get("/up")));
          for (const said of await Promise.all(some)) if (said.includes(" 503 ")) count++;
        }
        return count;
      });
      // Five standard deviations of a fair coin.
      expect(Math.abs(refused - requests / 2)).toBeLessThan(5 * Math.sqrt(requests / 4));
    }
  });

  test("are not refused where the listener passes it by", async () => {
    const answers = await alike(async (twin) => {
      const said: string[] = [];
      for (const resource of ["stop", "keepalive", "dispatch", "head", "router"] as const) {
        said.push(await under(twin, resource, 0.95, () => ask(twin, get("/up"), "bypass")));
      }
      return said;
    });
    for (const said of answers) expect(said).toMatch(/^HTTP\/1.1 /);
  });

  test("are counted as levels of two triggers", async () => {
    const prefix = "overload.envoy.overload_actions.stop_accepting_requests.";
    const seen = await alike((twin) =>
      under(twin, "scaled", 0.7, async () => {
        const first = await statsOf(twin, prefix);
        const second = await under(twin, "stop", 1, () => statsOf(twin, prefix));
        return [first, second, await statsOf(twin, prefix)];
      }),
    );
    expect(seen[0]).toEqual({ [`${prefix}scale_percent`]: 50 });
  });
});

/** Connects; answered when the connection stands. */
async function open(twin: Twin, name: string): Promise<Socket> {
  const socket = connect(twin.ports[name] ?? 0, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return socket;
}

function hasEnded(socket: Socket): boolean {
  return socket.readableEnded || socket.destroyed;
}

describe("connections under pressure", () => {
  test.each(["reject", "accept"] as const)("%s: are closed at once", async (resource) => {
    const seen = await alike((twin) =>
      under(twin, resource, 0.95, async () => {
        const name = `listener.127.0.0.1_${twin.ports["in"]}.downstream_cx_overload_reject`;
        const before = await stat(twin, name);
        const to = { port: twin.ports["in"] ?? 0, host: "127.0.0.1" };
        const refused = await converse({ to });
        const other = await ask(twin, get("/up"), "bypass");
        return { refused, count: (await stat(twin, name)) - before, other };
      }),
    );
    expect(seen.refused).toEqual({ got: "", end: "closed" });
    expect(seen.count).toBe(1);
    expect(seen.other).toContain(" 200 OK");
  });

  test("wait until they are accepted again", async () => {
    await alike(async (twin) => {
      await press(twin, "hold", 0.95);
      const socket = connect(twin.ports["in"] ?? 0, "127.0.0.1");
      let got = "";
      socket.on("data", (bytes: Buffer) => {
        got += bytes.toString("latin1");
      });
      socket.write(get("/up"));
      const gone = await open(twin, "in");
      await destroy(gone);
      expect(await ask(twin, get("/up"), "bypass")).toContain(" 200 OK");
      expect(got).toBe("");
      expect(hasEnded(socket)).toBe(false);
      await press(twin, "hold", 0);
      await until(() => got.includes("hi"), "the answer that was waited for");
      await destroy(socket);
      return got.split("\r\n")[0];
    });
  });

  test("are limited together", async () => {
    await alike(async (twin) => {
      const pressure = "overload.envoy.resource_monitors.global_downstream_max_connections.";
      await until(async () => (await stat(twin, `${pressure}pressure`)) === 0, "no connections");
      const failed = await stat(twin, `${pressure}failed_updates`);
      const sockets: Socket[] = [];
      for (let count = 0; count < CONNECTIONS_MAX; count++) sockets.push(await open(twin, "in"));
      await until(async () => (await stat(twin, `${pressure}pressure`)) === 100, "all in use");
      const over = await open(twin, "in");
      await until(() => hasEnded(over), "the one too many to be closed");
      expect(sockets.some(hasEnded)).toBe(false);
      expect(await ask(twin, get("/up"), "unlimited")).toContain(" 200 OK");
      const overflow = `listener.127.0.0.1_${twin.ports["in"]}.downstream_global_cx_overflow`;
      const seen = {
        overflow: await stat(twin, overflow),
        failed: (await stat(twin, `${pressure}failed_updates`)) - failed,
      };
      const [first] = sockets;
      if (first !== undefined) await destroy(first);
      await until(async () => (await stat(twin, `${pressure}pressure`)) < 100, "a place");
      expect(await ask(twin, get("/up"))).toContain(" 200 OK");
      for (const socket of [...sockets, over]) await destroy(socket);
      await until(async () => (await stat(twin, `${pressure}pressure`)) === 0, "all to be over");
      expect(seen).toEqual({ overflow: 1, failed: 1 });
      return seen;
    });
  });
});

describe("time-outs under pressure", () => {
  test("close a connection that was idle before", async () => {
    await alike(async (twin) => {
      const socket = await open(twin, "in");
      const before = performance.now();
      await press(twin, "timeouts", 0.95);
      await until(() => hasEnded(socket), "the connection to be closed");
      expect(performance.now() - before).toBeGreaterThan(0);
      const late = await open(twin, "in");
      const startMs = performance.now();
      await until(() => hasEnded(late), "the second connection to be closed");
      expect(performance.now() - startMs).toBeGreaterThan(IDLE_MS_MIN * 0.8);
      for (const one of [socket, late]) await destroy(one);
      await press(twin, "timeouts", 0);
      return await stat(twin, "http.in.downstream_cx_idle_timeout");
    });
  });

  test("give up a handshake that does not begin", async () => {
    const given = await alike(async (twin) => {
      const socket = await open(twin, "tls");
      await press(twin, "timeouts", 0.95);
      await until(() => hasEnded(socket), "the connection to be closed");
      await destroy(socket);
      await press(twin, "timeouts", 0);
      const name = "downstream_cx_transport_socket_connect_timeout";
      return await stat(twin, `listener.127.0.0.1_${twin.ports["tls"]}.${name}`);
    });
    expect(given).toBe(1);
  });

  test("give up a request that nothing moves in", async () => {
    await alike(async (twin) => {
      await press(twin, "timeouts", 0.95);
      const said = await ask(twin, get("/up/silent"));
      await press(twin, "timeouts", 0);
      expect(said).toMatch(/^HTTP\/1.1 504 .*stream timeout$/);
      return said;
    });
  });
});

describe("a resource that cannot be read", () => {
  test.each(["", "much", "1.5", "-0.1"])(
    "because its file says %j counts as failed",
    async (text) => {
      await alike(async (twin) => {
        const failed = "overload.stop.failed_updates";
        const before = await stat(twin, failed);
        write(twin, "stop", text);
        await until(async () => (await stat(twin, failed)) > before, "a failure");
        expect(await ask(twin, get("/up"))).toContain(" 200 OK");
        await press(twin, "stop", 0);
        return true;
      });
    },
  );
});

describe("what is logged", () => {
  test("is the same", async () => {
    const count = twins.envoy === undefined ? 1 : 20;
    const [ours, theirs] = await Promise.all(twins.all.map((twin) => logLines(twin, count)));
    expect(ours?.some((line) => line.includes("503 - overload"))).toBe(true);
    const refused = (lines: readonly string[] | undefined): readonly string[] => [
      ...new Set(lines?.filter((line) => line.includes("overload"))),
    ];
    expect(refused(ours)).toEqual(refused(theirs ?? ours));
  });
});
