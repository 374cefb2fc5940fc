import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import {
  DEAD,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
  withDead,
} from "./bootstrap-json.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { statsOf, type TwinPlaces, Twins } from "./twins.ts";

/** How often each good host is asked while one waits for an interval to end. */
const BURST = 10;

/** Nobody is ejected for failures in a row, and nobody comes back. */
const RATES = {
  interval: "0.3s",
  base_ejection_time: "3600s",
  max_ejection_time: "3600s",
  max_ejection_percent: 100,
  consecutive_5xx: 0,
  consecutive_gateway_failure: 0,
  consecutive_local_origin_failure: 0,
  success_rate_minimum_hosts: 100,
  success_rate_request_volume: 1,
  failure_percentage_minimum_hosts: 100,
  failure_percentage_request_volume: 1,
};
const SPLIT = { split_external_local_origin_errors: true };

/** A cluster in which one host is worse than the others. */
interface RateCase {
  readonly name: string;
  readonly isTcp?: boolean;
  readonly outlier: object;
  /** Four that answer 200, and what is worse: one that answers 500, one that nobody listens on. */
  readonly worse: "bad" | "refused";
  readonly counters: Readonly<Record<string, number>>;
  /** What stands in the event besides who and when. */
  readonly event: object;
}

const BY_RATE = {
  ejections_active: 1,
  ejections_detected_success_rate: 1,
  ejections_enforced_success_rate: 1,
  ejections_enforced_total: 1,
  ejections_success_rate: 1,
  ejections_total: 1,
};
const BY_LOCAL_RATE = {
  ejections_active: 1,
  ejections_detected_local_origin_success_rate: 1,
  ejections_enforced_local_origin_success_rate: 1,
  ejections_enforced_total: 1,
  ejections_success_rate: 1,
};
/** Rates of 0, 100, 100, 100, 100. */
const RATE_EVENT = {
  eject_success_rate_event: {
    host_success_rate: 0,
    cluster_average_success_rate: 80,
    cluster_success_rate_ejection_threshold: 4,
  },
};

const CASES: readonly RateCase[] = [
  {
    name: "success rate",
    outlier: { success_rate_minimum_hosts: 5 },
    worse: "bad",
    counters: BY_RATE,
    event: { type: "SUCCESS_RATE", ...RATE_EVENT },
  },
  {
    name: "success rate, with another factor",
    outlier: { success_rate_minimum_hosts: 5, success_rate_stdev_factor: 333 },
    worse: "bad",
    counters: BY_RATE,
    event: {
      type: "SUCCESS_RATE",
      eject_success_rate_event: {
        host_success_rate: 0,
        cluster_average_success_rate: 80,
        cluster_success_rate_ejection_threshold: 66,
      },
    },
  },
  {
    name: "local origin success rate",
    outlier: { ...SPLIT, success_rate_minimum_hosts: 5 },
    worse: "refused",
    counters: BY_LOCAL_RATE,
    event: { type: "SUCCESS_RATE_LOCAL_ORIGIN", ...RATE_EVENT },
  },
  {
    name: "failure percentage",
    outlier: { failure_percentage_minimum_hosts: 5, enforcing_failure_percentage: 100 },
    worse: "bad",
    counters: {
      ejections_active: 1,
      ejections_detected_failure_percentage: 1,
      ejections_enforced_failure_percentage: 1,
      ejections_enforced_total: 1,
    },
    event: {
      type: "FAILURE_PERCENTAGE",
      eject_failure_percentage_event: { host_success_rate: 0 },
    },
  },
  {
    name: "local origin failure percentage",
    outlier: {
      ...SPLIT,
      failure_percentage_minimum_hosts: 5,
      enforcing_failure_percentage_local_origin: 100,
    },
    worse: "refused",
    counters: {
      ejections_active: 1,
      ejections_detected_local_origin_failure_percentage: 1,
      ejections_enforced_local_origin_failure_percentage: 1,
      ejections_enforced_total: 1,
    },
    event: {
      type: "FAILURE_PERCENTAGE_LOCAL_ORIGIN",
      eject_failure_percentage_event: { host_success_rate: 0 },
    },
  },
  {
    name: "TCP: success rate",
    isTcp: true,
    outlier: { success_rate_minimum_hosts: 5 },
    worse: "refused",
    counters: BY_RATE,
    event: { type: "SUCCESS_RATE", ...RATE_EVENT },
  },
  {
    name: "TCP: local origin success rate",
    isTcp: true,
    outlier: { ...SPLIT, success_rate_minimum_hosts: 5 },
    worse: "refused",
    counters: BY_LOCAL_RATE,
    event: { type: "SUCCESS_RATE_LOCAL_ORIGIN", ...RATE_EVENT },
  },
];

const ANSWER = (status: number): { send: string } => ({
  send: `HTTP/1.1 ${status} S\r\nContent-Length: 2\r\n\r\nhi`,
});

const TCP_NAMES = CASES.flatMap(({ isTcp }, at) => (isTcp === true ? [`tcp${at}`] : []));
let good: readonly ScriptedUpstream[];
let bad: ScriptedUpstream;
let twins: Twins;

function cluster(name: string, ports: readonly number[], outlier: object): object {
  return staticCluster(name, ports, {
    common_lb_config: { update_merge_window: "0s", healthy_panic_threshold: { value: 0 } },
    outlier_detection: outlier,
  });
}

/** A cluster whose host is well in the eyes of its checks, whatever it answers. */
function checked(name: string, port: number, outlier: object): object {
  const check = {
    timeout: "5s",
    interval: "0.2s",
    no_traffic_interval: "0.2s",
    unhealthy_threshold: 1,
    healthy_threshold: 1,
    http_health_check: { path: "/" },
  };
  const limits = { ...RATES, consecutive_5xx: 2, ...outlier };
  return { ...cluster(name, [port], limits), health_checks: [check] };
}

function bootstrap(places: TwinPlaces): object {
  const goodPorts = good.map(({ port }) => port);
  const [first = 0] = goodPorts;
  const names = [...CASES.map((_, at) => `c${at}`), "seen", "back", "runtime", "checked", "kept"];
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    cluster_manager: { outlier_detection: { event_log_path: places.logPath } },
    layered_runtime: {
      layers: [
        {
          name: "static",
          static_layer: {
            "outlier_detection.max_ejection_percent": 100,
            outlier_detection: { enforcing_consecutive_gateway_failure: 100 },
          },
        },
      ],
    },
    static_resources: {
      listeners: [
        httpListener("main", places.ports["main"] ?? 0, {
          route_config: routeTable(
            names.map((name) => ({
              match: { prefix: `/${name}/` },
              route: { cluster: name, prefix_rewrite: "/" },
            })),
          ),
        }),
        ...TCP_NAMES.map((name) =>
          tcpListener(name, places.ports[name] ?? 0, { cluster: name.replace("tcp", "c") }),
        ),
      ],
      clusters: [
        ...CASES.map(({ worse, outlier }, at) =>
          worse === "bad"
            ? cluster(`c${at}`, [bad.port, ...goodPorts], { ...RATES, ...outlier })
            : withDead(cluster(`c${at}`, goodPorts, { ...RATES, ...outlier })),
        ),
        cluster("seen", [bad.port, ...goodPorts], {
          ...RATES,
          success_rate_minimum_hosts: 5,
          enforcing_success_rate: 0,
        }),
        cluster("back", [first], {
          interval: "0.1s",
          base_ejection_time: "0.3s",
          max_ejection_time: "0.6s",
          max_ejection_percent: 100,
          consecutive_5xx: 2,
        }),
        checked("checked", first, {}),
        checked("kept", first, { successful_active_health_check_uneject_host: false }),
        cluster("runtime", [first], {
          ...RATES,
          consecutive_gateway_failure: 2,
          max_ejection_percent: 0,
          enforcing_consecutive_gateway_failure: 0,
        }),
      ],
    },
  };
}

beforeAll(async () => {
  good = await Promise.all(
    [1, 2, 3, 4].map(() =>
      ScriptedUpstream.start({ "/": ANSWER(200), "/500": ANSWER(500), "/503": ANSWER(503) }),
    ),
  );
  bad = await ScriptedUpstream.start({ "/": ANSWER(500) });
  twins = await Twins.start(["main", ...TCP_NAMES], bootstrap);
});

afterAll(async () => {
  await twins.stop();
  for (const upstream of [...good, bad]) await upstream.stop();
});

async function ask(twin: TwinPlaces, path: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${twin.ports["main"] ?? 0}/${path}`);
  await answer.arrayBuffer();
  return answer.status;
}

/** Connects, and waits until it is known whether that leads anywhere. */
async function dial(twin: TwinPlaces, name: string): Promise<void> {
  const socket = connect(twin.ports[name] ?? 0, "127.0.0.1");
  await new Promise<void>((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.on("data", () => socket.destroy());
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  });
}

/** Asks each of five hosts twice. */
async function burst(one: RateCase, twin: TwinPlaces): Promise<void> {
  const at = CASES.indexOf(one);
  const once = (): Promise<unknown> =>
    one.isTcp === true ? dial(twin, `tcp${at}`) : ask(twin, `c${at}/`);
  await Promise.all(Array.from({ length: BURST }, once));
}

async function countersOf(twin: TwinPlaces, name: string): Promise<Record<string, number>> {
  const prefix = `cluster.${name}.outlier_detection.`;
  const stats = await statsOf(twin, prefix);
  return Object.fromEntries(
    Object.entries(stats).map(([stat, value]) => [stat.slice(prefix.length), value]),
  );
}

interface Event {
  readonly timestamp: string;
  readonly action: string;
  readonly num_ejections: number;
}

function eventsOf(twin: TwinPlaces, name: string): readonly Event[] {
  // It is there with the first event of all.
  const text = existsSync(twin.logPath) ? readFileSync(twin.logPath, "utf8") : "";
  return text
    .split("\n")
    .filter((line) => line.includes(`"cluster_name":"${name}"`))
    .map((line) => JSON.parse(line) as Event);
}

function eventsOnce(twin: TwinPlaces, name: string, count: number): Promise<readonly Event[]> {
  return until(() => {
    const events = eventsOf(twin, name);
    return events.length >= count && events;
  }, `${count} events of ${name}`);
}

/** The lines of `/clusters` about rates, without ports. */
async function rateLines(twin: TwinPlaces, name: string): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${twin.adminPort}/clusters`);
  const lines = (await answer.text()).split("\n");
  return lines.filter((line) => line.startsWith(`${name}::`) && line.includes("success_rate"));
}

interface Statuses {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly success_rate_ejection_threshold?: object;
    readonly host_statuses: readonly { readonly success_rate?: object }[];
  }[];
}

describe("outlier detection at the end of an interval", () => {
  test.each(CASES)("$name", async (one) => {
    const name = `c${CASES.indexOf(one)}`;
    for (const twin of twins.all) {
      await until(
        async () => {
          await burst(one, twin);
          return (await countersOf(twin, name))["ejections_active"] === 1;
        },
        "an ejection",
        30_000,
      );
      expect(await countersOf(twin, name)).toEqual(one.counters);
      const [event] = await eventsOnce(twin, name, 1);
      const worse = one.worse === "bad" ? `127.0.0.1:${bad.port}` : `${DEAD}:1`;
      expect(event).toEqual({
        timestamp: expect.any(String),
        cluster_name: name,
        upstream_url: worse,
        action: "EJECT",
        num_ejections: 1,
        enforced: true,
        ...one.event,
      });
    }
  });

  test("shows rates in /clusters", async () => {
    const ofPorts = (text: string): string => text.replaceAll(String(bad.port), "BAD");
    for (const twin of twins.all) {
      const lines = await until(
        async () => {
          await Promise.all(Array.from({ length: BURST }, () => ask(twin, "seen/")));
          const found = await rateLines(twin, "seen");
          return found.includes("seen::outlier::success_rate_average::80") && found;
        },
        "rates",
        30_000,
      );
      expect(lines.map(ofPorts)).toEqual([
        "seen::outlier::success_rate_average::80",
        "seen::outlier::success_rate_ejection_threshold::4",
        "seen::outlier::local_origin_success_rate_average::-1",
        "seen::outlier::local_origin_success_rate_ejection_threshold::-1",
        "seen::127.0.0.1:BAD::success_rate::0",
        "seen::127.0.0.1:BAD::local_origin_success_rate::-1",
        ...good.flatMap(({ port }) => [
          `seen::127.0.0.1:${port}::success_rate::100`,
          `seen::127.0.0.1:${port}::local_origin_success_rate::-1`,
        ]),
      ]);
      const status = await until(
        async () => {
          await Promise.all(Array.from({ length: BURST }, () => ask(twin, "seen/")));
          const answer = await fetch(`http://127.0.0.1:${twin.adminPort}/clusters?format=json`);
          const page = (await answer.json()) as Statuses;
          const found = page.cluster_statuses.find(({ name }) => name === "seen");
          return found?.success_rate_ejection_threshold !== undefined && found;
        },
        "rates in JSON",
        30_000,
      );
      expect(status.success_rate_ejection_threshold).toEqual({ value: 4 });
      expect(status.host_statuses.map(({ success_rate: rate }) => rate)).toEqual([
        {},
        ...good.map(() => ({ value: 100 })),
      ]);
      const { ejections_active: active = 0, ...counters } = await countersOf(twin, "seen");
      expect(active).toBe(0);
      expect(Object.keys(counters).sort()).toEqual([
        "ejections_detected_success_rate",
        "ejections_success_rate",
        "ejections_total",
      ]);
    }
  });

  test("lets hosts come back, later each time", async () => {
    for (const twin of twins.all) {
      for (const round of [1, 2, 3]) {
        await ask(twin, "back/500");
        await ask(twin, "back/500");
        await eventsOnce(twin, "back", round * 2);
        await until(async () => (await ask(twin, "back/")) === 200, "the host to be back");
      }
      const events = eventsOf(twin, "back");
      expect(events.map(({ action, num_ejections }) => [action, num_ejections])).toEqual([
        ["EJECT", 1],
        ["UNEJECT", 1],
        ["EJECT", 2],
        ["UNEJECT", 2],
        ["EJECT", 3],
        ["UNEJECT", 3],
      ]);
      expect(await countersOf(twin, "back")).not.toHaveProperty("ejections_active");
      const common = ["cluster_name", "upstream_url", "action", "num_ejections", "enforced"];
      const since = "secs_since_last_action";
      const returned = ["type", "timestamp", since, ...common];
      expect(events.slice(0, 3).map(Object.keys)).toEqual([
        ["type", "timestamp", ...common, "eject_consecutive_event"],
        returned,
        [...returned, "eject_consecutive_event"],
      ]);
      expect(events[1]).toMatchObject({
        type: "CONSECUTIVE_5XX",
        [since]: expect.stringMatching(/^\d+$/),
        enforced: false,
      });
      const times = events.map(({ timestamp }) => Date.parse(timestamp));
      const lengthOf = (round: number): number =>
        (times[round * 2 + 1] ?? 0) - (times[round * 2] ?? 0);
      // Clocks and timers are exact to a millisecond.
      expect(lengthOf(0)).toBeGreaterThanOrEqual(299);
      expect(lengthOf(1)).toBeGreaterThanOrEqual(299);
    }
  });

  test("lets hosts come back that are found well", async () => {
    for (const twin of twins.all) {
      for (const name of ["checked", "kept"]) {
        await ask(twin, `${name}/500`);
        await ask(twin, `${name}/500`);
        await eventsOnce(twin, name, 1);
      }
      const events = await eventsOnce(twin, "checked", 2);
      expect(events.map(({ action }) => action)).toEqual(["EJECT", "UNEJECT"]);
      expect(await countersOf(twin, "checked")).not.toHaveProperty("ejections_active");
      await until(async () => (await ask(twin, "checked/")) === 200, "the host to be back");
      // More checks of the other go by, and change nothing.
      const attempt = "cluster.kept.health_check.attempt";
      const before = (await statsOf(twin, attempt))[attempt] ?? 0;
      await until(
        async () => ((await statsOf(twin, attempt))[attempt] ?? 0) > before + 2,
        "checks",
      );
      expect((await countersOf(twin, "kept"))["ejections_active"]).toBe(1);
      expect(await ask(twin, "kept/")).toBe(503);
    }
  });

  test("goes by the runtime", async () => {
    for (const twin of twins.all) {
      const answers = [];
      for (const path of ["503", "503", ""]) {
        answers.push(await ask(twin, `runtime/${path}`));
        // Envoy ejects in another thread, which answers this after it has.
        await countersOf(twin, "runtime");
      }
      expect(answers).toEqual([503, 503, 503]);
      expect(await countersOf(twin, "runtime")).toEqual({
        ejections_active: 1,
        ejections_detected_consecutive_gateway_failure: 1,
        ejections_enforced_consecutive_gateway_failure: 1,
        ejections_enforced_total: 1,
      });
    }
  });
});
