import { VERSION } from "../base/version.ts";
import { homeOf, readServerFile } from "../local/server-file.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { CONNECTION_FLAGS, formatUsage, parseFlags } from "./flags.ts";
import { readProxies } from "./monitoring-client.ts";
import { formatJson, formatYaml } from "./output-format.ts";

const FLAGS = {
  output: { short: "o", value: "FORMAT", help: "json or yaml" },
  home: CONNECTION_FLAGS.home,
} as const;

/** What runs in which version; without a running mesh only the client is known. */
interface Versions {
  readonly clientVersion: { readonly version: string; readonly node: string };
  readonly meshVersion?: { readonly version: string };
  readonly dataPlaneVersion?: readonly { readonly version: string; readonly count: number }[];
}

/** `weft version` */
export const versionCommand: Command = {
  summary: "print the versions of weft, of the control plane and of the proxies",
  usage: formatUsage({
    forms: ["version [FLAGS]"],
    text: `
Prints the version of this command and, when a mesh is running, of its control plane and proxies.`,
    flags: FLAGS,
    examples: ["version", "version -o json"],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("version", args, FLAGS);
    if (positionals.length > 0) throw new CliError(`unexpected argument "${positionals[0]}"`);
    const { output } = flags;
    if (output !== undefined && output !== "json" && output !== "yaml") {
      throw new CliError(`-o is json or yaml, not "${output}"`);
    }
    const versions = await readVersions(flags, io);
    if (output === "json") io.stdout(formatJson(versions));
    else if (output === "yaml") io.stdout(formatYaml(versions));
    else io.stdout(formatVersions(versions));
    return EXIT.done;
  },
};

async function readVersions(
  flags: { readonly home: string | undefined },
  io: CommandIo,
): Promise<Versions> {
  const clientVersion = { version: VERSION, node: process.versions.node };
  const server = readServerFile(homeOf(flags.home, io.env));
  if (server === undefined) return { clientVersion };
  const counts = new Map<string, number>();
  try {
    for (const { istio_version } of await readProxies(flags, io)) {
      counts.set(istio_version, (counts.get(istio_version) ?? 0) + 1);
    }
  } catch (error) {
    // The file of a server that was killed: nobody is there to have a version.
    if (error instanceof CliError) return { clientVersion };
    throw error;
  }
  return {
    clientVersion,
    meshVersion: { version: server.version },
    dataPlaneVersion: [...counts].map(([version, count]) => ({ version, count })),
  };
}

function formatVersions({ clientVersion, meshVersion, dataPlaneVersion = [] }: Versions): string {
  const proxies = dataPlaneVersion.map(
    ({ version, count }) => `${version} (${count} ${count === 1 ? "proxy" : "proxies"})`,
  );
  return [
    `client version: ${clientVersion.version}\n`,
    meshVersion === undefined ? "" : `control plane version: ${meshVersion.version}\n`,
    proxies.length === 0 ? "" : `data plane version: ${proxies.join(", ")}\n`,
  ].join("");
}
