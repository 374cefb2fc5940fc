import { writeFile } from "node:fs/promises";
import type { Server } from "node:net";
import { nodeClock } from "../base/node-clock.ts";
import { nodePrng } from "../base/node-prng.ts";
import { CliError, type CommandIo } from "../cli/command.ts";
import type { ProxyBootstrap } from "../proxy/bootstrap.ts";
import { HotRestart } from "../proxy/hot-restart.ts";
import { LogLevels } from "../proxy/log-levels.ts";
import { Proxy, type ProxyDeps } from "../proxy/proxy.ts";
import { Workers } from "../proxy/workers.ts";
import { createLogger, type LogLevel } from "../telemetry/log.ts";
import { collectGarbage } from "./collect-garbage.ts";
import type { HotRestartOptions } from "./hot-restart-flags.ts";
import { survive } from "./survive.ts";

/** How a proxy is to run. */
export interface ServeOptions {
  readonly io: CommandIo;
  readonly level: LogLevel;
  /** How long requests in flight get when it is told to end. */
  readonly endMs: number;
  readonly drain: Pick<ProxyDeps, "drainMs" | "drainStrategy">;
  readonly hotRestart: HotRestartOptions | undefined;
  /** How many processes share the work, this one included. */
  readonly concurrency: number;
  readonly source: BootstrapSource;
}

/** What a bootstrap was read from: other processes read it too. */
export interface BootstrapSource {
  readonly text: string;
  readonly overlay: string | undefined;
}

/** Runs a proxy until it is told to end, or another process has taken its place. */
export async function serveProxy(bootstrap: ProxyBootstrap, options: ServeOptions): Promise<void> {
  const { io, level, endMs, drain } = options;
  const logLevels = new LogLevels(level);
  const log = createLogger({
    clock: nodeClock,
    write: (line) => io.stderr(`${line}\n`),
    level: (scope) => logLevels.of(scope),
    scope: "proxy",
  });
  const quit = new AbortController();
  const restart = await joinRestart(options, log);
  const workers = createWorkers(options, log, (address) => proxy.shareSocket(address));
  const peers = restart?.peersWith(workers) ?? workers?.peers;
  const proxy: Proxy = new Proxy(bootstrap, {
    clock: nodeClock,
    prng: nodePrng,
    log,
    logLevels,
    writeStream: (stream, text) => (stream === "stdout" ? io.stdout(text) : io.stderr(text)),
    onQuit: () => quit.abort(),
    ...drain,
    ...(peers === undefined ? {} : { peers }),
  });
  try {
    await workers?.start();
    await proxy.start();
    await restart?.serve(proxy, workers);
  } catch (error) {
    await Promise.all([proxy.stop(0), workers?.stop(0)]);
    await restart?.close();
    throw new CliError(error instanceof Error ? error.message : String(error));
  }
  const endSurvival = survive((error) => proxy.noteFault(error));
  collectGarbage();
  const reopenLogs = (): void => {
    proxy.reopenLogs();
    void workers?.reopenLogs();
  };
  process.on("SIGUSR1", reopenLogs);
  const told = AbortSignal.any([io.signal, quit.signal]);
  await aborted(restart === undefined ? told : AbortSignal.any([told, restart.replaced]));
  process.off("SIGUSR1", reopenLogs);
  if (told.aborted) log.info("draining", { drainMs: endMs });
  const drainMs = told.aborted ? endMs : 0;
  await Promise.all([proxy.stop(drainMs), workers?.stop(drainMs)]);
  await restart?.close();
  endSurvival();
}

function createWorkers(
  { concurrency, source, level, drain }: ServeOptions,
  log: ProxyDeps["log"],
  share: (address: string) => Server | undefined,
): Workers | undefined {
  const program = process.argv[1];
  if (concurrency === 1 || program === undefined) return undefined;
  return new Workers({
    clock: nodeClock,
    log,
    program,
    args: ["proxy-worker"],
    start: {
      bootstrap: source.text,
      overlay: source.overlay,
      logLevel: level,
      concurrency,
      drainMs: drain.drainMs,
      drainStrategy: drain.drainStrategy,
    },
    share,
  });
}

async function joinRestart(
  { hotRestart }: ServeOptions,
  log: ProxyDeps["log"],
): Promise<HotRestart | undefined> {
  if (hotRestart === undefined) return undefined;
  try {
    const restart = await HotRestart.join({ ...hotRestart, clock: nodeClock, log });
    const { baseIdPath } = hotRestart;
    if (baseIdPath !== undefined) await writeFile(baseIdPath, String(restart.peers.info.baseId));
    return restart;
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error));
  }
}

/** Keeps the process alive until then: timers of the proxy do not. */
function aborted(signal: AbortSignal): Promise<void> {
  const forever = new AbortController();
  if (signal.aborted) return Promise.resolve();
  signal.addEventListener("abort", () => forever.abort(), { once: true });
  return nodeClock.sleep(2 ** 31 - 1, forever.signal);
}
