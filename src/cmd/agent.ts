import { readFile } from "node:fs/promises";
import { Agent } from "../agent/agent.ts";
import { parseAgentConfig } from "../agent/parse-agent-config.ts";
import { formatIssue } from "../base/issue.ts";
import { nodeClock } from "../base/node-clock.ts";
import { nodePrng } from "../base/node-prng.ts";
import { CliError, type Command, type CommandIo, EXIT } from "../cli/command.ts";
import { createLogger } from "../telemetry/log.ts";
import { survive } from "./survive.ts";

/** `weft agent`: what stands beside one workload. The runtime starts it, people rarely do. */
export const agentCommand: Command = {
  summary: "run the proxy beside one workload (started by weft itself)",
  usage: `Usage: weft agent --config FILE

Writes the proxy's bootstrap, runs weft's proxy or Envoy on it, and answers
/healthz/ready. SIGTERM lets connections end first, SIGINT ends at once.

  --config FILE   JSON: proxy, type, podName, namespace, podIp, discoveryAddress, ...
`,
  run: runAgent,
};

async function runAgent(args: readonly string[], io: CommandIo): Promise<number> {
  const [flag, file] = args;
  if (flag !== "--config" || file === undefined || args.length !== 2) {
    throw new CliError("usage: weft agent --config FILE");
  }
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new CliError(`cannot read ${file}: ${error instanceof Error ? error.message : ""}`);
  });
  const config = parseAgentConfig(text);
  if (!config.ok) {
    throw new CliError(config.issues.map((issue) => `${file}: ${formatIssue(issue)}`).join("\n"));
  }
  const logger = createLogger({
    clock: nodeClock,
    write: (line) => io.stdout(`${line}\n`),
    level: () => config.value.logLevel,
    scope: "agent",
  });
  const quit = new AbortController();
  let failure: string | undefined;
  const agent = new Agent({
    config: config.value,
    clock: nodeClock,
    prng: nodePrng,
    logger,
    writeStream: (stream, line) => (stream === "stdout" ? io.stdout(line) : io.stderr(line)),
    onQuit: () => quit.abort(),
    onFailure: (reason) => {
      failure = reason;
      quit.abort();
    },
  });
  await agent.start();
  const endSurvival = survive((error) => {
    if (!agent.noteFault(error)) throw error;
  });
  const signal = AbortSignal.any([io.signal, quit.signal]);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await agent.stop({ isDraining: failure === undefined && io.signal.reason !== "SIGINT" });
  endSurvival();
  if (failure !== undefined) throw new CliError(failure);
  return EXIT.done;
}
