import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { freePorts } from "./data-plane.ts";
import { assignment, dynamicBootstrap, edsCluster, rds, toCluster } from "./dynamic-bootstrap.ts";
import { HoldingUpstream } from "./holding-upstream.ts";
import { OpenLoop } from "./open-loop.ts";
import { TestControlPlane } from "./test-control-plane.ts";
import { askAdmin, LONG_MS, numbersOf, type ProxyProcess, ProxyProcesses } from "./weft-process.ts";

const WORKERS = 3;
const CONNECTIONS = 60;

let processes: ProxyProcesses;
let upstream: HoldingUpstream;
let httpPort: number;
let adminPort: number;

beforeEach(async () => {
  processes = new ProxyProcesses();
  upstream = await HoldingUpstream.start();
  [httpPort = 0, adminPort = 0] = await freePorts(2);
});

afterEach(async () => {
  await processes.stop();
  await upstream.stop();
});

async function start(bootstrap: object): Promise<ProxyProcess> {
  const file = processes.write("b.json", bootstrap);
  const proxy = processes.run(["-c", file, "--concurrency", String(WORKERS)]);
  const isReady = async (): Promise<boolean> =>
    (await askAdmin(adminPort, "/ready")) === "LIVE\n" &&
    proxy.output().split("listener active").length > WORKERS;
  await until(isReady, "all processes to serve", LONG_MS);
  return proxy;
}

function staticBootstrap(cluster: object = {}): object {
  const route_config = routeTable([{ match: { prefix: "/" }, route: { cluster: "up" } }]);
  return {
    admin: { address: socketAddress(adminPort) },
    stats_flush_interval: "0.2s",
    static_resources: {
      listeners: [httpListener("in", httpPort, { route_config })],
      clusters: [staticCluster("up", [upstream.port], cluster)],
    },
  };
}

/** The processes beside the one that was started. */
function workersOf({ child }: ProxyProcess): readonly number[] {
  const lines = execFileSync("ps", ["-o", "pid=,ppid=", "-A"], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    return parent === child.pid && pid !== undefined ? [pid] : [];
  });
}

/** Statuses of so many requests at the same time, each on a connection of its own. */
async function askMany(path: string, count: number): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  await Promise.all(
    Array.from({ length: count }, async () => {
      const headers = { connection: "close" };
      const answer = await fetch(`http://127.0.0.1:${httpPort}${path}`, { headers });
      await answer.arrayBuffer();
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    }),
  );
  return statuses;
}

async function connectMany(count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(httpPort, "127.0.0.1");
      socket.on("error", () => undefined);
      await once(socket, "connect");
      socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      await once(socket, "data");
      return socket.resume();
    }),
  );
}

describe("weft proxy --concurrency", { timeout: 90_000 }, () => {
  test("shows all processes as one", async () => {
    const proxy = await start(staticBootstrap());
    expect(workersOf(proxy)).toHaveLength(WORKERS - 1);
    for (let round = 0; round < 10; round++) expect(await askMany("/", 20)).toEqual({ 200: 20 });
    const names =
      "^(http.in.downstream_(cx|rq)_total|cluster.up.upstream_rq_total|server.concurrency)$";
    expect(await numbersOf(adminPort, names)).toEqual({
      "cluster.up.upstream_rq_total": 200,
      "http.in.downstream_cx_total": 200,
      "http.in.downstream_rq_total": 200,
      "server.concurrency": WORKERS,
    });
    expect(await askAdmin(adminPort, "/clusters")).toContain("::rq_total::200\n");
    expect(await askAdmin(adminPort, "/server_info")).toContain(`"concurrency": ${WORKERS}`);
    const count = async (): Promise<boolean> =>
      (await askAdmin(adminPort, "/stats/prometheus")).includes(
        'envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix="in"} 200\n',
      );
    await until(count, "histograms of all", LONG_MS);
    proxy.child.kill("SIGTERM");
    expect(await proxy.end()).toBe(0);
    expect(workersOf(proxy)).toEqual([]);
  });

  test("replaces a process that dies, and loses no other's connections", async () => {
    const proxy = await start(staticBootstrap());
    const [victim = 0] = workersOf(proxy);
    const sockets = await connectMany(CONNECTIONS);
    process.kill(victim, "SIGKILL");
    await until(
      () => sockets.some(({ closed }) => closed),
      "its connections to end",
      LONG_MS,
    ).catch(() => undefined);
    const kept = sockets.filter(({ closed }) => !closed);
    expect(kept.length).toBeGreaterThan(0);
    await until(
      () => workersOf(proxy).length === WORKERS - 1 && !workersOf(proxy).includes(victim),
      "another process",
      LONG_MS,
    );
    expect(kept.filter(({ closed }) => closed)).toEqual([]);
    for (const socket of sockets) socket.destroy();
    expect(await askMany("/", 20)).toEqual({ 200: 20 });
    expect(await numbersOf(adminPort, "worker_exits")).toEqual({ "server.worker_exits": 1 });
    expect(proxy.output()).toContain("worker ended, starting another");
    // The leader takes the others with it, however it ends.
    const workers = workersOf(proxy);
    proxy.child.kill("SIGKILL");
    await until(() => workers.every((pid) => !isThere(pid)), "the other processes to end", LONG_MS);
  });

  test("goes on under load when a process is killed, and keeps what was told of it", async () => {
    const proxy = await start(staticBootstrap());
    const load = new OpenLoop(httpPort, 200);
    const total = async (): Promise<number> => {
      const name = "http.in.downstream_rq_total";
      return (await numbersOf(adminPort, `^${name}$`))[name] ?? 0;
    };
    const some = async (): Promise<void> => {
      const enough = load.sent + 200;
      await until(() => load.sent >= enough, "more requests", LONG_MS);
    };
    let told = 0;
    try {
      await some();
      told = await total();
      for (const victim of workersOf(proxy)) process.kill(victim, "SIGKILL");
      await until(
        async () =>
          (await numbersOf(adminPort, "worker_exits"))["server.worker_exits"] === WORKERS - 1 &&
          workersOf(proxy).length === WORKERS - 1,
        "other processes",
        LONG_MS,
      );
      await some();
    } finally {
      await load.stop();
    }
    const { failures } = await load.stop();
    // Who was on a connection of a killed process hears of its end, nobody of anything else.
    const others = Object.keys(failures).filter((name) => !/^(ECONNRESET|broken)$/.test(name));
    expect(others).toEqual([]);
    expect(await total()).toBeGreaterThan(told);
  });

  test("shares limits among the processes", async () => {
    const breakers = {
      thresholds: [{ max_requests: 6, max_connections: 6, max_pending_requests: 6 }],
    };
    await start(staticBootstrap({ circuit_breakers: breakers }));
    const asked = askMany("/hold", 90);
    let held = 0;
    await until(
      async () => {
        const name = "cluster.up.upstream_rq_pending_overflow";
        const overflows = (await numbersOf(adminPort, `^${name}$`))[name] ?? 0;
        held = upstream.held;
        return held + overflows >= 90 - 6;
      },
      "the breakers to open",
      LONG_MS,
    );
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(6);
    const timer = setInterval(() => upstream.release(), 20);
    const statuses = await asked;
    clearInterval(timer);
    expect(statuses[503]).toBeGreaterThan(50);
  });

  test("lets all of them do what the admin port is asked for", async () => {
    await start(staticBootstrap());
    const post = (path: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${adminPort}${path}`, { method: "POST" });
    await post("/healthcheck/fail");
    const socketsOf = await connectMany(CONNECTIONS);
    await until(() => socketsOf.every(({ closed }) => closed), "all to be drained", LONG_MS);
    await post("/healthcheck/ok");
    await post("/drain_listeners");
    await expect(askMany("/", 1)).rejects.toThrow("fetch failed");
    expect(await numbersOf(adminPort, "listener_stopped")).toEqual({
      "listener_manager.listener_stopped": 1,
    });
  });
});

describe("weft proxy --concurrency with a control plane", { timeout: 90_000 }, () => {
  const controlPlane = new TestControlPlane();

  afterEach(() => controlPlane.stop());

  test("takes what all processes take, refuses for all, and tells a new one", async () => {
    await controlPlane.start();
    controlPlane.set("cluster", { up: edsCluster("up") });
    controlPlane.set("endpoint", { up: assignment("up", [upstream.port]) });
    controlPlane.set("listener", { in: httpListener("in", httpPort, rds("table")) });
    controlPlane.set("route", { table: { ...routeTable([toCluster("up")]), name: "table" } });
    const proxy = await start(dynamicBootstrap(controlPlane.port, adminPort));
    expect(await askMany("/", 40)).toEqual({ 200: 40 });
    const [victim = 0] = workersOf(proxy);
    process.kill(victim, "SIGKILL");
    await until(
      () => proxy.output().split("listener active").length > WORKERS + 1,
      "another process to serve",
      LONG_MS,
    );
    expect(await askMany("/", 40)).toEqual({ 200: 40 });
    const bad = { match: { prefix: "/" }, direct_response: { status: 1 } };
    const refusal = controlPlane.refusal("route", "table");
    controlPlane.set("route", { table: { ...routeTable([bad]), name: "table" } });
    expect(await refusal).toContain("status");
    expect(await askMany("/", 40)).toEqual({ 200: 40 });
    const direct = { match: { prefix: "/" }, direct_response: { status: 418 } };
    controlPlane.set("route", { table: { ...routeTable([direct]), name: "table" } });
    await until(
      async () => JSON.stringify(await askMany("/", 30)) === '{"418":30}',
      "all processes to have the route",
      LONG_MS,
    );
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
