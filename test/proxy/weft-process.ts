import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../controlplane/until.ts";

const weft = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin", "weft");

/** One `weft proxy`. */
export interface ProxyProcess {
  readonly child: ChildProcess;
  /** What it said so far. */
  readonly output: () => string;
  /** The code that it ended with, or the signal, once it has. */
  readonly end: () => Promise<number | string | null>;
}

/** `weft proxy` as processes of their own, as users run it, with a folder for their files. */
export class ProxyProcesses {
  readonly folder = mkdtempSync(join(tmpdir(), "weft-proxy-"));
  readonly #children: ChildProcess[] = [];

  write(name: string, bootstrap: object): string {
    const file = join(this.folder, name);
    writeFileSync(file, JSON.stringify(bootstrap));
    return file;
  }

  run(args: readonly string[]): ProxyProcess {
    const child = spawn(process.execPath, [weft, "proxy", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.push(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    }
    const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
    return {
      child,
      output: () => text,
      async end() {
        await until(isOver, "the process to end", LONG_MS);
        return child.exitCode ?? child.signalCode;
      },
    };
  }

  /** Ends what still runs, and takes the folder away. */
  async stop(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** For what takes another process: this machine may be busy. */
export const LONG_MS = 30_000;

/** Every number of an admin port whose name matches. */
export async function numbersOf(
  adminPort: number,
  filter: string,
): Promise<Readonly<Record<string, number>>> {
  const answer = await fetch(
    `http://127.0.0.1:${adminPort}/stats?filter=${encodeURIComponent(filter)}`,
  ).catch(() => undefined);
  const lines = (await answer?.text())?.split("\n") ?? [];
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name, value] = /^(.*): (\d+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)]];
    }),
  );
}

/** What an admin port answers; "" when nobody does. */
export async function askAdmin(adminPort: number, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`).catch(() => undefined);
  return (await answer?.text()) ?? "";
}
