import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { freePorts } from "./data-plane.ts";
import { clustersOf } from "./dynamic-bootstrap.ts";
import { type LoadResult, OpenLoop } from "./open-loop.ts";
import { TestControlPlane } from "./test-control-plane.ts";
import { statsOf, type Twin, Twins } from "./twins.ts";

const ADS = { ads: {}, resource_api_version: "V3" };
const PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
const RESTARTS = 10;
const PER_SECOND = 1000;
/** What is asked between two steps of a restart, at least. */
const REQUESTS_BETWEEN = 80;

/** A server that can be stopped and started again at its port. */
class Restartable {
  readonly port: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined = undefined;

  constructor(port: number) {
    this.port = port;
  }

  async start(): Promise<void> {
    const server = createServer((_request, response) => response.end("hi"));
    server.keepAliveTimeout = 0;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** As a process that ends: no more connections, and those that are open break off. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

const controlPlane = new TestControlPlane();
let servers: Restartable[] = [];
let twins: Twins;

beforeAll(async () => {
  servers = (await freePorts(3)).map((port) => new Restartable(port));
  for (const server of servers) await server.start();
  await controlPlane.start();
  controlPlane.set("cluster", {
    up: {
      name: "up",
      type: "EDS",
      connect_timeout: "5s",
      eds_cluster_config: { eds_config: ADS },
      circuit_breakers: { thresholds: [{ max_retries: 1000 }] },
    },
  });
  assign(servers);
  const retries = {
    retry_on: "connect-failure,reset",
    num_retries: 5,
    // Each host once: those that are left cannot all be down.
    retry_host_predicate: [
      { name: "previous", typed_config: { "@type": `type.googleapis.com/${PREVIOUS_HOSTS}` } },
    ],
    host_selection_retry_max_attempts: 20,
    retry_back_off: { base_interval: "0.01s", max_interval: "0.1s" },
  };
  twins = await Twins.start(["plain", "retrying"], ({ ports, adminPort }) =>
    clustersOf(controlPlane.port, adminPort, [
      listener("plain", ports["plain"] ?? 0, {}),
      listener("retrying", ports["retrying"] ?? 0, { retry_policy: retries }),
    ]),
  );
  for (const twin of twins.all) await membership(twin, servers.length);
});

afterAll(async () => {
  await twins.stop();
  controlPlane.stop();
  for (const server of servers) await server.kill();
});

function listener(name: string, port: number, route: object): object {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", timeout: "30s", ...route } }];
  return httpListener(name, port, { route_config: routeTable(routes) });
}

function assign(hosts: readonly Restartable[]): void {
  const endpoints = hosts.map(({ port }) => ({ endpoint: { address: socketAddress(port) } }));
  controlPlane.set("endpoint", {
    up: { cluster_name: "up", endpoints: [{ lb_endpoints: endpoints }] },
  });
}

async function membership(twin: Twin, count: number): Promise<void> {
  await until(
    async () => (await statsOf(twin, "cluster.up.membership_total"))[MEMBERS] === count,
    `${count} hosts`,
    LONG_MS,
  );
}

const MEMBERS = "cluster.up.membership_total";
const LONG_MS = 60_000;

/** Waits until so many more requests were sent. */
async function some(load: OpenLoop): Promise<void> {
  const enough = load.sent + REQUESTS_BETWEEN;
  await until(() => load.sent >= enough, "more requests", LONG_MS);
}

/** Restarts one server after the other, and says what the clients saw. */
async function restartAll(
  twin: Twin,
  port: number,
  restart: (server: Restartable, load: OpenLoop) => Promise<void>,
): Promise<LoadResult> {
  const load = new OpenLoop(port, PER_SECOND);
  try {
    await some(load);
    for (let times = 0; times < RESTARTS; times++) {
      const server = servers[times % servers.length];
      if (server === undefined) continue;
      await restart(server, load);
      await membership(twin, servers.length);
      await some(load);
    }
  } finally {
    await load.stop();
  }
  return load.stop();
}

describe("servers that are restarted under load", () => {
  test("fail nobody where they are taken out before", { timeout: 120_000 }, async () => {
    for (const twin of twins.all) {
      const port = twin.ports["plain"] ?? 0;
      const { sent, failures } = await restartAll(twin, port, async (server, load) => {
        assign(servers.filter((one) => one !== server));
        await membership(twin, servers.length - 1);
        // What is in flight ends, kept connections close, and nobody comes any more.
        await until(() => server.connections === 0, "the server to be left alone", LONG_MS);
        await server.kill();
        await some(load);
        expect(server.connections).toBe(0);
        await server.start();
        assign(servers);
      });
      expect({ failures }).toEqual({ failures: {} });
      expect(sent).toBeGreaterThan(RESTARTS * REQUESTS_BETWEEN);
    }
  });

  test("fail nobody who may try again", { timeout: 120_000 }, async () => {
    for (const twin of twins.all) {
      const port = twin.ports["retrying"] ?? 0;
      const { failures } = await restartAll(twin, port, async (server, load) => {
        await server.kill();
        await some(load);
        await server.start();
      });
      const { "cluster.up.upstream_rq_retry": retried = 0 } = await statsOf(
        twin,
        "cluster.up.upstream_rq_retry",
      );
      expect({ failures }).toEqual({ failures: {} });
      expect(retried).toBeGreaterThan(0);
    }
  });

  test("fail some who may not", { timeout: 120_000 }, async () => {
    for (const twin of twins.all) {
      const port = twin.ports["plain"] ?? 0;
      const { failures } = await restartAll(twin, port, async (server, load) => {
        await server.kill();
        await some(load);
        await server.start();
      });
      expect(Object.keys(failures)).toEqual(["503"]);
    }
  });
});
