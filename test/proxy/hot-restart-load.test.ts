import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { freePorts } from "./data-plane.ts";
import { HoldingUpstream } from "./holding-upstream.ts";
import { http1Target, http2Target, OpenLoop } from "./open-loop.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { downstreamTls, overTls, tlsCertificate } from "./tls-json.ts";
import { askAdmin, LONG_MS, numbersOf, type ProxyProcess, ProxyProcesses } from "./weft-process.ts";

const PER_SECOND = 1000;
/** What is sent by each kind of client between two restarts, at least. */
const REQUESTS_BETWEEN = 300;
const RESTARTS = 3;

let certificate: TestCertificate;
let processes: ProxyProcesses;
let upstream: HoldingUpstream;
let ports: { readonly plain: number; readonly tls: number; readonly admin: number };

beforeAll(async () => {
  certificate = await (await TestAuthority.create()).issue();
});

beforeEach(async () => {
  processes = new ProxyProcesses();
  upstream = await HoldingUpstream.start();
  const [plain = 0, tls = 0, admin = 0] = await freePorts(3);
  ports = { plain, tls, admin };
});

afterEach(async () => {
  await processes.stop();
  await upstream.stop();
});

function pipePath(): string {
  return join(processes.folder, "in.sock");
}

function bootstrap(): object {
  const route = { cluster: "up", timeout: "0s" };
  const options = { route_config: routeTable([{ match: { prefix: "/" }, route }]) };
  const secure = downstreamTls({
    alpn_protocols: ["h2", "http/1.1"],
    tls_certificates: [tlsCertificate(certificate)],
  });
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("plain", ports.plain, options),
        overTls(httpListener("tls", ports.tls, options), secure),
        { ...httpListener("pipe", 0, options), address: { pipe: { path: pipePath() } } },
      ],
      clusters: [staticCluster("up", [upstream.port])],
    },
  };
}

function start(epoch: number, args: readonly string[] = []): ProxyProcess {
  const file = processes.write(`${epoch}.json`, bootstrap());
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

describe.each([1, 3])("weft proxy --concurrency %i, restarted hot", (concurrency) => {
  const args = ["--concurrency", String(concurrency)];

  test("fails no request of any kind", { timeout: 180_000 }, async () => {
    let last = start(0, args);
    await isServing(0);
    const loads = [
      new OpenLoop(ports.plain, PER_SECOND),
      new OpenLoop(http2Target(`http://127.0.0.1:${ports.plain}`), PER_SECOND),
      new OpenLoop(http1Target({ host: "127.0.0.1", port: ports.tls }, true), PER_SECOND / 10),
      new OpenLoop(http2Target(`https://127.0.0.1:${ports.tls}`), PER_SECOND / 10),
      new OpenLoop(http1Target({ socketPath: pipePath() }), PER_SECOND / 10),
    ];
    try {
      for (let epoch = 1; epoch <= RESTARTS; epoch++) {
        const enough = loads.map(({ sent }, at) => sent + REQUESTS_BETWEEN / (at < 2 ? 1 : 10));
        const isEnough = (): boolean => loads.every(({ sent }, at) => sent >= (enough[at] ?? 0));
        await until(isEnough, "requests", LONG_MS);
        const old = last;
        last = start(epoch, args);
        await isServing(epoch);
        expect(await old.end()).toBe(0);
      }
    } finally {
      await Promise.all(loads.map((load) => load.stop()));
    }
    const results = await Promise.all(loads.map((load) => load.stop()));
    expect(results.map(({ failures }) => failures)).toEqual(loads.map(() => ({})));
    process.stderr.write(`requests over restarts: ${results.map(({ sent }) => sent).join(" ")}\n`);
    expect(await numbersOf(ports.admin, "server.concurrency")).toEqual({
      "server.concurrency": concurrency,
    });
    last.child.kill("SIGTERM");
    expect(await last.end()).toBe(0);
  });

  test("may be restarted again while it still drains", { timeout: 120_000 }, async () => {
    // Else the one response may leave its connection open, by chance, until the time is over.
    const first = start(0, [...args, "--drain-strategy", "immediate"]);
    await isServing(0);
    const session = connectHttp2(`http://127.0.0.1:${ports.plain}`);
    session.on("error", () => undefined);
    const held = session.request({ ":path": "/hold" });
    const status = new Promise<unknown>((resolve) =>
      held.on("response", (headers) => resolve(headers[":status"])),
    );
    await until(() => upstream.held === 1, "the request", LONG_MS);
    const second = start(1, args);
    await isServing(1);
    start(2, args);
    await isServing(2);
    // The second has nothing left to do, the first still has its request.
    expect(await second.end()).toBe(0);
    expect(first.child.exitCode).toBe(null);
    upstream.release();
    expect(await status).toBe(200);
    expect(await first.end()).toBe(0);
    session.destroy();
  });

  test("adds up what the old processes still count", { timeout: 120_000 }, async () => {
    const old = start(0, args);
    await isServing(0);
    const statuses = Array.from({ length: 20 }, () => holdRequest());
    await until(() => upstream.held === 20, "the requests", LONG_MS);
    start(1, args);
    await isServing(1);
    const active = "http.plain.downstream_rq_active";
    await until(
      async () => (await numbersOf(ports.admin, active))[active] === 20,
      "the gauge",
      LONG_MS,
    );
    upstream.release();
    expect(await Promise.all(statuses)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(await old.end()).toBe(0);
    expect(await numbersOf(ports.admin, "http.plain.downstream_rq_(2xx|active)")).toEqual({
      "http.plain.downstream_rq_2xx": 20,
      "http.plain.downstream_rq_active": 0,
    });
  });
});

/** A request on a connection of its own that is answered when somebody says so. */
function holdRequest(): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: ports.plain, path: "/hold", agent: false as const };
    const sent = request(options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    sent.on("error", reject);
    sent.end();
  });
}
