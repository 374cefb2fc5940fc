import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../controlplane/until.ts";
import { askTls } from "../proxy/tls-client.ts";
import type { ProxyHeld, ProxySoakCommand, ProxySoakReport } from "./proxy-soak-server.ts";
import { ProxySoakTraffic } from "./proxy-soak-traffic.ts";
import { ProxySoakWorld } from "./proxy-soak-world.ts";
import { SoakChild } from "./soak-child.ts";

/** Things change once in so many rounds. */
const ROUNDS_PER = { change: 5, certificate: 7, upstream: 11, log: 13 } as const;
/** How long connections of a listener that was replaced get. */
const DRAIN_MS = 1000;
const WARM_UP_ROUNDS = 30;
/** How much may be left when everybody has gone, beyond what was held before anybody came back. */
const LEFT: Partial<Record<keyof ProxyHeld, number>> = {
  connections: 0,
  active: 0,
  descriptors: 6,
  timers: 6,
  resources: 6,
  stats: 60,
  faults: 0,
};
/** How much the trend of a soak may come to over all of it: noise, not a leak. Who is connected varies. */
const TREND: Partial<Record<keyof ProxyHeld, number>> = {
  heapMb: 4,
  externalMb: 4,
  residentMb: 32,
  timers: 20,
  stats: 100,
};
/** A share of what was asked must have come to something, of each kind. */
const OK_SHARE_MIN = 0.95;

/** One look at a proxy that nobody uses for the moment. */
export interface ProxySample extends ProxyHeld {
  readonly requests: number;
  /** Changes of configuration so far. */
  readonly changes: number;
  /** Since the start. */
  readonly minutes: number;
}

/** How a soak goes. */
export interface ProxySoakOptions {
  readonly isOver: () => boolean;
  /** How long the proxy is left to its work between two looks. */
  readonly sampleMs: number;
  /** How long one round of requests waits for the next. */
  readonly pauseMs: number;
  readonly onSample: (sample: ProxySample) => void;
}

/** How it went. */
export interface ProxySoakResult {
  readonly samples: readonly ProxySample[];
  readonly outcomes: ProxySoakTraffic["outcomes"];
  /** What has grown, what was left, and what nobody answered. */
  readonly problems: readonly string[];
}

type SoakProxy = SoakChild<ProxySoakCommand, ProxySoakReport>;

/**
 * Lets a proxy in a process of its own live through what real life has: HTTP/1.1, HTTP/2, gRPC,
 * WebSockets and TLS, clients that break off, upstreams that come and go, and changes of listeners,
 * routes, clusters, endpoints, certificates and log files. What it holds is looked at again and again,
 * and once more when everybody has gone.
 */
export async function runProxySoak(options: ProxySoakOptions): Promise<ProxySoakResult> {
  const world = await ProxySoakWorld.start();
  const proxy: SoakProxy = new SoakChild("proxy-soak-server.ts");
  try {
    const started = proxy.answer("started");
    proxy.tell({ do: "start", bootstrap: world.bootstrap(), drainMs: DRAIN_MS });
    await started;
    return await new ProxySoak(world, proxy, options).run();
  } finally {
    await proxy.stop({ do: "stop" });
    await world.stop();
  }
}

class ProxySoak {
  readonly #world: ProxySoakWorld;
  readonly #proxy: SoakProxy;
  readonly #options: ProxySoakOptions;
  readonly #startMs = performance.now();
  readonly #samples: ProxySample[] = [];
  #round = 0;
  #changes = 0;
  #requests = 0;

  constructor(world: ProxySoakWorld, proxy: SoakProxy, options: ProxySoakOptions) {
    this.#world = world;
    this.#proxy = proxy;
    this.#options = options;
  }

  async run(): Promise<ProxySoakResult> {
    const { isOver, sampleMs, onSample } = this.#options;
    const before = await this.#warmUp();
    const traffic = new ProxySoakTraffic(this.#world.ports);
    let nextMs = performance.now() + sampleMs;
    try {
      while (!isOver() || this.#samples.length < 3) {
        await this.#live(traffic);
        if (performance.now() < nextMs) continue;
        this.#requests = traffic.requests;
        const sample = await this.#look();
        this.#samples.push(sample);
        onSample(sample);
        nextMs = performance.now() + sampleMs;
      }
    } finally {
      traffic.stop();
    }
    const after = await this.#rest();
    onSample(after);
    const { outcomes } = traffic;
    return {
      samples: this.#samples,
      outcomes,
      problems: [
        ...leftProblems(before, after),
        ...trendProblems(this.#samples),
        ...outcomeProblems(outcomes),
      ],
    };
  }

  /** What is made on first use has been made after that, and nobody is there any more. */
  async #warmUp(): Promise<ProxySample> {
    const traffic = new ProxySoakTraffic(this.#world.ports);
    const { ads, files } = this.#world.ports;
    for (const port of [ads, files]) {
      await until(async () => (await askTls(port)).status === "200", "the proxy to serve", 30_000);
    }
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await this.#live(traffic);
    traffic.stop();
    const before = await this.#rest();
    this.#options.onSample(before);
    return before;
  }

  async #live(traffic: ProxySoakTraffic): Promise<void> {
    const round = ++this.#round;
    await traffic.round(this.#world.movingPort);
    if (round % ROUNDS_PER.change === 0) {
      this.#changes++;
      this.#world.change();
    }
    if (round % ROUNDS_PER.certificate === 0) this.#world.rotateCertificates();
    if (round % ROUNDS_PER.upstream === 0) await this.#world.moveUpstream();
    if (round % ROUNDS_PER.log === 0 && this.#world.rotateLog()) this.#proxy.signal("SIGUSR1");
    await sleep(this.#options.pauseMs);
  }

  async #look(): Promise<ProxySample> {
    // What is on its way ends first, and so does what drains.
    await sleep(2 * DRAIN_MS);
    const measured = this.#proxy.answer("measured");
    this.#proxy.tell({ do: "measure" });
    const { held } = await measured;
    const minutes = (performance.now() - this.#startMs) / 60_000;
    return { ...held, requests: this.#requests, changes: this.#changes, minutes };
  }

  /** A look when nobody is connected any more, or when that did not come to be. */
  async #rest(): Promise<ProxySample> {
    let sample = await this.#look();
    for (let tries = 0; tries < 10 && sample.connections > 0; tries++) sample = await this.#look();
    return sample;
  }
}

/** What is left of all that is gone. */
function leftProblems(before: ProxyHeld, after: ProxyHeld): readonly string[] {
  return keysOf(LEFT).flatMap((name) => {
    const [was, is] = [before[name], after[name]];
    return is - was > (LEFT[name] ?? 0)
      ? [`${name}: ${round(was)} before, ${round(is)} when everybody had gone`]
      : [];
  });
}

/** What rises, by the trend of all looks but the first, which is still warming up. */
export function trendProblems(samples: readonly ProxySample[]): readonly string[] {
  const seen = samples.slice(1);
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined || first === last) return ["too few looks"];
  return keysOf(TREND).flatMap((name) => {
    const slope = medianSlope(seen.map((sample) => [sample.minutes, sample[name]]));
    const rise = slope * (last.minutes - first.minutes);
    return rise > (TREND[name] ?? 0)
      ? [
          `${name} rises by ${round(slope * 60)} an hour: ${seen.map((one) => round(one[name])).join(" ")}`,
        ]
      : [];
  });
}

/** What was not answered, or too often with an error. */
function outcomeProblems(outcomes: ProxySoakTraffic["outcomes"]): readonly string[] {
  return Object.entries(outcomes).flatMap(([kind, { ok, failed, stuck }]) => {
    if (stuck > 0) return [`${kind}: ${stuck} were never answered`];
    return ok < OK_SHARE_MIN * (ok + failed) || ok === 0
      ? [`${kind}: ${ok} ok, ${failed} failed`]
      : [];
  });
}

/** Theil and Sen: the median of the slopes between any two points; one look that is off does not count. */
function medianSlope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x1, y1], at) =>
    points.slice(at + 1).map(([x2, y2]) => (y2 - y1) / (x2 - x1)),
  );
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  const [low = 0, high = 0] = [slopes[(slopes.length - 1) >> 1], slopes[middle]];
  return (low + high) / 2;
}

function keysOf(limits: Partial<Record<keyof ProxyHeld, number>>): readonly (keyof ProxyHeld)[] {
  return Object.keys(limits) as (keyof ProxyHeld)[];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
