import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { ClientCommand, ClientReport, Span, Tally } from "./client-messages.ts";
import type { Variant } from "./discovery-wire.ts";
import type { Mark } from "./mesh-objects.ts";

const MAIN = fileURLToPath(new URL("client-process.ts", import.meta.url));

/**
 * Bundles the clients' `main` into a folder, so that no loader stands in their way; its path.
 * What is generated for their names is left out: it is a tenth of what they cost.
 */
export async function bundleClients(folder: string): Promise<string> {
  const outfile = join(folder, "client-process.mjs");
  await build({
    entryPoints: [MAIN],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
  });
  return outfile;
}

const START_MS_MAX = 30_000;
const ANSWER_MS_MAX = 10_000;
/** So long may all clients take to get what they ask for, or what was written. */
const ARRIVE_MS_MAX = 180_000;
/** Nothing more comes once there was nothing for so long. */
const QUIET_MS = 500;
const SETTLE_MS_MAX = 60_000;

/** What to connect, and where. */
export interface FleetTarget {
  readonly port: number;
  readonly variant: Variant;
  readonly clients: number;
}

/** Simulated sidecars in several processes, so that they are not what is measured. */
export class Fleet {
  readonly #children: ChildProcess[] = [];

  /** Starts processes of what `bundleClients` made; they connect nowhere yet. */
  static async start(main: string, processes: number): Promise<Fleet> {
    const fleet = new Fleet();
    for (let at = 0; at < processes; at++) {
      const execArgv = ["--max-semi-space-size=32"];
      fleet.#children.push(
        fork(main, [], { execArgv, stdio: ["ignore", "ignore", "inherit", "ipc"] }),
      );
    }
    await fleet
      .#all(({ is }) => is === "started", START_MS_MAX, "clients to start")
      .catch(async (error: unknown) => {
        await fleet.stop();
        throw error;
      });
    return fleet;
  }

  /** Connects all clients; resolves when each has acknowledged everything that it asks for. */
  async connect({ port, variant, clients }: FleetTarget): Promise<Span> {
    const ready = this.#all(({ is }) => is === "ready", ARRIVE_MS_MAX, "a first configuration");
    const share = Math.ceil(clients / this.#children.length);
    for (const [at, child] of this.#children.entries()) {
      const from = at * share;
      const count = Math.min(share, clients - from);
      send(child, { do: "connect", port, variant, from, count });
    }
    const reports = (await ready).flatMap((one) => (one.is === "ready" ? [one] : []));
    return {
      firstMs: Math.min(...reports.map(({ beganMs }) => beganMs)),
      lastMs: Math.max(...reports.map(({ span }) => span.lastMs)),
    };
  }

  /** Resolves when all clients look out for what is about to be written; the result waits for it. */
  async await(turn: number, mark: Mark): Promise<{ readonly arrived: Promise<Span> }> {
    const isMine = (report: ClientReport, is: string): boolean =>
      "turn" in report && report.turn === turn && report.is === is;
    const awaiting = this.#all(
      (one) => isMine(one, "awaiting"),
      ANSWER_MS_MAX,
      "clients to answer",
    );
    const arrived = this.#all((one) => isMine(one, "arrived"), ARRIVE_MS_MAX, `"${mark.text}"`);
    arrived.catch(() => undefined);
    for (const child of this.#children) send(child, { do: "await", turn, mark });
    await awaiting;
    const span = arrived.then((reports): Span => {
      const spans = reports.flatMap((one) => (one.is === "arrived" ? [one.span] : []));
      return {
        firstMs: Math.min(...spans.map(({ firstMs }) => firstMs)),
        lastMs: Math.max(...spans.map(({ lastMs }) => lastMs)),
      };
    });
    span.catch(() => undefined);
    return { arrived: span };
  }

  /** Sums over all clients. */
  async tally(): Promise<Tally> {
    const answers = this.#all(({ is }) => is === "tally", ANSWER_MS_MAX, "clients to answer");
    for (const child of this.#children) send(child, { do: "tally" });
    const tallies = (await answers).flatMap((one) => (one.is === "tally" ? [one.tally] : []));
    const sum = (of: (tally: Tally) => number): number =>
      tallies.reduce((total, tally) => total + of(tally), 0);
    return {
      bytes: sum(({ bytes }) => bytes),
      responses: sum(({ responses }) => responses),
      retries: sum(({ retries }) => retries),
      cpuMicros: sum(({ cpuMicros }) => cpuMicros),
    };
  }

  /** The sums once no more responses come. */
  async settled(): Promise<Tally> {
    const endMs = performance.now() + SETTLE_MS_MAX;
    let last = await this.tally();
    while (performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      const next = await this.tally();
      if (next.responses === last.responses) return next;
      last = next;
    }
    throw new Error(`responses still came after ${SETTLE_MS_MAX} ms`);
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }),
    );
  }

  /** One report of each process that is looked for; rejects when a process fails or time is up. */
  #all(
    isWanted: (report: ClientReport) => boolean,
    timeoutMs: number,
    what: string,
  ): Promise<readonly ClientReport[]> {
    return new Promise((resolve, reject) => {
      const found: ClientReport[] = [];
      const listeners: (() => void)[] = [];
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        for (const remove of listeners) remove();
        settle();
      };
      const fail = (why: string): void => end(() => reject(new Error(why)));
      const timer = setTimeout(
        () => fail(`waited ${timeoutMs} ms in vain for ${what}: ${found.length} processes have it`),
        timeoutMs,
      );
      for (const child of this.#children) {
        const take = (report: ClientReport): void => {
          if (report.is === "failed") fail(report.reason);
          else if (isWanted(report)) found.push(report);
          if (found.length === this.#children.length) end(() => resolve(found));
        };
        const gone = (): void => fail("a process of clients ended");
        child.on("message", take);
        child.on("exit", gone);
        listeners.push(() => child.off("message", take).off("exit", gone));
      }
    });
  }
}

function send(child: ChildProcess, command: ClientCommand): void {
  child.send(command);
}
