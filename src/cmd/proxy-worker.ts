import { nodeClock } from "../base/node-clock.ts";
import { nodePrng } from "../base/node-prng.ts";
import { CliError, type Command, type CommandIo, EXIT } from "../cli/command.ts";
import { LogLevels } from "../proxy/log-levels.ts";
import { Worker } from "../proxy/worker.ts";
import { createLogger, type LogLevel } from "../telemetry/log.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { survive } from "./survive.ts";

/** `weft proxy-worker`: one of the processes of `weft proxy --concurrency`, which starts it. */
export const proxyWorkerCommand: Command = {
  summary: "one process of weft proxy --concurrency (started by it)",
  usage: `Usage: weft proxy-worker

Is started by weft proxy with a channel to it, and ends with it.
`,
  run: runWorker,
};

async function runWorker(args: readonly string[], io: CommandIo): Promise<number> {
  if (process.send === undefined || args.length > 0) {
    throw new CliError("proxy-worker is started by weft proxy --concurrency N");
  }
  let logLevels = new LogLevels("info");
  const log = createLogger({
    clock: nodeClock,
    write: (line) => io.stderr(`${line}\n`),
    level: (scope) => logLevels.of(scope),
    scope: `proxy-worker-${process.pid}`,
  });
  const worker = new Worker(
    process,
    {
      clock: nodeClock,
      prng: nodePrng,
      log,
      writeStream: (stream, text) => (stream === "stdout" ? io.stdout(text) : io.stderr(text)),
      onQuit: () => undefined,
    },
    (level) => {
      logLevels = new LogLevels(level as LogLevel);
    },
  );
  const endSurvival = survive((error) => worker.noteFault(error));
  collectGarbage();
  // Signals of the terminal come here too: the leader says when this ends.
  await new Promise<void>((resolve) => {
    worker.gone.addEventListener("abort", () => resolve(), { once: true });
  });
  await worker.stop();
  endSurvival();
  return EXIT.done;
}
