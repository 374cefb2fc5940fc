/**
 * `npm run bench`: weft's proxy and Envoy on the same bootstrap file, the same upstream and the
 * same load, in turn. Prints CPU per request, requests per second and memory as medians, and the
 * ratio; writes the same as JSON. docs/performance.md says how to read it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findProgram } from "../test/programs.ts";
import { bootstrapText } from "./bootstrap.ts";
import { type LoadResult, runLoad } from "./load.ts";
import { Measured } from "./measured.ts";
import { freePorts, waitForHttp } from "./ports.ts";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));

/** One kind of work. */
interface Scenario {
  readonly name: string;
  readonly connections: number;
  readonly path: string;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "GET 23 B, 32 connections", connections: 32, path: "/" },
  { name: "GET 1 KiB, 32 connections", connections: 32, path: "/1024" },
];

/** One run of one proxy. */
interface Sample {
  readonly cpuMicros: number;
  readonly requestsPerSecond: number;
}

interface Row {
  readonly scenario: string;
  readonly proxy: string;
  readonly cpuMicrosPerRequest: number;
  readonly requestsPerSecond: number;
  readonly residentMiB: number;
}

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    out: { type: "string", default: join(repository, "bench", "results", "latest.json") },
  },
});

async function main(): Promise<void> {
  const seconds = positive("--seconds", flags.seconds, 60);
  const rounds = positive("--rounds", flags.rounds, 50);
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const measured: Measured[] = [];
  try {
    const [upstreamPort = 0] = await freePorts(1);
    const upstream = new Measured("upstream", process.execPath, [
      "--import",
      "tsx",
      join(repository, "bench", "upstream.ts"),
      String(upstreamPort),
    ]);
    measured.push(upstream);
    const proxies = await startProxies(folder, upstreamPort);
    measured.push(...proxies.map(({ process }) => process));
    const rows: Row[] = [];
    for (const scenario of SCENARIOS) {
      rows.push(...(await runScenario(scenario, proxies, seconds, rounds)));
    }
    report(rows, seconds, rounds);
  } finally {
    await Promise.all(measured.map((process) => process.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Started {
  readonly name: string;
  readonly port: number;
  readonly process: Measured;
}

async function startProxies(folder: string, upstreamPort: number): Promise<readonly Started[]> {
  const envoy = findProgram("envoy");
  if (envoy === undefined) process.stderr.write("no Envoy: `npm run envoy` installs one\n");
  const commands: [string, string, string[]][] = [
    ["weft", process.execPath, [join(repository, "dist", "weft.js"), "proxy", "-c"]],
  ];
  if (envoy !== undefined) {
    commands.push([
      "envoy",
      envoy,
      ["--concurrency", "1", "--use-dynamic-base-id", "-l", "warning", "-c"],
    ]);
  }
  return Promise.all(
    commands.map(async ([name, command, args]) => {
      const [port = 0, adminPort = 0] = await freePorts(2);
      const file = join(folder, `${name}.json`);
      writeFileSync(file, bootstrapText({ port, adminPort, upstreamPort }));
      const started = new Measured(name, command, [...args, file]);
      await waitForHttp(`http://127.0.0.1:${port}/`, started);
      return { name, port, process: started };
    }),
  );
}

/** Every round gives each proxy its turn, so that a slow moment of the machine meets both. */
async function runScenario(
  scenario: Scenario,
  proxies: readonly Started[],
  seconds: number,
  rounds: number,
): Promise<Row[]> {
  const samples = new Map<string, Sample[]>(proxies.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, port, process: proxy } of proxies) {
      const url = `http://127.0.0.1:${port}${scenario.path}`;
      const beforeMicros = proxy.cpuMicros();
      // The first round is the warm-up: it is as long, and counts for nothing.
      const load = await runLoad({ url, connections: scenario.connections, seconds });
      checkLoad(load, name);
      if (round < 0) continue;
      samples.get(name)?.push({
        cpuMicros: (proxy.cpuMicros() - beforeMicros) / load.requests,
        requestsPerSecond: load.requests / load.seconds,
      });
    }
  }
  return proxies.map(({ name, process: proxy }) => {
    const own = samples.get(name) ?? [];
    return {
      scenario: scenario.name,
      proxy: name,
      cpuMicrosPerRequest: median(own.map(({ cpuMicros }) => cpuMicros)),
      requestsPerSecond: median(own.map(({ requestsPerSecond }) => requestsPerSecond)),
      residentMiB: proxy.residentMiB(),
    };
  });
}

function checkLoad(load: LoadResult, name: string): void {
  if (load.errors > 0 || load.requests === 0) {
    throw new Error(`${name}: ${load.errors} of ${load.requests} requests failed`);
  }
}

function report(rows: readonly Row[], seconds: number, rounds: number): void {
  const lines = [
    "| work | proxy | CPU µs/request | ratio | requests/s | resident MiB |",
    "|---|---|---:|---:|---:|---:|",
  ];
  for (const row of rows) {
    const peer = rows.find(({ scenario, proxy }) => scenario === row.scenario && proxy === "envoy");
    const ratio =
      peer === undefined ? "" : (row.cpuMicrosPerRequest / peer.cpuMicrosPerRequest).toFixed(2);
    lines.push(
      `| ${row.scenario} | ${row.proxy} | ${row.cpuMicrosPerRequest.toFixed(1)} | ${ratio} | ` +
        `${Math.round(row.requestsPerSecond)} | ${row.residentMiB.toFixed(0)} |`,
    );
  }
  process.stdout.write(`${lines.join("\n")}\n`);
  const result = {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    seconds,
    rounds,
    rows,
  };
  mkdirSync(dirname(flags.out), { recursive: true });
  writeFileSync(flags.out, `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`\nwritten to ${flags.out}\n`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function positive(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (!(value > 0 && value <= max))
    throw new Error(`${flag} must be in (0, ${max}], not "${text}"`);
  return value;
}

await main();
