import { afterEach, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { staticCluster } from "./bootstrap-json.ts";
import { type CheckAnswer, CheckedServer, response, SILENCE } from "./checked-server.ts";
import { type HealthPlane, healthFlags, startPlane, statsWith } from "./health-planes.ts";

const HOSTS = 1000;

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** weft with so many hosts at one server, which answers every check alike. */
async function startMany(
  answer: CheckAnswer,
  check: object,
): Promise<{ plane: HealthPlane; server: CheckedServer }> {
  const server = await CheckedServer.start([answer]);
  closers.push(() => server.stop());
  const ports = Array.from({ length: HOSTS }, () => server.port);
  const plane = await startPlane("weft", [], () => ({
    static_resources: {
      clusters: [
        staticCluster("up", ports, {
          health_checks: [
            {
              timeout: "80s",
              interval: "60s",
              no_traffic_interval: "1s",
              unhealthy_threshold: 2,
              healthy_threshold: 2,
              http_health_check: { path: "/check" },
              ...check,
            },
          ],
        }),
      ],
    },
  }));
  closers.push(() => plane.stop());
  return { plane, server };
}

async function stat(plane: HealthPlane, name: string): Promise<number> {
  return (await statsWith(plane, "cluster.up."))[name] ?? -1;
}

test("a thousand hosts are checked, on a kept connection each, and let go", async () => {
  const { plane, server } = await startMany(response(200), { interval_jitter_percent: 50 });
  // A cluster serves after so many checks, of whichever of its hosts.
  await until(() => new Set(server.connectionOf).size === HOSTS, "every host", 60_000);
  await until(async () => (await stat(plane, "health_check.healthy")) === HOSTS, "all", 60_000);
  expect(new Set(await healthFlags(plane, "up"))).toEqual(new Set(["healthy"]));
  await until(() => server.checks.length >= 3 * HOSTS, "three rounds of checks", 60_000);
  expect(server.connections).toBe(HOSTS);
  expect(await stat(plane, "health_check.healthy")).toBe(HOSTS);
  expect(await stat(plane, "health_check.failure")).toBe(0);
  await plane.stop();
  await until(() => server.openConnections === 0, "all connections to end");
  const { length } = server.checks;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(server.checks).toHaveLength(length);
}, 90_000);

test("a thousand hosts that hang hold nothing up for longer than the time-out", async () => {
  const { plane, server } = await startMany(SILENCE, { timeout: "1s", no_traffic_interval: "60s" });
  expect(new Set(await healthFlags(plane, "up"))).toEqual(
    new Set(["/failed_active_hc/active_hc_timeout"]),
  );
  expect(await stat(plane, "health_check.network_failure")).toBe(HOSTS);
  // No connection outlives its check.
  await until(() => server.openConnections === 0, "all connections to end");
}, 60_000);
