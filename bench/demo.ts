import { spawn } from "node:child_process";
import { once } from "node:events";
import { processTree, proportionalMiB, residentMiB } from "./measured.ts";
import { freePorts } from "./ports.ts";

const UP_MS_MAX = 60_000;
const DOWN_MS_MAX = 30_000;
const SETTLE_MS = 3000;

/** What the demo's processes take together, in MiB, once its page has been served. */
export interface DemoMemory {
  readonly processes: number;
  readonly residentMiB: number;
  readonly proportionalMiB: number;
}

/** Starts `weft up --demo` in a home and on ports of its own, weighs it, and stops it. */
export async function measureDemo(weft: string, folder: string): Promise<DemoMemory> {
  const [httpPort = 0, ...others] = await freePorts(4);
  const flags = ["--api-port", "--xds-port", "--monitoring-port"].map(
    (flag, at) => `${flag}=${others[at] ?? 0}`,
  );
  const up = spawn(
    weft,
    ["up", "--demo", `--home=${folder}/home`, `--http-port=${httpPort}`, ...flags],
    { stdio: "ignore" },
  );
  try {
    const startMs = performance.now();
    while (!(await isServed(`http://127.0.0.1:${httpPort}/productpage`))) {
      if (up.exitCode !== null || performance.now() - startMs > UP_MS_MAX) {
        throw new Error("the demo did not come up");
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const pids = processTree(up.pid ?? 0);
    return {
      processes: pids.length,
      residentMiB: pids.reduce((sum, pid) => sum + residentMiB(pid), 0),
      proportionalMiB: pids.reduce((sum, pid) => sum + proportionalMiB(pid), 0),
    };
  } finally {
    if (up.exitCode === null && up.signalCode === null) {
      const ended = once(up, "exit");
      up.kill("SIGTERM");
      const forced = setTimeout(() => up.kill("SIGKILL"), DOWN_MS_MAX);
      await ended;
      clearTimeout(forced);
    }
  }
}

async function isServed(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
