import { request } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, tcpListener } from "./bootstrap-json.ts";
import { destroy } from "./both-planes.ts";
import { clustersOf } from "./dynamic-bootstrap.ts";
import { HoldingUpstream } from "./holding-upstream.ts";
import { TestControlPlane } from "./test-control-plane.ts";
import { statsOf, type Twin, Twins } from "./twins.ts";

const ADS = { ads: {}, resource_api_version: "V3" };
/** By name, what the cluster has besides; `changes` closes its connections when a host comes or goes. */
const CLUSTERS = {
  http: {},
  tcp: {},
  changes: { common_lb_config: { close_connections_on_host_set_change: true } },
} as const;
type Name = keyof typeof CLUSTERS;
const NAMES = Object.keys(CLUSTERS) as Name[];

const controlPlane = new TestControlPlane();
const echoSockets = new Set<Socket>();
let up: HoldingUpstream;
let other: HoldingUpstream;
let echo: Server;
let twins: Twins;

beforeAll(async () => {
  up = await HoldingUpstream.start();
  other = await HoldingUpstream.start();
  echo = createServer((socket) => {
    echoSockets.add(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  await controlPlane.start();
  const clusters = NAMES.map((name) => {
    const eds = { eds_cluster_config: { eds_config: ADS } };
    return [name, { name, type: "EDS", connect_timeout: "5s", ...eds, ...CLUSTERS[name] }] as const;
  });
  controlPlane.set("cluster", Object.fromEntries(clusters));
  assign({});
  twins = await Twins.start([...NAMES], ({ ports, adminPort }) =>
    clustersOf(
      controlPlane.port,
      adminPort,
      NAMES.map((name) => {
        const port = ports[name] ?? 0;
        if (name === "tcp") return tcpListener(name, port, { cluster: name });
        const routes = [{ match: { prefix: "/" }, route: { cluster: name, timeout: "30s" } }];
        return httpListener(name, port, { route_config: routeTable(routes) });
      }),
    ),
  );
});

afterAll(async () => {
  await twins.stop();
  controlPlane.stop();
  for (const socket of echoSockets) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
  await up.stop();
  await other.stop();
});

/** The ports of every cluster; without a word those that they begin with. */
function assign(ports: Partial<Record<Name, readonly number[]>>): void {
  const address = echo.address();
  const echoPort = typeof address === "object" && address !== null ? address.port : 0;
  const first = { http: [up.port], tcp: [echoPort], changes: [up.port] };
  const all = NAMES.map((name) => {
    const endpoints = (ports[name] ?? first[name]).map((port) => ({
      endpoint: { address: socketAddress(port) },
    }));
    return [name, { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] }] as const;
  });
  controlPlane.set("endpoint", Object.fromEntries(all));
}

async function stat(twin: Twin, name: Name, stat: string, value: number): Promise<void> {
  const full = `cluster.${name}.${stat}`;
  await until(
    async () => ((await statsOf(twin, full))[full] ?? 0) === value,
    `${name}: ${stat} to be ${value}`,
  );
  if (stat === "upstream_rq_active") await until(() => up.held === value, "the upstream");
}

function get(twin: Twin, name: Name, path = "/"): Promise<number> {
  return new Promise((resolve) => {
    const port = twin.ports[name] ?? 0;
    const sent = request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", () => resolve(-1));
    });
    sent.on("error", () => resolve(-1));
    sent.end();
  });
}

/** Does it with each, from the beginning. */
async function each(run: (twin: Twin) => Promise<void>): Promise<void> {
  for (const twin of twins.all) {
    assign({});
    for (const name of NAMES) await stat(twin, name, "membership_total", 1);
    await run(twin);
  }
}

test("a request ends where its host is gone, kept connections close, nobody comes", async () => {
  await each(async (twin) => {
    const held = [get(twin, "http", "/hold/1"), get(twin, "http", "/hold/2")];
    await stat(twin, "http", "upstream_rq_active", 2);
    up.release();
    await Promise.all(held);
    // One of the two connections is in use, the other is kept.
    const last = get(twin, "http", "/hold/3");
    await stat(twin, "http", "upstream_rq_active", 1);
    assign({ http: [] });
    await stat(twin, "http", "membership_total", 0);
    await stat(twin, "http", "upstream_cx_active", 1);
    expect(await get(twin, "http")).toBe(503);
    up.release();
    expect(await last).toBe(200);
    await stat(twin, "http", "upstream_cx_active", 0);
  });
});

test("a TCP connection outlives its host in the cluster, and there are no new ones", async () => {
  await each(async (twin) => {
    const client = connect(twin.ports["tcp"] ?? 0, "127.0.0.1");
    let got = "";
    client.on("error", () => undefined);
    client.on("data", (bytes: Buffer) => {
      got += bytes.toString();
    });
    client.write("before ");
    await until(() => got === "before ", "an echo");
    assign({ tcp: [] });
    await stat(twin, "tcp", "membership_total", 0);
    client.write("after");
    await until(() => got === "before after", "another echo");
    await stat(twin, "tcp", "upstream_cx_active", 1);
    const refused = connect(twin.ports["tcp"] ?? 0, "127.0.0.1");
    refused.on("error", () => undefined);
    await until(() => refused.closed || refused.readableEnded, "no new connection");
    await stat(twin, "tcp", "upstream_cx_none_healthy", 1);
    expect(client.readableEnded).toBe(false);
    await destroy(refused);
    await destroy(client);
    await stat(twin, "tcp", "upstream_cx_active", 0);
  });
});

test("connections to hosts that stay close when others come, where it is asked for", async () => {
  await each(async (twin) => {
    expect(await get(twin, "changes")).toBe(200);
    const held = get(twin, "changes", "/hold");
    await stat(twin, "changes", "upstream_rq_active", 1);
    assign({ changes: [up.port, other.port] });
    await stat(twin, "changes", "membership_total", 2);
    await stat(twin, "changes", "upstream_cx_active", 1);
    up.release();
    expect(await held).toBe(200);
    await stat(twin, "changes", "upstream_cx_active", 0);
  });
});
