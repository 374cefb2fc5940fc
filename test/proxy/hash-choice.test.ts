import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { socketAddress, tcpListener } from "./bootstrap-json.ts";
import { BothPlanes, destroy, type Plane } from "./both-planes.ts";
import { closeAll, closers } from "./cluster-planes.ts";
import {
  askAll,
  endpointOf,
  hashCluster,
  keys,
  requestOf,
  startHashing,
  startNumbered,
  startUpstreams,
} from "./hashing-planes.ts";

afterEach(closeAll);

const BY_HEADER = { hash_policy: [{ header: { header_name: "x-key" } }] };
const MAGLEV = { lb_policy: "MAGLEV" };

const TYPED_MAGLEV = {
  lb_policy: undefined,
  load_balancing_policy: {
    policies: [
      {
        typed_extension_config: {
          name: "maglev",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3.Maglev",
            locality_weighted_lb_config: {},
          },
        },
      },
    ],
  },
};

/** The way of each key: one request after the other. */
function requestsOf(path: string, all: readonly string[]): readonly string[] {
  return all.map((key) => requestOf(path, [`x-key: ${key}`]));
}

describe("by hash", () => {
  test("TCP connections go by the client's address", async () => {
    const ports = await Promise.all(
      Array.from({ length: 7 }, (_, at) => startTcp((socket) => socket.end(String(at)))),
    );
    const cluster = hashCluster("up", [{ lb_endpoints: ports.map((port) => endpointOf(port)) }]);
    const both = new BothPlanes<"in" | "any">();
    closers.push(() => both.stop());
    await both.start(["in", "any"], (own) => ({
      admin: { address: socketAddress(own.admin) },
      static_resources: {
        listeners: [
          tcpListener("in", own.in, { cluster: "up", hash_policy: [{ source_ip: {} }] }),
          tcpListener("any", own.any, {
            cluster: "up",
            hash_policy: [{ filter_state: { key: "x" } }],
          }),
        ],
        clusters: [cluster],
      },
    }));
    const seen = await both.each(async (plane) => {
      const hosts: string[] = [];
      for (let at = 1; at < 40; at++) hosts.push(await say(plane.ports.in, `127.0.1.${at}`));
      const any = new Set<string>();
      for (let at = 0; at < 20; at++) any.add(await say(plane.ports.any, "127.0.1.1"));
      return { hosts, isAny: any.size > 1 };
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(new Set(seen.weft.hosts).size).toBeGreaterThan(3);
    expect(seen.weft.isAny).toBe(true);
  });

  test("retries go to the same host, or on from there where it was tried", async () => {
    const ups = await startUpstreams(6, 503);
    const localities = [{ lb_endpoints: ups.ports.map((port) => endpointOf(port)) }];
    const clusters = [hashCluster("ring", localities), hashCluster("maglev", localities, MAGLEV)];
    const retry = { retry_on: "5xx", num_retries: 3, retry_back_off: { base_interval: "0.001s" } };
    const previous = {
      retry_host_predicate: [
        {
          name: "envoy.retry_host_predicates.previous_hosts",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
          },
        },
      ],
      host_selection_retry_max_attempts: 4,
    };
    const routes = clusters.flatMap(({ name }) => [
      {
        match: { prefix: `/${name}/other` },
        route: { cluster: name, ...BY_HEADER, retry_policy: { ...retry, ...previous } },
      },
      {
        match: { prefix: `/${name}/same` },
        route: { cluster: name, ...BY_HEADER, retry_policy: retry },
      },
    ]);
    const both = await startHashing(clusters, {}, { routes });
    const all = keys(20);
    for (const { name } of clusters) {
      for (const way of ["same", "other"]) {
        const seen = await both.each(async (plane) => {
          await askAll(plane, requestsOf(`/${name}/${way}`, all));
          return ups.take();
        });
        expect({ name, way, seen: seen.weft }).toEqual({ name, way, seen: seen.envoy });
        const tried = all.map((key) => new Set(seen.weft[key]).size);
        expect(Math.max(...tried)).toBe(way === "same" ? 1 : 4);
      }
    }
  }, 60_000);

  test("requests to weighted clusters have their hosts, and copies of them go anywhere", async () => {
    const ups = await startUpstreams(4, 200);
    const copies = await startUpstreams(5, 200);
    const clusters = [
      hashCluster("one", [{ lb_endpoints: ups.ports.map((port) => endpointOf(port)) }]),
      hashCluster("copy", [{ lb_endpoints: copies.ports.map((port) => endpointOf(port)) }], MAGLEV),
    ];
    const routes = [
      {
        match: { prefix: "/" },
        route: {
          weighted_clusters: { clusters: [{ name: "one", weight: 1 }] },
          ...BY_HEADER,
          request_mirror_policies: [{ cluster: "copy" }],
        },
      },
    ];
    const both = await startHashing(clusters, {}, { routes });
    const all = keys(40);
    const seen = await both.each(async (plane) => {
      const hosts: (readonly string[])[] = [];
      for (let times = 0; times < 3; times++) hosts.push(await askAll(plane, requestsOf("/", all)));
      await until(() => copies.count >= all.length * 3, "all copies");
      const names = Object.values(copies.take());
      return { hosts, isAny: names.some((own) => new Set(own).size > 1) };
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(seen.weft.isAny).toBe(true);
  }, 60_000);
});

describe("who is hashed to", () => {
  const unhealthy = { health_status: "UNHEALTHY" };
  const degraded = { health_status: "DEGRADED" };

  test("is who is healthy, in the priorities that Envoy takes", async () => {
    const ports = await startNumbered(10);
    const of = (
      from: number,
      to: number,
      broken: number,
      state: Readonly<Record<string, unknown>> = unhealthy,
    ): readonly object[] =>
      ports
        .slice(from, to)
        .map((port, at) =>
          endpointOf(port, at < broken ? state : { load_balancing_weight: 1 + at }),
        );
    const levels = (...all: (readonly object[])[]): object[] =>
      all.map((some, priority) => ({ priority, lb_endpoints: some }));
    const NOBODY = {
      "none-degraded": levels(of(0, 3, 3, degraded)),
      "none-healthy": levels(of(0, 5, 5), of(5, 10, 5)),
    };
    const SHAPES: Readonly<Record<string, readonly object[]>> = {
      some: levels(of(0, 10, 3)),
      panic: levels(of(0, 10, 7)),
      degraded: levels(of(0, 10, 4, degraded)),
      spill: levels(of(0, 5, 3), of(5, 10, 0)),
      twice: levels(of(0, 4, 3), of(4, 7, 2), of(7, 10, 0)),
      away: levels(of(0, 5, 5), of(5, 10, 0)),
      gap: [{ priority: 0, lb_endpoints: [] }, ...levels([], of(3, 10, 2)).slice(1)],
      ...NOBODY,
    };
    const calm = { common_lb_config: { healthy_panic_threshold: { value: 0 } } };
    const clusters = [
      ...Object.entries(SHAPES).flatMap(([name, localities]) => [
        hashCluster(`ring-${name}`, localities),
        hashCluster(`table-${name}`, localities, MAGLEV),
      ]),
      hashCluster("calm-panic", SHAPES["panic"] ?? [], calm),
      hashCluster("calm-none", NOBODY["none-healthy"], { ...calm, ...MAGLEV }),
    ];
    const both = await startHashing(clusters, BY_HEADER);
    const all = keys(50);
    for (const { name } of clusters) {
      const seen = await both.each(async (plane) => ({
        name,
        // Of many on one connection Envoy does not answer all by itself.
        hosts: await askAll(plane, requestsOf(`/${name}`, name.includes("none") ? ["x"] : all)),
      }));
      expect.soft(seen.weft).toEqual(seen.envoy);
    }
    const stats = await both.each((plane) => plane.stats("_lb%5C.|lb_healthy_panic"));
    expect(stats.weft).toEqual(stats.envoy);
    expect(stats.weft["cluster.ring-panic.lb_healthy_panic"]).toBe(all.length);
  }, 60_000);

  test("is of a locality by what that weighs, as long as it has somebody", async () => {
    const ports = await startNumbered(9);
    const of = (zone: string, from: number, to: number, options: object, broken = 0): object => ({
      locality: { region: "r", zone },
      lb_endpoints: ports
        .slice(from, to)
        .map((port, at) => endpointOf(port, at < broken ? unhealthy : {})),
      ...options,
    });
    const heavy = { load_balancing_weight: 5 };
    const light = { load_balancing_weight: 1 };
    const SHAPES: Readonly<Record<string, readonly object[]>> = {
      weighted: [of("b", 0, 2, heavy), of("a", 2, 7, light), of("c", 7, 9, {})],
      broken: [of("b", 0, 3, heavy, 2), of("a", 3, 8, light), of("c", 8, 9, heavy, 1)],
      panic: [of("a", 0, 5, heavy, 5), of("b", 5, 9, light, 2)],
      "none-weighs": [of("a", 0, 5, {}), of("b", 5, 9, {})],
    };
    const weighs = { common_lb_config: { locality_weighted_lb_config: {} } };
    const clusters = Object.entries(SHAPES).flatMap(([name, localities]) => [
      hashCluster(`ring-${name}`, localities, weighs),
      hashCluster(`table-${name}`, localities, { ...weighs, ...MAGLEV }),
      hashCluster(`typed-${name}`, localities, TYPED_MAGLEV),
      hashCluster(`flat-${name}`, localities),
    ]);
    const both = await startHashing(clusters, BY_HEADER);
    const all = keys(50);
    for (const { name } of clusters) {
      const some = /(?:ring|table|typed)-none/.test(name) ? ["x"] : all;
      const seen = await both.each(async (plane) => ({
        name,
        hosts: await askAll(plane, requestsOf(`/${name}`, some)),
      }));
      expect.soft(seen.weft).toEqual(seen.envoy);
    }
    const stats = await both.each((plane) => plane.stats("_lb%5C."));
    expect(stats.weft).toEqual(stats.envoy);
  }, 60_000);

  test("is known by its name where names of a DNS cluster are hashed", async () => {
    const ports = await startNumbered(5);
    const endpoints = ports.map((port, at) =>
      endpointOf(port, {
        endpoint: {
          address: socketAddress(port, "localhost"),
          ...(at > 0 ? { hostname: `host-${at}.test` } : {}),
        },
      }),
    );
    const options = {
      type: "STRICT_DNS",
      dns_lookup_family: "V4_ONLY",
      common_lb_config: { consistent_hashing_lb_config: { use_hostname_for_hashing: true } },
    };
    const clusters = [
      hashCluster("ring", [{ lb_endpoints: endpoints }], options),
      hashCluster("table", [{ lb_endpoints: endpoints }], { ...options, ...MAGLEV }),
    ];
    const both = await startHashing(clusters, BY_HEADER);
    const all = keys(100);
    for (const { name } of clusters) {
      const seen = await both.each((plane) => askAll(plane, requestsOf(`/${name}`, all)));
      expect(seen.weft).toEqual(seen.envoy);
      expect(new Set(seen.weft).size).toBe(5);
    }
  }, 60_000);

  test("is one of the subset that the route asks for", async () => {
    const ports = await startNumbered(8);
    const endpoints = ports.map((port, at) =>
      endpointOf(port, {
        metadata: { filter_metadata: { "envoy.lb": { version: `v${at % 2}` } } },
      }),
    );
    const subsets = {
      lb_subset_config: {
        fallback_policy: "ANY_ENDPOINT",
        subset_selectors: [{ keys: ["version"] }],
      },
    };
    const clusters = [
      hashCluster("ring", [{ lb_endpoints: endpoints }], subsets),
      hashCluster("table", [{ lb_endpoints: endpoints }], { ...subsets, ...MAGLEV }),
    ];
    const routes = clusters.flatMap(({ name }) => [
      {
        match: { prefix: `/${name}/v1` },
        route: {
          cluster: name,
          ...BY_HEADER,
          metadata_match: { filter_metadata: { "envoy.lb": { version: "v1" } } },
        },
      },
    ]);
    const both = await startHashing(clusters, BY_HEADER, { routes });
    const all = keys(80);
    for (const { name } of clusters) {
      for (const path of [`/${name}/v1`, `/${name}`]) {
        const seen = await both.each((plane) => askAll(plane, requestsOf(path, all)));
        expect.soft({ path, hosts: seen.weft }).toEqual({ path, hosts: seen.envoy });
      }
    }
  }, 60_000);

  test("has no more than its bound of what is in flight", async () => {
    const ups = await startUpstreams(6, undefined);
    const endpoints = ups.ports.map((port, at) =>
      endpointOf(port, { load_balancing_weight: 1 + (at % 3) }),
    );
    const bound = {
      common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 120 } },
    };
    const clusters = [
      hashCluster("ring", [{ lb_endpoints: endpoints }], bound),
      hashCluster("table", [{ lb_endpoints: endpoints }], { ...bound, ...MAGLEV }),
    ];
    const both = await startHashing(clusters, BY_HEADER);
    for (const { name } of clusters) {
      const seen = await both.each(async (plane) => {
        const open: Socket[] = [];
        for (let sent = 0; sent < 40; sent++) {
          const socket = connect(plane.ports.in, "127.0.0.1");
          socket.on("error", () => undefined);
          open.push(socket);
          // Mostly the same one.
          socket.write(requestOf(`/${name}`, [`x-key: key-${sent % 5 === 0 ? sent : 0}`]));
          await until(() => ups.count > sent, "the request to come");
        }
        for (const socket of open) await destroy(socket);
        await awaitNone(plane, name);
        return ups.take();
      });
      expect({ name, hosts: seen.weft }).toEqual({ name, hosts: seen.envoy });
      expect(new Set(seen.weft["key-0"]).size).toBeGreaterThan(2);
    }
  }, 60_000);
});

describe("bounded loads of TCP connections", () => {
  test("count connections as Envoy does", async () => {
    let came: string[] = [];
    const open = new Set<Socket>();
    const ports = await Promise.all(
      Array.from({ length: 4 }, (_, at) =>
        startTcp((socket) => {
          open.add(socket);
          // Not when it is accepted: a proxy counts a connection when it learns that it is one,
          // which may be later, but certainly before it writes to it.
          socket.once("data", () => came.push(String(at)));
        }),
      ),
    );
    const cluster = hashCluster("up", [{ lb_endpoints: ports.map((port) => endpointOf(port)) }], {
      common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 120 } },
    });
    const both = new BothPlanes<"in">();
    closers.push(() => both.stop());
    await both.start(["in"], (own) => ({
      admin: { address: socketAddress(own.admin) },
      static_resources: {
        listeners: [tcpListener("in", own.in, { cluster: "up", hash_policy: [{ source_ip: {} }] })],
        clusters: [cluster],
      },
    }));
    const seen = await both.each(async (plane) => {
      came = [];
      const clients: Socket[] = [];
      for (let sent = 0; sent < 20; sent++) {
        const socket = connect(plane.ports.in, "127.0.0.1");
        socket.on("error", () => undefined);
        socket.write("x");
        clients.push(socket);
        await until(() => came.length > sent, "the connection to come");
      }
      for (const socket of clients) await destroy(socket);
      for (const socket of open) await destroy(socket);
      open.clear();
      return came;
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(new Set(seen.weft).size).toBeGreaterThan(2);
  }, 60_000);
});

async function awaitNone(plane: Plane<"in">, name: string): Promise<void> {
  await until(
    async () =>
      (await plane.stats(`^cluster.${name}.upstream_rq_active$`))[
        `cluster.${name}.upstream_rq_active`
      ] === 0,
    `${plane.name}: no request in flight`,
  );
}

/** A server of TCP connections. */
async function startTcp(accept: (socket: Socket) => void): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** What a client of that address is told. */
async function say(port: number, localAddress: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  let got = "";
  let isOver = false;
  socket.on("data", (chunk: Buffer) => (got += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  socket.on("close", () => (isOver = true));
  await until(() => isOver, "the end");
  return got;
}
