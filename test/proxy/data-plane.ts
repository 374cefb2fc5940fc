import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatIssue } from "../../src/base/issue.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { Proxy, type ProxyDeps } from "../../src/proxy/proxy.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";

/** A proxy that runs on a bootstrap, whichever it is. */
export interface DataPlane {
  stop(): Promise<void>;
}

/** As JSON, or as YAML where somebody wrote it. */
function textOf(bootstrap: object | string): string {
  return typeof bootstrap === "string" ? bootstrap : JSON.stringify(bootstrap);
}

/** Starts weft's proxy in this process. */
export async function startWeft(
  bootstrap: object | string,
  deps: Partial<ProxyDeps> = {},
): Promise<DataPlane & { readonly proxy: Proxy }> {
  const parsed = parseBootstrap(textOf(bootstrap));
  if (!parsed.ok) throw new Error(parsed.issues.map(formatIssue).join("\n"));
  const proxy = new Proxy(parsed.value, {
    clock: nodeClock,
    prng: createPrng(1),
    log: silentLogger,
    writeStream: () => undefined,
    onQuit: () => undefined,
    ...deps,
  });
  await proxy.start();
  return { proxy, stop: () => proxy.stop(0) };
}

/** Starts real Envoy as a process; resolves when its admin port says that it is ready. */
export async function startEnvoy(
  program: string,
  bootstrap: object | string,
  adminPort: number,
  more: readonly string[] = [],
): Promise<DataPlane> {
  const folder = mkdtempSync(join(tmpdir(), "weft-envoy-"));
  // Envoy reads numbers of YAML otherwise than those of JSON.
  const file = join(folder, `bootstrap.${typeof bootstrap === "string" ? "yaml" : "json"}`);
  writeFileSync(file, textOf(bootstrap));
  const log = join(folder, "log");
  const args = ["-c", file, "--concurrency", "1", "--use-dynamic-base-id", ...more];
  // Access logs are compared while it runs.
  args.push("--file-flush-interval-msec", "20");
  const child: ChildProcess = spawn(program, [...args, "-l", "warning", "--log-path", log], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`envoy ended: ${child.exitCode}`);
      const answer = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => undefined);
      await answer?.arrayBuffer();
      return answer?.status === 200;
    }, "envoy to be ready");
  } catch (error) {
    const text = readFileSync(log, "utf8").slice(-2000);
    await stop();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${text}`);
  }
  return { stop };
}

/**
 * Below the ports that the system gives to connections: one that was looked at and let go must not
 * become the near end of somebody's connection. Each worker of the test runner has a part of its own.
 */
const PORTS_FIRST = 12_000;
const PORTS_OF_WORKER = 2_000;
const WORKERS = 8;
let nextPort = process.pid % PORTS_OF_WORKER;

/** So many ports of 127.0.0.1 that nobody listens on now, and that no other test gets. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const worker = Number(process.env["VITEST_POOL_ID"] ?? 0) % WORKERS;
  const ports: number[] = [];
  for (let tries = 0; ports.length < count && tries < PORTS_OF_WORKER; tries++) {
    nextPort = (nextPort + 1) % PORTS_OF_WORKER;
    const port = PORTS_FIRST + worker * PORTS_OF_WORKER + nextPort;
    if (await isFree(port)) ports.push(port);
  }
  if (ports.length < count) throw new Error("no port is free");
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
