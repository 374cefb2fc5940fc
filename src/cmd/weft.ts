import { suggest } from "../base/suggest.ts";
import type { Command, CommandIo } from "../cli/command.ts";
import { CliError, EXIT } from "../cli/command.ts";

/** Every verb; loaded when it is asked for, so that `weft version` costs no gRPC. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  apply: async () => (await import("../cli/apply.ts")).applyCommand,
  get: async () => (await import("../cli/get.ts")).getCommand,
  delete: async () => (await import("../cli/delete.ts")).deleteCommand,
  label: async () => (await import("../cli/label.ts")).labelCommand,
  scale: async () => (await import("../cli/scale.ts")).scaleCommand,
  logs: async () => (await import("../cli/logs.ts")).logsCommand,
  wait: async () => (await import("../cli/wait.ts")).waitCommand,
  "proxy-status": async () => (await import("../cli/proxy-status.ts")).proxyStatusCommand,
  "proxy-profile": async () => (await import("../cli/proxy-profile.ts")).proxyProfileCommand,
  scope: async () => (await import("../cli/scope.ts")).scopeCommand,
  "xds-dump": async () => (await import("../cli/xds-dump.ts")).xdsDumpCommand,
  version: async () => (await import("../cli/version.ts")).versionCommand,
  up: async () => (await import("./up.ts")).upCommand,
  status: async () => (await import("../cli/status.ts")).statusCommand,
  down: async () => (await import("./down.ts")).downCommand,
  agent: async () => (await import("./agent.ts")).agentCommand,
  pilot: async () => (await import("./pilot.ts")).pilotCommand,
  proxy: async () => (await import("./proxy.ts")).proxyCommand,
  "proxy-worker": async () => (await import("./proxy-worker.ts")).proxyWorkerCommand,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const [verb = "help", ...rest] = args;
  if (verb === "help" || verb === "-h" || verb === "--help") return help(rest[0], io);
  const command = await find(verb);
  if (rest.includes("-h") || rest.includes("--help")) return help(verb, io);
  return command.run(rest, io);
}

function find(verb: string): Promise<Command> {
  const load = COMMANDS[verb];
  if (load !== undefined) return load();
  const meant = suggest(verb, Object.keys(COMMANDS));
  throw new CliError(
    `unknown command "${verb}"${meant === undefined ? "" : `, did you mean "${meant}"?`} ("weft help" lists them)`,
  );
}

async function help(verb: string | undefined, io: CommandIo): Promise<number> {
  if (verb !== undefined) {
    io.stdout(`${(await find(verb)).usage.trimEnd()}\n`);
    return EXIT.done;
  }
  const rows = await Promise.all(
    Object.entries(COMMANDS).map(
      async ([name, load]) => `  ${name.padEnd(14)}${(await load()).summary}\n`,
    ),
  );
  io.stdout(`Usage: weft COMMAND [FLAGS]\n\n${rows.join("")}\nweft help COMMAND says more.\n`);
  return EXIT.done;
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

async function main(): Promise<void> {
  const controller = new AbortController();
  // SIGHUP comes when the terminal is closed: pods must not outlive it unseen.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => controller.abort(name));
  }
  // A reader that went away (`weft logs -f | head`) is no error.
  process.stdout.on("error", () => process.exit(EXIT.done));
  // Progress that nobody can read any more must not end what it tells of.
  process.stderr.on("error", () => undefined);
  const io: CommandIo = {
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    stdin: readStdin,
    env: process.env,
    isTerminal: process.stdout.isTTY,
    signal: controller.signal,
  };
  try {
    process.exitCode = await run(process.argv.slice(2), io);
  } catch (error) {
    if (error instanceof CliError) io.stderr(`weft: ${error.message}\n`);
    else
      io.stderr(
        `weft: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
    process.exitCode = error instanceof CliError ? error.exitCode : EXIT.failure;
  }
}

await main();
