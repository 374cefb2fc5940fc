/**
 * `npm run bench [-- SCENARIO… FLAGS]`: weft's proxy, Envoy, nginx and haproxy in front of the same
 * upstream and under the same load, in turn. Prints tables and writes the same as JSON.
 * docs/performance.md says how to read them.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureBalance } from "./balance.ts";
import { baselineScenarios, isKept, saveBaseline } from "./baseline.ts";
import { createCertificates } from "./certificates.ts";
import { runControlPlane } from "./control-plane/run.ts";
import { measureDemo } from "./demo.ts";
import { type Http2Ports, startHttp2Upstream } from "./http2-upstream.ts";
import { buildOpenLoop } from "./load.ts";
import { type MemorySample, measureLoad, measureMemory, measureRate } from "./measure.ts";
import { Measured } from "./measured.ts";
import {
  PROXY_NAMES,
  type ProxyName,
  programOf,
  type Setup,
  type Started,
  startProxy,
} from "./peers.ts";
import { freePorts, waitFor } from "./ports.ts";
import { costRows, formatTable, loadRows, memoryRows, type Row, rateRows } from "./report.ts";
import type {
  CostScenario,
  LoadScenario,
  MemoryScenario,
  ProxyScenario,
  Scenario,
} from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { pairedRatios, spread } from "./statistics.ts";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const weft = join(repository, "bin", "weft");

const MEMORY_ROUNDS = 3;
const COMPARE_ROUNDS_MIN = 9;
/** A difference is smaller than what it is one of, so it wants more rounds. */
const COST_ROUNDS_MORE = 2;

const [part, ...partArgs] = process.argv.slice(2);
/** A part of its own, with flags of its own. */
const isControlPlane = part === "control-plane";

const { values: flags, positionals } = parseArgs({
  args: isControlPlane ? [] : process.argv.slice(2),
  allowPositionals: true,
  options: {
    seconds: { type: "string" },
    rounds: { type: "string" },
    proxies: { type: "string", default: PROXY_NAMES.join(",") },
    out: { type: "string", default: join(repository, "bench", "results", "latest.json") },
    quick: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    compare: { type: "boolean", default: false },
    "save-baseline": { type: "boolean", default: false },
  },
});

/** What the whole run shares. */
interface Bench {
  readonly folder: string;
  readonly seconds: number;
  readonly rounds: number;
  readonly upstreamPort: number;
  readonly http2Ports: Http2Ports | undefined;
  readonly certificates: Awaited<ReturnType<typeof createCertificates>>;
  readonly openLoop: string | undefined;
  readonly proxies: readonly ProxyName[];
}

async function main(): Promise<void> {
  if (flags.list) {
    for (const { name, title } of SCENARIOS) process.stdout.write(`${name.padEnd(26)}${title}\n`);
    return;
  }
  const isCompare = flags.compare || flags["save-baseline"];
  const chosen = choose(isCompare && positionals.length === 0 ? baselineNames() : positionals);
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const [upstreamPort = 0] = await freePorts(1);
  const source = join(repository, "bench", "upstream.ts");
  const upstream = new Measured("upstream", 1, process.execPath, [
    "--import",
    "tsx",
    source,
    String(upstreamPort),
  ]);
  const http2 = await startHttp2Upstream(folder);
  try {
    const bench: Bench = {
      folder,
      seconds: number("--seconds", flags.seconds ?? (flags.quick || isCompare ? "1" : "2"), 600),
      rounds: number("--rounds", flags.rounds ?? defaultRounds(isCompare), 200),
      upstreamPort,
      http2Ports: http2?.ports,
      certificates: await createCertificates(folder),
      openLoop: chosen.some(({ kind }) => kind === "rate")
        ? await buildOpenLoop(join(repository, "bench", "open-loop.c"), folder)
        : undefined,
      proxies: PROXY_NAMES.filter((name) => flags.proxies.split(",").includes(name)),
    };
    await waitFor("upstream", [upstream], async () => {
      const response = await fetch(`http://127.0.0.1:${upstreamPort}/`);
      return (await response.text()).length === 23;
    });
    if (isCompare) await compare(bench, chosen);
    else await runAll(bench, chosen);
  } finally {
    await Promise.all([upstream.stop(), http2?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function defaultRounds(isCompare: boolean): string {
  if (isCompare) return String(COMPARE_ROUNDS_MIN);
  return flags.quick ? "3" : "5";
}

function baselineNames(): readonly string[] {
  return flags["save-baseline"] ? ["plain"] : baselineScenarios();
}

function choose(names: readonly string[]): readonly Scenario[] {
  if (names.length === 0) return SCENARIOS.filter(({ onlyByName }) => onlyByName !== true);
  return names.flatMap((name) => {
    const found = SCENARIOS.filter(
      (scenario) => scenario.name === name || groupOf(scenario) === name,
    );
    if (found.length > 0) return found;
    const groups = SCENARIOS.map(groupOf).filter((group) => group !== undefined);
    const known = [...SCENARIOS.map((scenario) => scenario.name), ...new Set(groups)].join(", ");
    throw new Error(`no scenario "${name}"; there are ${known}`);
  });
}

function groupOf(scenario: Scenario): string | undefined {
  return "group" in scenario ? scenario.group : undefined;
}

async function runAll(bench: Bench, scenarios: readonly Scenario[]): Promise<void> {
  const startMs = Date.now();
  const rows: Row[] = [];
  for (const scenario of scenarios) {
    const [load = 0] = loadavg();
    process.stderr.write(`${scenario.name} (load average ${load.toFixed(1)})\n`);
    try {
      const made = await runScenario(bench, scenario);
      if (made.length > 0) process.stdout.write(`${formatTable(made)}\n\n`);
      rows.push(...made);
    } catch (error) {
      // A figure with a failed request in it is none, and says nothing of the other scenarios.
      process.stderr.write(`failed: ${scenario.name}: ${String(error)}\n`);
      process.exitCode = 1;
    }
  }
  const result = {
    at: new Date(startMs).toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    seconds: bench.seconds,
    rounds: bench.rounds,
    rows,
  };
  mkdirSync(dirname(flags.out), { recursive: true });
  writeFileSync(flags.out, `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`written to ${flags.out}\n`);
}

async function runScenario(bench: Bench, scenario: Scenario): Promise<readonly Row[]> {
  switch (scenario.kind) {
    case "load":
      return loadRows(scenario, await runLoadScenario(bench, scenario));
    case "cost":
      return costRows(scenario, await runCostScenario(bench, scenario));
    case "rate": {
      const { openLoop } = bench;
      // Its absence has been told when it was looked for.
      if (openLoop === undefined) return [];
      const run = (proxies: readonly Started[]): ReturnType<typeof measureRate> =>
        measureRate(scenario, proxies, { ...bench, seconds: bench.seconds * 2 }, openLoop);
      return rateRows(scenario, await withProxies(bench, scenario, run));
    }
    case "memory":
      return memoryRows(scenario, await runMemoryScenario(bench, scenario));
    case "balance":
      return measureBalance(scenario.name);
    case "demo": {
      const { kind, name, title } = scenario;
      const values = { ...(await measureDemo(weft, bench.folder)) };
      return [{ kind, scenario: name, title, proxy: "weft", values }];
    }
  }
}

function runLoadScenario(bench: Bench, scenario: LoadScenario): ReturnType<typeof measureLoad> {
  return withProxies(bench, scenario, (proxies) => measureLoad(scenario, proxies, bench));
}

/** Each proxy twice, with what costs something and right after it without. */
function runCostScenario(bench: Bench, scenario: CostScenario): ReturnType<typeof measureLoad> {
  const setups = [scenario.setup, scenario.without];
  const rounds = bench.rounds + COST_ROUNDS_MORE;
  const run = (proxies: readonly Started[]): ReturnType<typeof measureLoad> =>
    measureLoad(scenario, proxies, { ...bench, rounds });
  return withProxies(bench, scenario, run, setups);
}

/** The proxies that take part in a scenario and are on this machine. */
function takingPart(bench: Bench, scenario: ProxyScenario): ProxyName[] {
  return bench.proxies.filter((name) => {
    const isMesh = name === "weft" || name === "envoy";
    if (!isMesh && scenario.peers === undefined) return false;
    return name === "weft" || programOf(name) !== undefined;
  });
}

async function start(
  bench: Bench,
  scenario: ProxyScenario,
  name: ProxyName,
): Promise<Started | undefined> {
  try {
    return await startProxy(name, {
      setup: scenario.setup,
      mode: scenario.peers,
      context: bench,
      weft,
      isHttps: "traffic" in scenario && scenario.traffic.isHttps === true,
    });
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    process.stderr.write(`skipped: ${name} in "${scenario.name}": ${cause}\n`);
    // One of a peer's modules may be missing; weft and Envoy must do all of them.
    if (name === "weft" || name === "envoy") process.exitCode = 1;
    return undefined;
  }
}

async function withProxies<T>(
  bench: Bench,
  scenario: ProxyScenario,
  run: (proxies: readonly Started[]) => Promise<T>,
  setups: readonly Setup[] = [scenario.setup],
): Promise<T> {
  const proxies: Started[] = [];
  try {
    for (const name of takingPart(bench, scenario)) {
      for (const setup of setups) {
        const started = await start(bench, { ...scenario, setup }, name);
        if (started !== undefined) proxies.push(started);
      }
    }
    return await run(proxies);
  } finally {
    await stopAll(proxies);
  }
}

async function stopAll(proxies: readonly Started[]): Promise<void> {
  await Promise.all(proxies.flatMap(({ processes }) => processes.map((each) => each.stop())));
}

/** Each sample is a fresh process, alone. */
async function runMemoryScenario(
  bench: Bench,
  scenario: MemoryScenario,
): Promise<readonly { readonly proxy: ProxyName; readonly samples: readonly MemorySample[] }[]> {
  const all = takingPart(bench, scenario).map((proxy) => ({
    proxy,
    samples: [] as MemorySample[],
  }));
  const rounds = scenario.load === undefined ? MEMORY_ROUNDS : 1;
  for (let round = 0; round < rounds; round++) {
    for (const { proxy, samples } of all) {
      const started = await start(bench, scenario, proxy);
      if (started === undefined) continue;
      try {
        samples.push(await measureMemory(scenario, started, bench.folder));
      } finally {
        await stopAll([started]);
      }
    }
  }
  return all;
}

/** Holds the ratios to Envoy against the baseline, or makes them the baseline. */
async function compare(bench: Bench, scenarios: readonly Scenario[]): Promise<void> {
  const ratios: Record<string, number> = {};
  const meshes: Bench = { ...bench, proxies: ["weft", "envoy"] };
  for (const scenario of scenarios) {
    if (scenario.kind !== "load") throw new Error(`"${scenario.name}" has no ratio to compare`);
    const measure = async (): Promise<readonly number[]> => {
      const [weftRuns, envoyRuns] = await runLoadScenario(meshes, scenario);
      if (weftRuns === undefined || envoyRuns === undefined) {
        throw new Error("a comparison needs weft and Envoy (`npm run envoy` installs one)");
      }
      const micros = (runs: typeof weftRuns): number[] =>
        runs.samples.map((each) => each.cpuMicros);
      return pairedRatios(micros(weftRuns), micros(envoyRuns));
    };
    const pairs = await measure();
    if (flags["save-baseline"]) ratios[scenario.name] = spread(pairs).median;
    else if (!(await isKept(scenario.name, pairs, measure))) process.exitCode = 1;
  }
  if (flags["save-baseline"]) saveBaseline("proxy", ratios, bench.rounds);
}

function number(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= max) return value;
  throw new Error(`${flag} must be a whole number from 1 to ${max}, not "${text}"`);
}

if (isControlPlane) await runControlPlane(partArgs);
else await main();
