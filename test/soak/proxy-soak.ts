import { readdirSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { collectGarbage } from "../../src/proxy/overload/collect-garbage.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable } from "../proxy/bootstrap-json.ts";
import { freePorts, startWeft } from "../proxy/data-plane.ts";
import {
  assignment,
  dynamicBootstrap,
  edsCluster,
  rds,
  toCluster,
} from "../proxy/dynamic-bootstrap.ts";
import { HoldingUpstream } from "../proxy/holding-upstream.ts";
import { TestControlPlane } from "../proxy/test-control-plane.ts";

/** So much a soak may grow from its second sample to its last: noise, not a leak. */
const GROWTH = { heapMb: 8, externalMb: 4, descriptors: 10, resources: 10 };
/** Requests of one round, on kept connections, beside one new and one broken connection. */
const REQUESTS = 40;
/** A change of configuration comes after so many rounds. */
const ROUNDS_PER_CHANGE = 5;
const CLUSTERS = 20;

/** What a proxy holds at one moment, after garbage was collected. */
export interface ProxySample {
  readonly requests: number;
  readonly changes: number;
  readonly heapMb: number;
  readonly externalMb: number;
  readonly descriptors: number;
  /** Timers, sockets and whatever else keeps an event loop busy. */
  readonly resources: number;
}

/** How a soak goes. */
export interface ProxySoakOptions {
  readonly isOver: () => boolean;
  /** How long the proxy is left to its work between two samples. */
  readonly sampleMs: number;
  readonly onSample: (sample: ProxySample) => void;
}

/**
 * Lets a proxy of this process live through requests, new and broken connections, and changes of
 * listeners, routes, clusters and endpoints. Answers with what has grown, by name.
 */
export async function runProxySoak(options: ProxySoakOptions): Promise<readonly string[]> {
  const controlPlane = new TestControlPlane();
  const upstream = await HoldingUpstream.start();
  const [port = 0] = await freePorts(1);
  await controlPlane.start();
  change(controlPlane, 0, { port, upstreamPort: upstream.port });
  const plane = await startWeft(dynamicBootstrap(controlPlane.port), { drainMs: 200 });
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const samples: ProxySample[] = [];
  let requests = 0;
  let changes = 0;
  try {
    await until(() => plane.proxy.state === "LIVE", "the proxy to serve", 30_000);
    let nextMs = performance.now() + options.sampleMs;
    for (let round = 0; !options.isOver() || samples.length < 3; round++) {
      await Promise.all(Array.from({ length: REQUESTS }, () => ask(port, agent)));
      await breakOff(port);
      requests += REQUESTS;
      if (round % ROUNDS_PER_CHANGE === 0) {
        change(controlPlane, ++changes, { port, upstreamPort: upstream.port });
      }
      // What the other ends remember is not the proxy's.
      upstream.asked.length = 0;
      controlPlane.requests.length = 0;
      if (performance.now() < nextMs) continue;
      const sample = { requests, changes, ...(await measure()) };
      samples.push(sample);
      options.onSample(sample);
      nextMs = performance.now() + options.sampleMs;
    }
  } finally {
    agent.destroy();
    await plane.stop();
    controlPlane.stop();
    await upstream.stop();
  }
  return grown(samples);
}

function change(
  controlPlane: TestControlPlane,
  turn: number,
  { port, upstreamPort }: { readonly port: number; readonly upstreamPort: number },
): void {
  const own = `c${turn % CLUSTERS}`;
  const names = ["up", own];
  const byName = (make: (name: string) => object): Record<string, object> =>
    Object.fromEntries(names.map((name) => [name, make(name)]));
  controlPlane.set(
    "cluster",
    byName((name) => edsCluster(name)),
  );
  controlPlane.set(
    "endpoint",
    byName((name) => assignment(name, [upstreamPort])),
  );
  const options = { ...rds("table"), stream_idle_timeout: `${60 + (turn % 5)}s` };
  controlPlane.set("listener", { in: httpListener("in", port, options) });
  const exact = { match: { path: `/${own}` }, route: { cluster: own } };
  const table = { ...routeTable([exact, toCluster("up")]), name: "table" };
  controlPlane.set("route", { table });
}

/** Whatever it comes to: a connection may just be told to go. */
function ask(port: number, agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    const sent = request({ host: "127.0.0.1", port, agent }, (response) => {
      response.on("close", resolve);
      response.resume();
    });
    sent.on("error", () => resolve());
    sent.end();
  });
}

/** A client that goes in the middle of its request. */
function breakOff(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nbegun", () =>
      socket.resetAndDestroy(),
    );
  });
}

async function measure(): Promise<Omit<ProxySample, "requests" | "changes">> {
  // What is on its way ends first.
  await sleep(500);
  collectGarbage();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const megabytes = (bytes: number): number => Math.round(bytes / 104_857.6) / 10;
  return {
    heapMb: megabytes(heapUsed),
    externalMb: megabytes(external + arrayBuffers),
    descriptors: readdirSync("/proc/self/fd").length,
    resources: process.getActiveResourcesInfo().length,
  };
}

/** The first sample is still warming up. */
function grown(samples: readonly ProxySample[]): readonly string[] {
  const [, first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return ["there are too few samples"];
  return (Object.keys(GROWTH) as (keyof typeof GROWTH)[]).flatMap((name) =>
    last[name] - first[name] > GROWTH[name]
      ? [`${name} grew from ${first[name]} to ${last[name]}`]
      : [],
  );
}
