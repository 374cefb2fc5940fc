import { afterAll, beforeAll, expect, test } from "vitest";
import { createPrng, type Prng } from "../../src/base/prng.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../proxy/bootstrap-json.ts";
import { type Script, ScriptedUpstream } from "../proxy/scripted-upstream.ts";
import { type TwinPlaces, Twins } from "../proxy/twins.ts";

const envoyProgram = findProgram("envoy");

/** Another one each day; `SEED` repeats a run, and `TABLES` makes it longer. */
const SEED = Number(process.env["SEED"] ?? Math.floor(Date.now() / 86_400_000));
const CLUSTERS = Number(process.env["TABLES"] ?? 8);
const STEPS = 20;

const GRPC = "application/grpc";
/** What a host may do, and how often. */
const ANSWERS: readonly (readonly [path: string, weight: number])[] = [
  ["200", 3],
  ["404", 1],
  ["500", 6],
  ["501", 1],
  ["502", 2],
  ["503", 6],
  ["504", 2],
  ["599", 1],
  ["reset", 3],
  ["half", 1],
  ["garbage", 1],
  ["grpc-0", 1],
  ["grpc-2", 2],
  ["grpc-14", 2],
];

function scriptOf(path: string): Script {
  if (path === "reset") return { end: "reset" };
  if (path === "half")
    return { send: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", end: "fin" };
  if (path === "garbage") return { send: "garbage\r\n\r\n" };
  const [, code] = path.split("-");
  if (code === undefined) return { send: `HTTP/1.1 ${path} S\r\nContent-Length: 0\r\n\r\n` };
  const head = `Content-Type: ${GRPC}\r\nGrpc-Status: ${code}\r\nContent-Length: 0`;
  return { send: `HTTP/1.1 200 OK\r\n${head}\r\n\r\n` };
}

interface RandomCase {
  readonly outlier: object;
  readonly hosts: number;
  readonly panicPercent: number;
  readonly steps: readonly string[];
}

function pickOne<T>(prng: Prng, all: readonly T[]): T {
  const one = all[Math.floor(prng.next() * all.length)];
  if (one === undefined) throw new Error("there is nothing to choose from");
  return one;
}

function createCase(prng: Prng): RandomCase {
  const limit = (): number => Math.floor(prng.next() * 5);
  const share = (): number => pickOne(prng, [0, 100, 100]);
  const paths = ANSWERS.flatMap(([path, weight]) => Array.from({ length: weight }, () => path));
  return {
    // Which host is next is known while at most one of two is ejected, and none comes back.
    outlier: {
      interval: "3600s",
      consecutive_5xx: limit(),
      consecutive_gateway_failure: limit(),
      consecutive_local_origin_failure: limit(),
      enforcing_consecutive_5xx: share(),
      enforcing_consecutive_gateway_failure: share(),
      enforcing_consecutive_local_origin_failure: share(),
      split_external_local_origin_errors: prng.next() < 0.5,
      max_ejection_percent: pickOne(prng, [0, 49, 50, 99, 100]),
      always_eject_one_host: prng.next() < 0.3,
    },
    hosts: pickOne(prng, [1, 2]),
    panicPercent: pickOne(prng, [0, 50]),
    steps: Array.from({ length: STEPS }, () => pickOne(prng, paths)),
  };
}

const prng = createPrng(SEED);
const cases = Array.from({ length: CLUSTERS }, () => createCase(prng));

let upstreams: readonly ScriptedUpstream[] = [];
let twins: Twins | undefined;

function bootstrap({ ports, adminPort }: TwinPlaces): object {
  const routes = cases.map((_, at) => ({
    match: { prefix: `/${at}/` },
    route: { cluster: `c${at}`, prefix_rewrite: "/" },
  }));
  const hostPorts = upstreams.map(({ port }) => port);
  return {
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [
        httpListener("main", ports["main"] ?? 0, {
          delayed_close_timeout: "0.05s",
          route_config: routeTable(routes),
        }),
      ],
      clusters: cases.map(({ outlier, hosts, panicPercent }, at) =>
        staticCluster(`c${at}`, hostPorts.slice(0, hosts), {
          outlier_detection: outlier,
          common_lb_config: {
            update_merge_window: "0s",
            healthy_panic_threshold: { value: panicPercent },
          },
        }),
      ),
    },
  };
}

beforeAll(async () => {
  if (envoyProgram === undefined) return;
  process.stderr.write(`outliers: SEED=${SEED} TABLES=${CLUSTERS}\n`);
  const scripts = Object.fromEntries(ANSWERS.map(([path]) => [`/${path}`, scriptOf(path)]));
  upstreams = [await ScriptedUpstream.start(scripts), await ScriptedUpstream.start(scripts)];
  twins = await Twins.start(["main"], bootstrap);
});

afterAll(async () => {
  await twins?.stop();
  for (const upstream of upstreams) await upstream.stop();
});

/** The counters and gauges that are not 0. */
async function countersOf(twin: TwinPlaces, at: number): Promise<readonly string[]> {
  const filter = `%5Ecluster.c${at}.(outlier_detection|membership_healthy)`;
  const answer = await fetch(`http://127.0.0.1:${twin.adminPort}/stats?filter=${filter}`);
  const lines = (await answer.text()).split("\n");
  return lines.filter((line) => !line.endsWith(": 0")).sort();
}

/** What each step led to: the status, or that it broke off. */
async function run(one: RandomCase, at: number, twin: TwinPlaces): Promise<readonly string[]> {
  const said: string[] = [];
  for (const path of one.steps) {
    const headers: Record<string, string> = path.startsWith("grpc") ? { "content-type": GRPC } : {};
    const url = `http://127.0.0.1:${twin.ports["main"] ?? 0}/${at}/${path}`;
    const answer = await fetch(url, { headers });
    const body = await answer.text().catch(() => "broken");
    // Envoy ejects in another thread, which answers this after it has.
    const counters = await countersOf(twin, at);
    said.push(`${path} -> ${answer.status} ${body} ${counters.join(" ")}`);
  }
  return said;
}

test.skipIf(envoyProgram === undefined).each(cases.map((one, at) => ({ one, at })))(
  "weft and Envoy eject the same hosts of generated cluster $at",
  async ({ one, at }) => {
    const [ours, theirs] = await Promise.all((twins?.all ?? []).map((twin) => run(one, at, twin)));
    const shown = { seed: SEED, cluster: one };
    expect({ shown, said: ours }).toEqual({ shown, said: theirs });
    expect(ours).toHaveLength(STEPS);
  },
);
