import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../controlplane/until.ts";
import { socketAddress } from "../proxy/bootstrap-json.ts";
import { freePorts, startEnvoy } from "../proxy/data-plane.ts";
import {
  configure,
  describeAnswer,
  type Outcome,
  type Place,
  type Scenario,
  UPSTREAM_HEADER,
} from "./scenario.ts";
import { TestUpstream } from "./test-upstream.ts";

/** A scenario at its place, with its servers. */
interface Set {
  readonly scenario: Scenario;
  readonly place: Place;
  readonly upstreams: readonly TestUpstream[];
}

/** Plays scenarios side by side in real time, on one Envoy. */
export async function runOnEnvoy(
  program: string,
  scenarios: readonly Scenario[],
): Promise<readonly Outcome[]> {
  const folder = mkdtempSync(join(tmpdir(), "weft-scenario-"));
  const [adminPort = 0, ...ports] = await freePorts(
    1 + scenarios.reduce((sum, { upstreams }) => sum + 1 + upstreams.length, 0),
  );
  const sets = scenarios.map((scenario, at): Set => {
    const [port = 0, ...upstreamPorts] = ports.splice(0, 1 + scenario.upstreams.length);
    const upstreams = upstreamPorts.map(
      (one, index) => new TestUpstream(one, { [UPSTREAM_HEADER]: String(index) }),
    );
    const place = { name: `c${at}`, port, upstreamPorts, logPath: join(folder, `${at}.log`) };
    return { scenario, place, upstreams };
  });
  const configured = sets.map(({ scenario, place }) => configure(scenario, place));
  const bootstrap = {
    node: { id: "node-id", cluster: "node-cluster", locality: { zone: "a" } },
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: configured.map(({ listener }) => listener),
      clusters: configured.map(({ cluster }) => cluster),
    },
  };
  try {
    for (const { scenario, upstreams } of sets) {
      for (const [at, upstream] of upstreams.entries()) {
        await upstream.become(scenario.upstreams[at]?.behaviour ?? {});
      }
    }
    const plane = await startEnvoy(program, bootstrap, adminPort);
    try {
      return await Promise.all(sets.map((set) => play(set, adminPort)));
    } finally {
      await plane.stop();
    }
  } finally {
    for (const { upstreams } of sets) for (const upstream of upstreams) upstream.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play({ scenario, place, upstreams }: Set, adminPort: number): Promise<Outcome> {
  const servers: (string | undefined)[] = [];
  for (const step of scenario.steps) {
    if (step.kind === "wait") await sleep(step.ms);
    else if (step.kind === "become") await upstreams[step.upstream]?.become(step.behaviour);
    else {
      const first = servers.length;
      servers.length += step.count;
      const ask = async (at: number): Promise<void> => {
        const headers = { ...step.headers, "x-request": String(at) };
        servers[at] = await serverOf(place.port, headers);
      };
      const all = Array.from({ length: step.count }, (_, at) => first + at);
      if (step.isTogether) await Promise.all(all.map(ask));
      else for (const at of all) await ask(at);
    }
  }
  const lines = await readLog(place.logPath, servers.length);
  return {
    answers: servers.map((server, at) => describeAnswer(lines.get(String(at)) ?? "", server)),
    counters: await readCounters(adminPort, place.name, scenario.counters ?? []),
  };
}

/** Which server answered a request; `undefined` when none did. */
function serverOf(
  port: number,
  headers: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request({ host: "127.0.0.1", port, headers, agent: false }, (answer) => {
      const server = answer.headers[UPSTREAM_HEADER];
      answer.resume();
      const end = (): void => resolve(typeof server === "string" ? server : undefined);
      answer.on("end", end);
      answer.on("error", end);
    });
    sent.on("error", () => resolve(undefined));
    sent.end();
  });
}

async function readLog(path: string, count: number): Promise<ReadonlyMap<string, string>> {
  let lines = new Map<string, string>();
  await until(() => {
    const text = readFileSync(path, "utf8");
    lines = new Map(
      text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const [number = "", ...rest] = line.split(" ");
          return [number, rest.join(" ")];
        }),
    );
    return Promise.resolve(lines.size >= count);
  }, "the access log to be whole");
  return lines;
}

async function readCounters(
  adminPort: number,
  cluster: string,
  names: readonly string[],
): Promise<Readonly<Record<string, number>>> {
  const prefix = `cluster.${cluster}.`;
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats?filter=^cluster.${cluster}\\.`);
  const all = new Map(
    (await answer.text()).split("\n").map((line) => {
      const [name = "", value] = line.split(": ");
      return [name.slice(prefix.length), Number(value)];
    }),
  );
  return Object.fromEntries(names.map((name) => [name, all.get(name) ?? 0]));
}
