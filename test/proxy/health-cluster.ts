import { join } from "node:path";
import { httpListener, routeTable, staticCluster } from "./bootstrap-json.ts";
import { type CheckAnswer, CheckedServer, response } from "./checked-server.ts";
import { type HealthPlane, startPlane, statsWith } from "./health-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { caseLog } from "./twins.ts";

export const OK = response(200);
export const BAD = response(500);

/** What is checked by hand: a second check comes only where the first one failed. */
const CHECK = {
  timeout: "60s",
  interval: "60s",
  no_traffic_interval: "0.02s",
  no_traffic_healthy_interval: "60s",
  unhealthy_threshold: 3,
  healthy_threshold: 2,
  http_health_check: { path: "/check" },
};

/** What a test started, to be closed in the other order. */
export const closers: (() => unknown)[] = [];

/** Closes everything that a test started. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** A server that answers checks in that order. */
export async function serve(...answers: readonly CheckAnswer[]): Promise<CheckedServer> {
  const server = await CheckedServer.start(answers);
  closers.push(() => server.stop());
  return server;
}

/** A proxy that sends every request to the cluster `up`; `more` is merged into its bootstrap. */
export async function startCluster(
  name: "weft" | "envoy",
  cluster: object,
  more: object = {},
): Promise<HealthPlane> {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
  const plane = await startPlane(name, ["in"], ({ ports, folder }) => ({
    ...more,
    static_resources: {
      listeners: [
        httpListener("in", ports["in"] ?? 0, {
          route_config: routeTable(routes),
          access_log: [caseLog(join(folder, "access.log"))],
        }),
      ],
      clusters: [cluster],
    },
  }));
  closers.push(() => plane.stop());
  return plane;
}

/** Status and body of so many requests, one after the other. */
export async function ask(plane: HealthPlane, count = 1, headers = ""): Promise<readonly string[]> {
  const answers: string[] = [];
  for (let at = 0; at < count; at++) {
    const { messages } = await exchangeRaw({
      port: plane.ports["in"] ?? 0,
      parts: [`GET /app HTTP/1.1\r\nHost: a\r\nx-case: ${at}\r\n${headers}\r\n`],
      answers: 1,
    });
    answers.push(`${messages[0]?.line.split(" ")[1]} ${messages[0]?.body}`);
  }
  return answers;
}

/** What is counted of checks and of hosts. */
export async function checkStats(plane: HealthPlane): Promise<Readonly<Record<string, number>>> {
  const all = Object.entries(await statsWith(plane, "cluster.up."));
  return Object.fromEntries(all.filter(([name]) => /^(health_check|membership)/.test(name)));
}

/** The cluster `up` of fixed hosts that are checked. */
export function checkedCluster(
  ports: readonly number[],
  options: object = {},
  check: object = {},
): object {
  return staticCluster("up", ports, {
    health_checks: [{ ...CHECK, ...check }],
    // No panic, and changes count at once.
    common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: "0s" },
    ...options,
  });
}
