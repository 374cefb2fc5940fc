import { readFile } from "node:fs/promises";
import { formatIssue } from "../base/issue.ts";
import { CliError, type Command, type CommandIo, EXIT } from "../cli/command.ts";
import { formatUsage, parseFlags } from "../cli/flags.ts";
import { type ProxyBootstrap, parseBootstrap } from "../proxy/bootstrap.ts";
import type { ProxyDeps } from "../proxy/proxy.ts";
import { LOG_LEVELS, type LogLevel } from "../telemetry/log.ts";
import { checkSeconds } from "./check-seconds.ts";
import { HOT_RESTART_FLAGS, readHotRestart } from "./hot-restart-flags.ts";
import { type BootstrapSource, serveProxy } from "./serve-proxy.ts";

/** Envoy's levels that are called otherwise here. */
const LEVEL_ALIASES: Readonly<Record<string, LogLevel>> = {
  trace: "debug",
  warning: "warn",
  critical: "error",
  off: "none",
};

const DRAIN_S_DEFAULT = 5;

const FLAGS = {
  "config-path": { short: "c", value: "FILE", help: "Envoy v3 bootstrap, YAML or JSON" },
  "config-yaml": { value: "TEXT", help: "merged over the file, or alone" },
  mode: { value: "MODE", help: "serve, or validate: check the bootstrap and end (default serve)" },
  "log-level": { short: "l", value: "LEVEL", help: `${LOG_LEVELS.join(", ")} (default info)` },
  concurrency: { value: "N", help: "how many processes share the work (default 1)" },
  "drain-time-s": {
    value: "S",
    help: `how long requests in flight get at the end (default ${DRAIN_S_DEFAULT})`,
  },
  "drain-strategy": { value: "HOW", help: "gradual or immediate (default gradual)" },
  ...HOT_RESTART_FLAGS,
} as const;

/** `weft proxy`: the data plane alone. */
export const proxyCommand: Command = {
  summary: "run the proxy alone, on an Envoy bootstrap",
  usage: formatUsage({
    forms: ["proxy -c FILE [FLAGS]"],
    text: `
Serves the listeners of an Envoy v3 bootstrap, static ones and those that its control plane sends
over ADS. What it cannot do it refuses by name: at the start for the file, as a NACK for the control
plane. SIGTERM and Ctrl-C let requests in flight end.`,
    flags: FLAGS,
    examples: ["proxy -c envoy.yaml", "proxy -c envoy.yaml --mode validate"],
  }),
  run,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { flags, positionals } = parseFlags("proxy", args, FLAGS);
  if (positionals.length > 0) throw new CliError(`unexpected argument "${positionals[0]}"`);
  const concurrency = checkConcurrency(flags.concurrency ?? "1");
  const mode = flags.mode ?? "serve";
  if (mode !== "serve" && mode !== "validate") {
    throw new CliError(`--mode ${mode} is neither serve nor validate`);
  }
  const level = checkLevel(flags["log-level"] ?? "info");
  const drainMs = checkSeconds("drain-time-s", flags["drain-time-s"], DRAIN_S_DEFAULT) * 1000;
  const hotRestart = readHotRestart(flags);
  const path = flags["config-path"];
  const { bootstrap, source } = await readBootstrap(path, flags["config-yaml"]);
  if (mode === "validate") {
    io.stdout(`configuration '${path ?? ""}' OK\n`);
    return EXIT.done;
  }
  // Nobody waits for listeners that change: without the flag their connections get Envoy's time.
  const drain = {
    drainStrategy: checkStrategy(flags["drain-strategy"] ?? "gradual"),
    ...(flags["drain-time-s"] === undefined ? {} : { drainMs }),
  };
  const options = { io, level, endMs: drainMs, drain, hotRestart, concurrency, source };
  await serveProxy(bootstrap, options);
  return EXIT.done;
}

async function readBootstrap(
  path: string | undefined,
  overlay: string | undefined,
): Promise<{ readonly bootstrap: ProxyBootstrap; readonly source: BootstrapSource }> {
  let text = overlay ?? "";
  if (path === undefined && overlay === undefined) {
    throw new CliError("at least one of --config-path or --config-yaml is needed");
  }
  if (path !== undefined) {
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      throw new CliError(`cannot read ${path}: ${cause}`);
    }
  }
  const source = { text, overlay: path === undefined ? undefined : overlay };
  const parsed = parseBootstrap(source.text, source.overlay);
  if (parsed.ok) return { bootstrap: parsed.value, source };
  const lines = parsed.issues.map((issue) => `  ${formatIssue(issue)}`);
  throw new CliError(`${path ?? "--config-yaml"} is refused:\n${lines.join("\n")}`);
}

function checkLevel(text: string): LogLevel {
  const level = LEVEL_ALIASES[text] ?? LOG_LEVELS.find((known) => known === text);
  if (level === undefined)
    throw new CliError(`--log-level ${text} is none of ${LOG_LEVELS.join(", ")}`);
  return level;
}

/** More processes than this only cost memory. */
const CONCURRENCY_MAX = 256;

function checkConcurrency(text: string): number {
  const number = Number(text);
  if (text !== "" && Number.isInteger(number) && number >= 1 && number <= CONCURRENCY_MAX) {
    return number;
  }
  throw new CliError(`--concurrency ${text} is no number from 1 to ${CONCURRENCY_MAX}`);
}

function checkStrategy(text: string): NonNullable<ProxyDeps["drainStrategy"]> {
  if (text === "gradual" || text === "immediate") return text;
  throw new CliError(`--drain-strategy ${text} is neither gradual nor immediate`);
}
