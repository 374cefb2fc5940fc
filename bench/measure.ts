import { createConnection, type Socket } from "node:net";
import { type Latency, runLoad, runOpenLoop } from "./load.ts";
import { proportionalMiB, residentMiB } from "./measured.ts";
import type { Started } from "./peers.ts";
import type {
  CostScenario,
  LoadScenario,
  MemoryLoad,
  MemoryScenario,
  RateScenario,
} from "./scenario.ts";

/** How long, and where files may be put. */
export interface RunOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly folder: string;
}

/** One run of one proxy under closed-loop load. */
export interface LoadSample {
  readonly requests: number;
  readonly cpuMicros: number;
  readonly perSecond: number;
  readonly residentMiB: number;
}

/** What several runs of one proxy gave, in the order of the rounds. */
export interface Runs<T> {
  readonly proxy: Started;
  readonly samples: readonly T[];
}

/** After so many requests, what is compiled while a proxy runs has been; what takes longer is measured. */
const WARM_REQUESTS = 20_000;
const WARM_RUNS_MAX = 3;

/**
 * Lets the proxies take turns, so that a slow moment of the machine meets all of them, in an order
 * that turns round each time, so that none is always the one after. Before them, each runs alone until
 * it is warm.
 */
async function takeTurns<T>(
  proxies: readonly Started[],
  rounds: number,
  run: (proxy: Started) => Promise<T>,
  requestsOf: (sample: T) => number,
): Promise<readonly Runs<T>[]> {
  const all = proxies.map((proxy) => ({ proxy, samples: [] as T[] }));
  for (const { proxy } of all) {
    let requests = 0;
    for (let runs = 0; runs < WARM_RUNS_MAX && requests < WARM_REQUESTS; runs++) {
      requests += requestsOf(await run(proxy));
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const { proxy, samples } of round % 2 === 0 ? all : all.toReversed()) {
      samples.push(await run(proxy));
    }
  }
  return all;
}

function cpuMicrosOf(proxy: Started): number {
  return proxy.processes.reduce((sum, process) => sum + process.cpuMicros(), 0);
}

function residentMiBOf(proxy: Started): number {
  return proxy.processes.reduce((sum, { pid }) => sum + residentMiB(pid), 0);
}

function checkErrors(name: string, errors: number, requests: number): void {
  if (errors > 0 || requests === 0) {
    throw new Error(`${name}: ${errors} errors beside ${requests} requests`);
  }
}

/** CPU for each request, or for each MiB. */
export function measureLoad(
  scenario: LoadScenario | CostScenario,
  proxies: readonly Started[],
  { rounds, ...options }: RunOptions,
): Promise<readonly Runs<LoadSample>[]> {
  const run = async (proxy: Started): Promise<LoadSample> => {
    const beforeMicros = cpuMicrosOf(proxy);
    const load = await runLoad(proxy.port, scenario.traffic, options);
    checkErrors(proxy.name, load.errors, load.requests);
    const mebibytes = scenario.kind === "load" ? scenario.mebibytes : undefined;
    const units = load.requests * (mebibytes ?? 1);
    return {
      requests: load.requests,
      cpuMicros: (cpuMicrosOf(proxy) - beforeMicros) / units,
      perSecond: units / load.seconds,
      residentMiB: residentMiBOf(proxy),
    };
  };
  return takeTurns(proxies, rounds, run, ({ requests }) => requests);
}

/** Latency at a fixed rate. */
export function measureRate(
  { rate, connections }: RateScenario,
  proxies: readonly Started[],
  { rounds, seconds }: RunOptions,
  program: string,
): Promise<readonly Runs<Latency>[]> {
  const run = (proxy: Started): Promise<Latency> =>
    runOpenLoop(program, proxy.port, { rate, connections, seconds });
  return takeTurns(proxies, rounds, run, ({ requests }) => requests);
}

/** Memory of one proxy, in MiB. */
export interface MemorySample {
  readonly residentMiB: number;
  readonly proportionalMiB: number;
  /** KiB that were resident more for each million requests, over the second half of them. */
  readonly growthKiB?: number;
}

const SETTLE_MS = 2000;
/** Each opens connections of its own, whose objects stay until the next full collection of garbage. */
const SLICE_SECONDS = 10;
/** A slope through fewer points would be none. */
const SLICES_MIN = 6;

/** Brings a fresh proxy into the state that the scenario is about, and weighs it. */
export async function measureMemory(
  scenario: MemoryScenario,
  proxy: Started,
  folder: string,
): Promise<MemorySample> {
  const held = await holdConnections(proxy.port, scenario.idleConnections ?? 0);
  try {
    const growthKiB =
      scenario.load === undefined ? undefined : await growthUnder(scenario.load, proxy, folder);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return {
      residentMiB: residentMiBOf(proxy),
      proportionalMiB: proxy.processes.reduce((sum, { pid }) => sum + proportionalMiB(pid), 0),
      ...(growthKiB !== undefined && { growthKiB }),
    };
  } finally {
    for (const socket of held) socket.destroy();
  }
}

/** Asks for as much as is said; a first half is for what grows once. */
async function growthUnder(
  { requests, traffic }: MemoryLoad,
  proxy: Started,
  folder: string,
): Promise<number> {
  const weighed: { readonly done: number; readonly kibibytes: number }[] = [];
  for (let done = 0; done < requests || weighed.length < SLICES_MIN; ) {
    const load = await runLoad(proxy.port, traffic, { seconds: SLICE_SECONDS, folder });
    checkErrors(proxy.name, load.errors, load.requests);
    done += load.requests;
    weighed.push({ done, kibibytes: residentMiBOf(proxy) * 1024 });
  }
  return 1_000_000 * slope(weighed.slice(Math.floor(weighed.length / 2)));
}

/** KiB for each request, by least squares. */
function slope(points: readonly { readonly done: number; readonly kibibytes: number }[]): number {
  const middle = (of: readonly number[]): number =>
    of.reduce((sum, each) => sum + each, 0) / of.length;
  const x = middle(points.map(({ done }) => done));
  const y = middle(points.map(({ kibibytes }) => kibibytes));
  const above = points.reduce((sum, { done, kibibytes }) => sum + (done - x) * (kibibytes - y), 0);
  return above / points.reduce((sum, { done }) => sum + (done - x) ** 2, 0);
}

/** Connections that were answered once and stay open. */
async function holdConnections(port: number, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  for (let at = 0; at < count; at++) {
    const socket = createConnection({ host: "127.0.0.1", port });
    sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("data", () => resolve());
      socket.write("GET / HTTP/1.1\r\nhost: bench\r\n\r\n");
    });
  }
  return sockets;
}
