import { createPrng } from "../../src/base/prng.ts";
import { SoakChild } from "./soak-child.ts";
import { SoakClients } from "./soak-clients.ts";
import { SoakObjects } from "./soak-objects.ts";
import {
  boundProblems,
  growthProblems,
  type SoakSample,
  scrape,
  whenIdle,
  whenServed,
  withMemory,
} from "./soak-samples.ts";
import type { SoakCommand, SoakReport } from "./soak-server.ts";

type SoakProcess = SoakChild<SoakCommand, SoakReport>;

/** How long one change waits for the next, at least: each is noticed by itself. */
const PAUSE_MS = 2;

/** Proxies move once in so many changes, pages are read once in so many. */
const CHANGES_PER_MOVE = 8;
const CHANGES_PER_PAGE = 50;

const PAGES = ["syncz", "endpointz", "configz", "config_dump?proxyID=app-0.default", "push_status"];

/** How large a soak is. */
export interface SoakOptions {
  readonly seed: number;
  /** It ends after so many changes, or when `isOver` says so. */
  readonly changes: number;
  readonly isOver: () => boolean;
  readonly services: number;
  readonly proxies: number;
  /** Looks in all, evenly spaced. */
  readonly samples: number;
  /** Told of each look. */
  readonly onSample?: (sample: SoakSample) => void;
}

/** How a soak went. */
export interface SoakResult {
  readonly samples: readonly SoakSample[];
  /** What is above its bound, has grown, or was lost. */
  readonly problems: readonly string[];
}

/** Changes a mesh under a control plane, with proxies of all sorts, and looks whether it grows. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const server: SoakProcess = new SoakChild("soak-server.ts", ["--max-semi-space-size=4"]);
  try {
    return await soak(server, options);
  } finally {
    await server.stop({ do: "stop" });
  }
}

async function soak(server: SoakProcess, options: SoakOptions): Promise<SoakResult> {
  const { grpcPort, httpPort } = await server.answer("serving");
  const url = `http://127.0.0.1:${httpPort}`;
  const objects = new SoakObjects(createPrng(options.seed), options.services);
  server.tell({ do: "apply", events: objects.first() });
  await whenIdle(url);
  const clients = new SoakClients(grpcPort, options.proxies);
  const samples: SoakSample[] = [];
  const look = async (changes: number): Promise<void> => {
    await whenIdle(url);
    const collected = server.answer("collected");
    server.tell({ do: "collect" });
    const { memory } = await collected;
    samples.push({ changes, scrape: withMemory(await scrape(url), memory) });
    const sample = samples.at(-1);
    if (sample !== undefined) options.onSample?.(sample);
  };
  try {
    const step = Math.ceil(options.changes / (options.samples - 1));
    let turn = 0;
    await look(turn);
    while (turn < options.changes && !options.isOver()) {
      turn += 1;
      server.tell({ do: "apply", events: objects.change(turn) });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      if (turn % CHANGES_PER_MOVE === 0) clients.move();
      if (turn % CHANGES_PER_PAGE === 0) {
        await whenServed(url, clients.steady);
        await readPage(url, turn / CHANGES_PER_PAGE);
      }
      if (turn % step === 0) await look(turn);
    }
    if (turn % step !== 0) await look(turn);
    const { lost } = clients;
    return {
      samples,
      problems: [
        ...samples.flatMap(boundProblems),
        ...growthProblems(samples),
        ...(lost === undefined ? [] : [`a proxy was sent away: ${lost}`]),
      ],
    };
  } finally {
    clients.close();
  }
}

async function readPage(url: string, index: number): Promise<void> {
  const response = await fetch(`${url}/debug/${PAGES[index % PAGES.length]}`);
  await response.arrayBuffer();
}
