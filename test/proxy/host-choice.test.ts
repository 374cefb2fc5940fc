import { afterEach, describe, expect, test } from "vitest";
import {
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
} from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import {
  awaitStat,
  closeAll,
  closers,
  get,
  startPlanes,
  startUpstream,
  stats,
} from "./cluster-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";

afterEach(closeAll);

describe("subsets", () => {
  function says(text: string): Parameters<typeof startUpstream>[0] {
    return { "/": { send: `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}` } };
  }

  test("are what a route asks for", async () => {
    const ups = [await startUpstream(says("v1")), await startUpstream(says("v2"))];
    const endpoints = ups.map(({ port }, at) => ({
      endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
      metadata: { filter_metadata: { "envoy.lb": { version: `v${at + 1}`, list: ["x", at] } } },
    }));
    const cluster = staticCluster("up", [], {
      load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints: endpoints }] },
      lb_subset_config: {
        fallback_policy: "NO_FALLBACK",
        list_as_any: true,
        subset_selectors: [
          { keys: ["version"] },
          { keys: ["list"], fallback_policy: "ANY_ENDPOINT" },
        ],
      },
    });
    for (const [wanted, answers] of [
      [{ version: "v2" }, ["200 v2"]],
      [{ version: "v3" }, ["503 no healthy upstream"]],
      [{ list: 0 }, ["200 v1"]],
      [{ list: "y" }, ["200 v1", "200 v2"]],
      [{ version: "v1", list: "x" }, ["503 no healthy upstream"]],
    ] as const) {
      const metadata = { filter_metadata: { "envoy.lb": wanted } };
      const both = await startPlanes(cluster, { metadata_match: metadata });
      const seen = await both.each(async (plane) => {
        const all = new Set<string>();
        for (let times = 0; times < 6; times++) all.add(await get(plane));
        // Not `lb_subsets_active`: Envoy counts the subsets of every one of its threads.
        const names = ["lb_subsets_selected", "lb_subsets_fallback"];
        return { answers: [...all].sort(), stats: await stats(plane, names) };
      });
      expect(seen.weft.answers).toEqual(answers);
      expect(seen.weft).toEqual(seen.envoy);
    }
  });
});

describe("ORIGINAL_DST", () => {
  const CLUSTER = {
    name: "up",
    type: "ORIGINAL_DST",
    connect_timeout: "1s",
    lb_policy: "CLUSTER_PROVIDED",
    cleanup_interval: "0.2s",
  };

  test("sends where a header says, and nowhere when it says nothing", async () => {
    const [one, two] = [await startUpstream(), await startUpstream()];
    const both = await startPlanes({
      ...CLUSTER,
      original_dst_lb_config: { use_http_header: true },
    });
    const seen = await both.each(async (plane) => {
      const answers: string[] = [];
      for (const to of [
        `127.0.0.1:${one.port}`,
        `127.0.0.1:${two.port}`,
        "a.test:80",
        "127.0.0.1",
        "x",
      ]) {
        answers.push(await get(plane, "/", `x-envoy-original-dst-host: ${to}\r\n`));
      }
      answers.push(await get(plane));
      const [total, invalid] = await stats(plane, [
        "membership_total",
        "original_dst_host_invalid",
      ]);
      // Kept connections keep their hosts.
      return { answers, total, invalid };
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(seen.weft.answers.slice(0, 2)).toEqual(["200 hi", "200 hi"]);
    expect(seen.weft.answers.slice(2)).toEqual(Array(4).fill("503 no healthy upstream"));
    expect([one.requests.length, two.requests.length]).toEqual(
      [one, two].map(() => both.planes.length),
    );
  });

  test("takes another port where one is given, and forgets hosts that are not used", async () => {
    const up = await startUpstream({
      "/": { send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi" },
    });
    const both = await startPlanes({
      ...CLUSTER,
      original_dst_lb_config: {
        use_http_header: true,
        http_header_name: "X-To",
        upstream_port_override: up.port,
      },
    });
    const seen = await both.each(async (plane) => {
      const answer = await get(plane, "/", "x-to: 127.0.0.1:1\r\n");
      await awaitStat(plane, "membership_total", 0);
      return { answer, again: await get(plane, "/", "x-to: 127.0.0.1:2\r\n") };
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(seen.weft).toEqual({ answer: "200 hi", again: "200 hi" });
  });

  test("sends where a connection wanted to go, over TCP and HTTP", async () => {
    const up = await startUpstream();
    const both = new BothPlanes<"tcp" | "http">();
    closers.push(() => both.stop());
    const filters = [
      {
        name: "envoy.filters.listener.proxy_protocol",
        typed_config: {
          "@type":
            "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        },
      },
    ];
    const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
    await both.start(["tcp", "http"], (ports) => ({
      admin: { address: socketAddress(ports.admin) },
      static_resources: {
        listeners: [
          { ...tcpListener("tcp", ports.tcp, { cluster: "up" }), listener_filters: filters },
          {
            ...httpListener("http", ports.http, { route_config: routeTable(routes) }),
            listener_filters: filters,
          },
        ],
        clusters: [CLUSTER],
      },
    }));
    const text = `PROXY TCP4 127.0.0.9 127.0.0.1 1000 ${up.port}\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`;
    const seen = await both.each(async ({ ports }) => {
      const bodies: (string | undefined)[] = [];
      for (const port of [ports.tcp, ports.http]) {
        const { messages } = await exchangeRaw({ port, parts: [text], answers: 1 });
        bodies.push(messages[0]?.body);
      }
      return bodies;
    });
    expect(seen.weft).toEqual(["hi", "hi"]);
    expect(seen.weft).toEqual(seen.envoy);
  });
});
