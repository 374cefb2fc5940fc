import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { closeAll, closers } from "./cluster-planes.ts";
import { clustersOf } from "./dynamic-bootstrap.ts";
import {
  askAll,
  endpointOf,
  hashCluster,
  keys,
  requestOf,
  startHashing,
  startNumbered,
} from "./hashing-planes.ts";
import { TestControlPlane } from "./test-control-plane.ts";

afterEach(closeAll);

const ADS = { ads: {}, resource_api_version: "V3" };
const BY_HEADER = { hash_policy: [{ header: { header_name: "x-key" } }] };

describe("what is hashed to", () => {
  test("changes as in Envoy when endpoints change", async () => {
    const ports = await startNumbered(8);
    const controlPlane = new TestControlPlane();
    await controlPlane.start();
    closers.push(() => controlPlane.stop());
    const eds = {
      type: "EDS",
      load_assignment: undefined,
      eds_cluster_config: { eds_config: ADS },
    };
    // Of 50 points not everybody has the same number: who has more is a matter of order.
    const ring = { ring_hash_lb_config: { minimum_ring_size: 50, maximum_ring_size: 50 } };
    const clusters = {
      ring: hashCluster("ring", [], { ...eds, ...ring }),
      table: hashCluster("table", [], { ...eds, lb_policy: "MAGLEV" }),
    };
    const names = Object.keys(clusters);
    const both = new BothPlanes<"in">();
    closers.push(() => both.stop());
    const assign = (endpoints: readonly object[]): void => {
      const all = names.map((name) => [
        name,
        { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
      ]);
      controlPlane.set("endpoint", Object.fromEntries(all));
    };
    controlPlane.set("cluster", JSON.parse(JSON.stringify(clusters)) as typeof clusters);
    const of = (order: readonly number[], options: Record<string, unknown> = {}): object[] =>
      order.map((at) => endpointOf(ports[at] ?? 0, at === 3 ? options : {}));
    assign(of([0, 1, 2, 3, 4, 5]));
    const routes = names.map((name) => ({
      match: { prefix: `/${name}` },
      route: { cluster: name, prefix_rewrite: "/", ...BY_HEADER },
    }));
    await both.start(["in"], (own) =>
      clustersOf(controlPlane.port, own.admin, [
        httpListener("in", own.in, { route_config: routeTable(routes) }),
      ]),
    );
    const STEPS: readonly (readonly object[])[] = [
      of([0, 1, 2, 3, 4, 5]),
      of([0, 1, 3, 4, 5]),
      of([6, 0, 1, 3, 7, 4, 5]),
      of([6, 0, 1, 3, 7, 4, 5], { load_balancing_weight: 7 }),
      of([6, 0, 1, 3, 7, 4, 5], { health_status: "UNHEALTHY" }),
      of([5, 4, 3, 7, 1, 0]),
      of([0, 1, 3, 7, 4, 5]),
      of([0, 1, 3, 7, 4, 5], { metadata: { filter_metadata: { "envoy.lb": { hash_key: "k" } } } }),
      of([2]),
      of([]),
      of([3, 2, 1, 0]),
    ];
    const all = keys(100);
    for (const [step, endpoints] of STEPS.entries()) {
      if (step > 0) assign(endpoints);
      const seen = await both.each(async (plane) => {
        await until(async () => {
          const counts = await plane.stats("cluster.*update_success");
          return names.every((name) => (counts[`cluster.${name}.update_success`] ?? 0) > step);
        }, `${plane.name} to have taken step ${step}`);
        const hosts: Record<string, readonly string[]> = {};
        const asked = endpoints.length === 0 ? ["x"] : all;
        for (const name of names) {
          hosts[name] = await askAll(
            plane,
            asked.map((key) => requestOf(`/${name}`, [`x-key: ${key}`])),
          );
        }
        const sizes = await plane.stats("_hashes_per_host|_entries_per_host");
        return { step, hosts, sizes };
      });
      expect.soft(seen.weft).toEqual(seen.envoy);
    }
  }, 60_000);

  test("is an address in the one form that Envoy writes it in", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-hash-"));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const pipe = (at: number): string => join(folder, String(at));
    const local: [address: string, port: number][] = [];
    for (const listen of [{ host: "::1" }, { host: "::1" }, { path: pipe(1) }, { path: pipe(2) }]) {
      const at = String(local.length);
      const server = createServer((_request, response) => response.end(at));
      await new Promise<void>((resolve) => server.listen({ port: 0, ...listen }, resolve));
      closers.push(() => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      });
      const address = server.address();
      if (typeof address === "string" || address === null) local.push([String(address), 0]);
      else local.push([local.length === 0 ? "::1" : "0:0:0:0:0:0:0:1", address.port]);
    }
    const endpoints = local.map(([address, port]) => ({
      endpoint: {
        address: port === 0 ? { pipe: { path: address } } : socketAddress(port, address),
      },
    }));
    const clusters = [
      hashCluster("ring", [{ lb_endpoints: endpoints }]),
      hashCluster("table", [{ lb_endpoints: endpoints }], { lb_policy: "MAGLEV" }),
    ];
    const both = await startHashing(clusters, BY_HEADER);
    const all = keys(100);
    for (const { name } of clusters) {
      const requests = all.map((key) => requestOf(`/${name}`, [`x-key: ${key}`]));
      const seen = await both.each((plane) => askAll(plane, requests));
      expect(seen.weft).toEqual(seen.envoy);
      expect(new Set(seen.weft).size).toBe(4);
    }
  }, 60_000);
});
