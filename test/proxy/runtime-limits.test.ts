import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, converse, destroy } from "./both-planes.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const SICK = { health_status: "UNHEALTHY" };

/** Keys of the runtime that change what the configuration says. */
describe("the runtime", () => {
  const both = new BothPlanes<"limited" | "panic">();

  beforeAll(async () => {
    await both.start(["limited", "panic"], (ports) => {
      const cluster = staticCluster("sick", [], {
        load_assignment: {
          cluster_name: "sick",
          endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(1) }, ...SICK }] }],
        },
      });
      const answer = [{ match: { prefix: "/" }, direct_response: { status: 204 } }];
      const pass = [{ match: { prefix: "/" }, route: { cluster: "sick" } }];
      return {
        admin: { address: socketAddress(ports.admin) },
        layered_runtime: {
          layers: [
            {
              name: "static",
              static_layer: {
                envoy: { resource_limits: { listener: { limited: { connection_limit: 2 } } } },
                "upstream.healthy_panic_threshold": 0,
              },
            },
          ],
        },
        static_resources: {
          listeners: [
            {
              ...httpListener("limited", ports.limited, { route_config: routeTable(answer) }),
              stat_prefix: "limited",
            },
            httpListener("panic", ports.panic, { route_config: routeTable(pass) }),
          ],
          clusters: [cluster],
        },
      };
    });
  });
  afterAll(() => both.stop());

  test("bounds the connections of one listener", async () => {
    const { weft, envoy } = await both.each(async ({ ports, stats }) => {
      const to = { host: "127.0.0.1", port: ports.limited };
      const first = await open(ports.limited);
      const second = await open(ports.limited);
      const third = await converse({ to, send: GET });
      await destroy(first);
      const active = "listener.limited.downstream_cx_active";
      await until(async () => (await stats(active))[active] === 1, "one to be gone");
      const again = await converse({ to, send: GET });
      await destroy(second);
      const counted = await stats("downstream_cx_overflow");
      return {
        third: third.got,
        again: again.got.slice(0, 12),
        overflow: counted["listener.limited.downstream_cx_overflow"],
      };
    });
    expect(weft).toEqual({ third: "", again: "HTTP/1.1 204", overflow: 1 });
    expect(weft).toEqual(envoy);
  });

  test("says when there is panic", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const { got } = await converse({ to: { host: "127.0.0.1", port: ports.panic }, send: GET });
      return got.replace(/^date: .*\r\n/m, "");
    });
    expect(weft).toContain("no healthy upstream");
    expect(weft).toBe(envoy);
  });
});

/** A connection that the proxy keeps open: it has answered on it. */
async function open(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(socket, "data");
  return socket;
}
