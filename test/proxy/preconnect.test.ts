import { type ClientRequest, request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { HoldingUpstream } from "./holding-upstream.ts";
import { statsOf, type Twin, Twins } from "./twins.ts";

interface Case {
  readonly name: string;
  /** How many hosts there are. */
  readonly hosts: number;
  readonly cluster: object;
  /** Connections after each of so many requests that are held. */
  readonly connections: readonly number[];
  /** How many hosts have some in the end; -1 where that is chance. */
  readonly reached: number;
}

const each = (ratio: number): object => ({
  preconnect_policy: { per_upstream_preconnect_ratio: ratio },
});
const ahead = (ratio: number): object => ({
  preconnect_policy: { predictive_preconnect_ratio: ratio },
});

const CASES: readonly Case[] = [
  { name: "none", hosts: 1, cluster: each(1), connections: [1, 2, 3, 4, 5], reached: 1 },
  { name: "a-tenth", hosts: 1, cluster: each(1.1), connections: [2, 3, 4, 5, 6], reached: 1 },
  { name: "half", hosts: 1, cluster: each(1.5), connections: [2, 3, 5, 6, 8], reached: 1 },
  { name: "double", hosts: 1, cluster: each(2), connections: [2, 4, 6, 8, 10], reached: 1 },
  { name: "triple", hosts: 1, cluster: each(3), connections: [3, 6, 9, 12, 15], reached: 1 },
  {
    name: "bound",
    hosts: 1,
    cluster: { ...each(3), circuit_breakers: { thresholds: [{ max_connections: 4 }] } },
    connections: [3, 4, 4],
    reached: 1,
  },
  { name: "next", hosts: 4, cluster: ahead(1.5), connections: [3, 3, 5, 6], reached: 4 },
  { name: "next-double", hosts: 4, cluster: ahead(2), connections: [3, 4, 6, 8], reached: 4 },
  { name: "next-all", hosts: 4, cluster: ahead(3), connections: [4, 6, 7], reached: 4 },
  {
    name: "next-at-random",
    hosts: 1,
    cluster: { ...ahead(2), lb_policy: "RANDOM" },
    connections: [1, 2, 3],
    reached: 1,
  },
  {
    name: "nobody-knows-the-next",
    hosts: 4,
    cluster: { ...ahead(3), lb_policy: "LEAST_REQUEST" },
    connections: [1, 2, 3],
    reached: -1,
  },
  {
    name: "both",
    hosts: 2,
    cluster: {
      preconnect_policy: { per_upstream_preconnect_ratio: 2, predictive_preconnect_ratio: 2 },
    },
    connections: [3, 4, 6],
    reached: 2,
  },
];

let ups: HoldingUpstream[] = [];
beforeAll(async () => {
  ups = await Promise.all([1, 2, 3, 4].map(() => HoldingUpstream.start()));
});

afterAll(async () => {
  for (const up of ups) await up.stop();
});

/** Envoy counts what is open over all clusters: each case has an Envoy for itself. */
function startTwins(one: Case): Promise<Twins> {
  return Twins.start(["in"], (places) => ({
    admin: { address: socketAddress(places.adminPort) },
    static_resources: {
      listeners: [
        httpListener("in", places.ports["in"] ?? 0, {
          route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: one.name } }]),
        }),
      ],
      clusters: [
        staticCluster(
          one.name,
          ups.slice(0, one.hosts).map(({ port }) => port),
          one.cluster,
        ),
      ],
    },
  }));
}

async function stat(twin: Twin, cluster: string, name: string): Promise<number> {
  const prefix = `cluster.${cluster}.${name}`;
  return (await statsOf(twin, prefix))[prefix] ?? 0;
}

/** How many hosts of a cluster have been connected to. */
async function reached({ adminPort }: Twin, cluster: string): Promise<number> {
  const page = await fetch(`http://127.0.0.1:${adminPort}/clusters`);
  const lines = (await page.text()).split("\n");
  return lines.filter((line) => line.startsWith(`${cluster}::`) && /::cx_total::[1-9]/.test(line))
    .length;
}

function hold(twin: Twin, name: string): ClientRequest {
  const port = twin.ports["in"] ?? 0;
  const sent = request({ host: "127.0.0.1", port, path: `/hold-${name}`, agent: false });
  sent.on("error", () => undefined);
  sent.on("response", (response) => response.resume());
  sent.end();
  return sent;
}

describe("connections that are made ahead", () => {
  test.each(CASES)("$name", async (one) => {
    const { name, connections, reached: hosts } = one;
    const twins = await startTwins(one);
    const seen = [];
    for (const twin of twins.all) {
      const sent: ClientRequest[] = [];
      const counts: number[] = [];
      for (let held = 1; held <= connections.length; held++) {
        sent.push(hold(twin, name));
        await until(
          async () => (await stat(twin, name, "upstream_rq_active")) === held,
          `${held} requests of ${name}`,
        );
        counts.push(await stat(twin, name, "upstream_cx_total"));
      }
      const count = await reached(twin, name);
      for (const request of sent) request.destroy();
      seen.push({ counts, hosts: hosts === -1 ? hosts : count });
    }
    await twins.stop();
    for (const outcome of seen.reverse()) expect(outcome).toEqual({ counts: connections, hosts });
  });
});
