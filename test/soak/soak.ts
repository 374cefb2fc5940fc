import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createPrng } from "../../src/base/prng.ts";
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
import type { SoakCommand, SoakMemory, SoakReport } from "./soak-server.ts";

const SERVER = fileURLToPath(new URL("soak-server.ts", import.meta.url));

/** So long the control plane may take for its start, and for a collection of garbage. */
const ANSWER_MS_MAX = 60_000;

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
  const server = new SoakProcess();
  try {
    return await soak(server, options);
  } finally {
    await server.stop();
  }
}

async function soak(server: SoakProcess, options: SoakOptions): Promise<SoakResult> {
  const { grpcPort, httpPort } = await server.start();
  const url = `http://127.0.0.1:${httpPort}`;
  const objects = new SoakObjects(createPrng(options.seed), options.services);
  server.tell({ do: "apply", events: objects.first() });
  await whenIdle(url);
  const clients = new SoakClients(grpcPort, options.proxies);
  const samples: SoakSample[] = [];
  const look = async (changes: number): Promise<void> => {
    await whenIdle(url);
    const memory = await server.collect();
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

/** The control plane's process, which its owner stops. */
class SoakProcess {
  readonly #child: ChildProcess = fork(SERVER, [], {
    execArgv: ["--expose-gc", "--max-semi-space-size=4", "--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  readonly #closed = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));

  constructor() {
    // What cannot be told to one that is gone: that it is, `close` says.
    this.#child.on("error", () => undefined);
  }

  start(): Promise<SoakReport & { is: "serving" }> {
    return this.#answer("serving");
  }

  tell(command: SoakCommand): void {
    this.#child.send(command);
  }

  async collect(): Promise<SoakMemory> {
    const collected = this.#answer("collected");
    this.tell({ do: "collect" });
    return (await collected).memory;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.connected) this.tell({ do: "stop" });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), ANSWER_MS_MAX);
    await this.#closed;
    clearTimeout(timer);
  }

  #answer<Is extends SoakReport["is"]>(is: Is): Promise<SoakReport & { is: Is }> {
    return new Promise((resolve, reject) => {
      const end = (error: Error): void => {
        clearTimeout(timer);
        this.#child.off("message", take).off("close", gone);
        reject(error);
      };
      const take = (report: SoakReport): void => {
        if (report.is !== is) return;
        clearTimeout(timer);
        this.#child.off("message", take).off("close", gone);
        resolve(report as SoakReport & { is: Is });
      };
      const gone = (): void => end(new Error(`the control plane ended before it was ${is}`));
      const timer = setTimeout(() => {
        end(new Error(`the control plane was not ${is} after ${ANSWER_MS_MAX} ms`));
      }, ANSWER_MS_MAX);
      this.#child.on("message", take).once("close", gone);
    });
  }
}
