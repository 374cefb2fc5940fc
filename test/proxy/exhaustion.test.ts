import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { freePorts } from "./data-plane.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

const weft = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin", "weft");

const REQUEST = "GET /direct HTTP/1.1\r\nHost: a\r\n\r\n";
const IDLE_CONNECTIONS = 10_000;
/** What a soft limit of 1024 leaves no room for is not tried. */
const canOpenMany = Number(execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" })) > 12_000;
/** Measured: 7 KB each. Far more means that something is kept that nobody reads. */
const BYTES_EACH_MAX = 30_000;

describe("many connections", () => {
  let folder: string;
  let upstream: ScriptedUpstream;
  let port: number;
  let adminPort: number;
  let child: ChildProcess | undefined;
  const clients: Socket[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-many-"));
    upstream = await ScriptedUpstream.start({});
    [port = 0, adminPort = 0] = await freePorts(2);
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
    await upstream.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(openFilesMax: number): Promise<number> {
    const file = join(folder, "bootstrap.json");
    const routes = [
      {
        match: { prefix: "/direct" },
        direct_response: { status: 200, body: { inline_string: "hi" } },
      },
      { match: { prefix: "/" }, route: { cluster: "up" } },
    ];
    const listener = {
      ...httpListener("in", port, { route_config: routeTable(routes) }),
      tcp_backlog_size: 4096,
    };
    const clusters = [staticCluster("up", [upstream.port])];
    const admin = { address: socketAddress(adminPort) };
    writeFileSync(
      file,
      JSON.stringify({ admin, static_resources: { listeners: [listener], clusters } }),
    );
    const script = `ulimit -n ${openFilesMax}; exec "$0" "$@"`;
    const args = ["-c", script, process.execPath, weft, "proxy", "-c", file];
    child = spawn("sh", args, { stdio: "ignore" });
    await until(async () => (await answer(REQUEST)).startsWith("HTTP/1.1 200"), "the proxy");
    return child.pid ?? 0;
  }

  function open(): Socket {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => undefined);
    clients.push(socket);
    return socket;
  }

  /** What comes first, or "" when the connection ends before. */
  function ask(socket: Socket, request: string): Promise<string> {
    return new Promise((resolve) => {
      socket.once("data", (bytes: Buffer) => resolve(bytes.toString("latin1")));
      socket.once("close", () => resolve(""));
      socket.write(request);
    });
  }

  async function answer(request: string): Promise<string> {
    const socket = open();
    const got = await ask(socket, request);
    socket.destroy();
    return got;
  }

  test("more than there are file descriptors for: the rest goes on, and later all", async () => {
    const pid = await start(128);
    const held: Socket[] = [];
    for (let at = 0; at < 200; at++) {
      const socket = open();
      if ((await ask(socket, REQUEST)) !== "") held.push(socket);
    }
    expect(held.length).toBeGreaterThan(50);
    expect(held.length).toBeLessThan(128);
    // Those that are open are served; only what needs another descriptor fails.
    const [first] = held;
    if (first === undefined) throw new Error("nobody was served");
    expect(await ask(first, REQUEST)).toContain("200 OK");
    expect(await ask(first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toContain(
      "503 Service Unavailable",
    );
    for (const socket of held) socket.destroy();
    await until(async () => (await answer(REQUEST)) !== "", "descriptors to be free again");
    expect(await answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toContain("200 OK");
    expect(child?.pid).toBe(pid);
    expect(child?.exitCode).toBe(null);
  });

  test.skipIf(!canOpenMany)(
    "10,000 that are idle cost little, and are all served",
    async () => {
      const pid = await start(12_000);
      const before = residentBytes(pid);
      const idle: Socket[] = [];
      for (let at = 0; at < IDLE_CONNECTIONS; at += 500) {
        const batch = Array.from({ length: 500 }, open);
        await Promise.all(batch.map((socket) => once(socket, "connect")));
        idle.push(...batch);
      }
      await until(
        async () => (await activeConnections()) >= IDLE_CONNECTIONS,
        "all to be accepted",
      );
      const each = (residentBytes(pid) - before) / IDLE_CONNECTIONS;
      process.stderr.write(`an idle connection takes ${Math.round(each)} bytes\n`);
      expect(each).toBeLessThan(BYTES_EACH_MAX);
      const answers = await Promise.all(idle.map((socket) => ask(socket, REQUEST)));
      expect(answers.filter((text) => !text.startsWith("HTTP/1.1 200 OK"))).toEqual([]);
    },
    60_000,
  );

  async function activeConnections(): Promise<number> {
    const page = await fetch(`http://127.0.0.1:${adminPort}/stats?filter=downstream_cx_active`);
    return Number(/listener.*downstream_cx_active: (\d+)/.exec(await page.text())?.[1] ?? 0);
  }
});

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
