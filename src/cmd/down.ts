import { nodeClock } from "../base/node-clock.ts";
import { CliError, type Command, type CommandIo, EXIT } from "../cli/command.ts";
import { CONNECTION_FLAGS, formatUsage, parseCount, parseFlags } from "../cli/flags.ts";
import { homeOf } from "../local/server-file.ts";
import { stopMesh } from "../local/stop-mesh.ts";
import { silentLogger } from "../telemetry/log.ts";

const TIMEOUT_SECONDS_DEFAULT = 30;

const FLAGS = {
  home: CONNECTION_FLAGS.home,
  timeout: {
    value: "SECONDS",
    help: `how long to wait for its end (default ${TIMEOUT_SECONDS_DEFAULT})`,
  },
} as const;

/** `weft down` */
export const downCommand: Command = {
  summary: "stop the mesh, with all its pods",
  usage: formatUsage({
    forms: ["down [FLAGS]"],
    text: `
Stops the mesh of a home as Ctrl-C in its terminal does, and waits for it. After a server that was
killed, ends what it left running. Objects stay for the next "weft up".`,
    flags: FLAGS,
    examples: ["down", "down --home /tmp/mesh"],
  }),
  run,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { flags, positionals } = parseFlags("down", args, FLAGS);
  if (positionals.length > 0) throw new CliError(`unexpected argument "${positionals[0]}"`);
  const home = homeOf(flags.home, io.env);
  const seconds =
    flags.timeout === undefined ? TIMEOUT_SECONDS_DEFAULT : parseCount("--timeout", flags.timeout);
  const result = await stopMesh(home, {
    clock: nodeClock,
    logger: silentLogger,
    timeoutMs: seconds * 1000,
  });
  switch (result.kind) {
    case "none":
      io.stderr(`no mesh is running at ${home}\n`);
      return EXIT.done;
    case "stopped":
      io.stderr(`stopped the mesh at ${home} (pid ${result.pid})\n`);
      return EXIT.done;
    case "cleaned":
      io.stderr(
        `the server at ${home} had died; ended ${result.ended.length} processes that it left running\n`,
      );
      return EXIT.done;
    case "late":
      throw new CliError(
        `the mesh at ${home} (pid ${result.pid}) has not ended after ${seconds} s`,
        EXIT.timeout,
      );
  }
}
