import { once } from "node:events";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import {
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
} from "./bootstrap-json.ts";
import { freePorts } from "./data-plane.ts";
import { HoldingUpstream } from "./holding-upstream.ts";
import { OpenLoop } from "./open-loop.ts";
import { askAdmin, LONG_MS, numbersOf, type ProxyProcess, ProxyProcesses } from "./weft-process.ts";

const PER_SECOND = 200;

let processes: ProxyProcesses;
let upstream: HoldingUpstream;
let ports: { readonly http: number; readonly tcp: number; readonly admin: number };

beforeEach(async () => {
  processes = new ProxyProcesses();
  upstream = await HoldingUpstream.start();
  const [http = 0, tcp = 0, admin = 0] = await freePorts(3);
  ports = { http, tcp, admin };
});

afterEach(async () => {
  await processes.stop();
  await upstream.stop();
});

function bootstrap(more: readonly object[] = []): object {
  const route_config = routeTable([{ match: { prefix: "/" }, route: { cluster: "up" } }]);
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("in", ports.http, { route_config }),
        tcpListener("tcp", ports.tcp, { cluster: "up" }),
        ...more,
      ],
      clusters: [staticCluster("up", [upstream.port])],
    },
  };
}

function start(epoch: number, args: readonly string[] = [], config = bootstrap()): ProxyProcess {
  const file = processes.write(`${epoch}.json`, config);
  const place = ["--socket-path", join(processes.folder, "hot"), "--restart-epoch", String(epoch)];
  return processes.run(["-c", file, ...place, "--drain-time-s", "1", ...args]);
}

/** Waits until the process of that epoch has the admin port, and serves. */
async function isServing(epoch: number): Promise<void> {
  await until(
    async () =>
      (await numbersOf(ports.admin, "hot_restart_epoch"))["server.hot_restart_epoch"] === epoch &&
      (await askAdmin(ports.admin, "/ready")) === "LIVE\n",
    `epoch ${epoch} to serve`,
    LONG_MS,
  );
}

/** A connection that stays would keep its process. */
async function askOnce(): Promise<number> {
  const headers = { connection: "close" };
  return (await fetch(`http://127.0.0.1:${ports.http}/`, { headers })).status;
}

/** A request that is answered when somebody says so. */
function slowRequest(): { readonly status: Promise<number | undefined> } {
  const sent = request({ host: "127.0.0.1", port: ports.http, path: "/hold", agent: false });
  sent.end();
  const status = once(sent, "response").then(([response]) => {
    response.resume();
    return response.statusCode as number;
  });
  return { status };
}

describe("weft proxy, restarted hot", () => {
  test("fails no request, one process after the other", { timeout: 90_000 }, async () => {
    const all = [start(0)];
    await isServing(0);
    const load = new OpenLoop(ports.http, PER_SECOND);
    try {
      for (let epoch = 1; epoch <= 2; epoch++) {
        const enough = load.sent + PER_SECOND;
        await until(() => load.sent >= enough, "requests", LONG_MS);
        all.push(start(epoch));
        await isServing(epoch);
        expect(await all[epoch - 1]?.end()).toBe(0);
      }
    } finally {
      await load.stop();
    }
    const { sent, failures } = await load.stop();
    expect({ failures }).toEqual({ failures: {} });
    expect(sent).toBeGreaterThan(2 * PER_SECOND);
    all[2]?.child.kill("SIGTERM");
    expect(await all[2]?.end()).toBe(0);
    expect(existsSync(join(processes.folder, "hot_0_2"))).toBe(false);
  });

  test("counts what the old process still does", { timeout: 60_000 }, async () => {
    const old = start(0);
    await isServing(0);
    expect(await askOnce()).toBe(200);
    const slow = slowRequest();
    await until(() => upstream.held === 1, "the slow request", LONG_MS);
    start(1);
    await isServing(1);
    const name = "http.in.downstream_rq_active";
    await until(async () => (await numbersOf(ports.admin, name))[name] === 1, "its gauge", LONG_MS);
    expect((await numbersOf(ports.admin, "parent_conn"))["server.parent_connections"]).toBe(1);
    // What was before the new process came is not its own.
    expect(
      (await numbersOf(ports.admin, "in.downstream_rq_2xx"))["http.in.downstream_rq_2xx"],
    ).toBe(0);
    upstream.release();
    expect(await slow.status).toBe(200);
    expect(await old.end()).toBe(0);
    const after = await numbersOf(ports.admin, "http.in.downstream_rq_(2xx|active)");
    expect(after).toEqual({ "http.in.downstream_rq_2xx": 1, "http.in.downstream_rq_active": 0 });
  });

  test("ends what does not end when its time is over", { timeout: 60_000 }, async () => {
    const old = start(0);
    await isServing(0);
    const idle = connect(ports.tcp, "127.0.0.1");
    await once(idle, "connect");
    idle.write("GET /hold HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => upstream.held === 1, "its request", LONG_MS);
    start(1, ["--parent-shutdown-time-s", "2"]);
    const closed = once(idle.resume(), "close");
    idle.on("error", () => undefined);
    expect(await old.end()).toBe(0);
    await closed;
    await isServing(1);
  });

  test("ends in time where the new one dies after it took over", { timeout: 60_000 }, async () => {
    const old = start(0, ["--parent-shutdown-time-s", "2"]);
    await isServing(0);
    const idle = connect(ports.tcp, "127.0.0.1");
    await once(idle, "connect");
    idle.write("GET /hold HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => upstream.held === 1, "its request", LONG_MS);
    idle.on("error", () => undefined);
    const fresh = start(1);
    await isServing(1);
    await until(() => old.output().includes("draining"), "the old one to drain", LONG_MS);
    fresh.child.kill("SIGKILL");
    expect(await old.end()).toBe(0);
    idle.destroy();
  });

  test("goes on where the new one cannot start", { timeout: 60_000 }, async () => {
    const old = start(0);
    await isServing(0);
    const taken = httpListener("taken", upstream.port, {
      route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: "up" } }]),
    });
    const failed = start(1, [], bootstrap([taken]));
    expect(await failed.end()).toBe(2);
    expect(failed.output()).toContain("Address already in use");
    await isServing(0);
    expect(await askOnce()).toBe(200);
    expect(old.child.exitCode).toBe(null);
    start(1);
    await isServing(1);
    expect(await old.end()).toBe(0);
  });

  test("says why there is nobody to take over from", { timeout: 60_000 }, async () => {
    const alone = start(3);
    expect(await alone.end()).toBe(2);
    expect(alone.output()).toContain("no process to take over from");
    const fresh = start(3, ["--skip-hot-restart-on-no-parent"]);
    await isServing(3);
    const second = start(3, ["--skip-hot-restart-on-no-parent"]);
    expect(await second.end()).toBe(2);
    expect(second.output()).toMatch(/another process waits at|cannot bind admin address/);
    fresh.child.kill("SIGTERM");
    expect(await fresh.end()).toBe(0);
    const wrong = start(0, ["--socket-path", "@envoy"]);
    expect(await wrong.end()).not.toBe(0);
    expect(wrong.output()).toContain("abstract socket");
  });

  test("keeps a Unix socket where it is", { timeout: 60_000 }, async () => {
    const path = join(processes.folder, "in.sock");
    const direct = { status: 200, body: { inline_string: "here" } };
    const options = {
      route_config: routeTable([{ match: { prefix: "/" }, direct_response: direct }]),
    };
    const listener = { ...httpListener("pipe", 0, options), address: { pipe: { path } } };
    const ask = async (): Promise<string> => {
      const sent = request({ socketPath: path, path: "/" });
      sent.end();
      const [response] = await once(sent, "response");
      return (await response.setEncoding("utf8").toArray()).join("");
    };
    const old = start(0, [], bootstrap([listener]));
    await isServing(0);
    expect(await ask()).toBe("here");
    start(1, [], bootstrap([listener]));
    await isServing(1);
    expect(await old.end()).toBe(0);
    expect(await ask()).toBe("here");
  });
});
