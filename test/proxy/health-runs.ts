import { join } from "node:path";
import { until } from "../controlplane/until.ts";
import { socketAddress } from "./bootstrap-json.ts";
import { CheckedServer, SILENCE } from "./checked-server.ts";
import type { HealthCase } from "./health-cases.ts";
import { healthFlags, linesOf, type PlaceOfPlane, startPlane, statsWith } from "./health-planes.ts";

/** What came of a case. */
export interface HealthOutcome {
  /** Lines of the log of events, without what differs from run to run. */
  readonly events: readonly string[];
  readonly checks: readonly string[];
  /** Which connection each check came by. */
  readonly connections: readonly number[];
  /** Empty for a case without end. */
  readonly stats: Readonly<Record<string, number>>;
  readonly flags: readonly string[];
}

/** Fast while nothing goes to the cluster, which nothing does. */
const CHECK = {
  timeout: "60s",
  interval: "60s",
  no_traffic_interval: "0.02s",
  unhealthy_threshold: 2,
  healthy_threshold: 2,
  always_log_health_check_failures: true,
  always_log_health_check_success: true,
};

function clusterOf(one: HealthCase, at: number, port: number, { folder }: PlaceOfPlane): object {
  const endpoint = { address: socketAddress(port), ...one.endpoint };
  const metadata = { filter_metadata: { e: { k: "v" } } };
  return {
    name: `c${at}`,
    type: "STATIC",
    connect_timeout: "2s",
    health_checks: [{ ...CHECK, event_log_path: join(folder, `c${at}.log`), ...one.check }],
    load_assignment: {
      cluster_name: `c${at}`,
      endpoints: [{ lb_endpoints: [{ endpoint, metadata }] }],
    },
    ...one.cluster,
  };
}

/** Runs all cases at once, each with a cluster and a server of its own. */
export async function runCases(
  name: "weft" | "envoy",
  cases: readonly HealthCase[],
): Promise<readonly HealthOutcome[]> {
  const servers = await Promise.all(
    cases.map((one) => CheckedServer.start([...one.answers, SILENCE])),
  );
  const plane = await startPlane(name, [], (place) => ({
    static_resources: {
      clusters: cases.map((one, at) => clusterOf(one, at, servers[at]?.port ?? 0, place)),
    },
  }));
  try {
    return await Promise.all(
      cases.map(async (one, at) => {
        const server = servers[at];
        if (server === undefined) throw new Error("no server");
        const { length } = one.answers;
        const count = one.isEndless === true ? length : length + 1;
        await until(() => server.checks.length >= count, `${name}: the checks of "${one.name}"`);
        const lines = await eventsOf(join(plane.folder, `c${at}.log`), one);
        return {
          events: lines.map((line) => normalize(line, server.port)),
          checks: server.checks.slice(0, length).map((check) => unport(check, server.port)),
          connections: server.connectionOf.slice(0, length),
          stats: one.isEndless === true ? {} : await caseStats(plane, `cluster.c${at}.`),
          flags: one.isEndless === true ? [one.flags] : await healthFlags(plane, `c${at}`),
        };
      }),
    );
  } finally {
    await plane.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Logs are written out after a quarter of a second at the latest. */
const LOG_MS = 1000;

/** As many lines as the case says; without a word of it all that there are. */
async function eventsOf(path: string, { events }: HealthCase): Promise<readonly string[]> {
  if (events === undefined) {
    await new Promise((resolve) => setTimeout(resolve, LOG_MS));
    return linesOf(path, 0);
  }
  const lines = await linesOf(path, events.length);
  return lines.slice(0, events.length);
}

async function caseStats(
  plane: { readonly adminPort: number },
  prefix: string,
): Promise<Readonly<Record<string, number>>> {
  const all = Object.entries(await statsWith(plane, prefix));
  const wanted = /^(?:health_check\.|membership_|upstream_cx_protocol_error$)/;
  return Object.fromEntries(all.filter(([name]) => wanted.test(name)));
}

function normalize(line: string, port: number): string {
  return line
    .replace(`"port_value":${port}`, '"port_value":1')
    .replace(/"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"/, '"timestamp":"TIME"');
}

/** Both connect from ports of their own to a server of their own. */
function unport(check: string, port: number): string {
  return check.replace(/ [1-9]\d+ (\d+)\r\n/, (all, to) =>
    to === String(port) ? " FROM TO\r\n" : String(all),
  );
}

interface EventParts {
  readonly failure_type?: string;
  readonly http_status_code?: number;
  readonly first_check?: boolean;
}

/** What a line says, in short. */
export function summary(line: string): string {
  const event = JSON.parse(line) as Record<string, EventParts>;
  const name = Object.keys(event).find((key) => /_event$|_host$/.test(key)) ?? "";
  const says = event[name] ?? {};
  const first = says.first_check === true ? "first_check" : undefined;
  const parts = [name, says.failure_type, says.http_status_code, first];
  return parts.filter((part) => part !== undefined).join(" ");
}
