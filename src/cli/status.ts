import type { Deployment } from "../config/deployment.ts";
import type { Pod } from "../config/pod.ts";
import { type PodReadiness, summarisePods } from "../local/mesh-readiness.ts";
import { homeOf, readServerFile, type ServerFile } from "../local/server-file.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, parseFlags } from "./flags.ts";
import { noMesh } from "./kubeconfig.ts";
import { type ObjectSync, readObjects, readProxies } from "./monitoring-client.ts";
import { formatJson } from "./output-format.ts";
import { shellQuote } from "./shell-quote.ts";

const FLAGS = {
  output: { short: "o", value: "FORMAT", help: "json" },
  home: CONNECTION_FLAGS.home,
} as const;

/** What nobody may take for granted (docs/portable-mode.md). */
const NOT_PROMISED: readonly string[] = [
  "outbound TCP other than HTTP through http_proxy: it goes out beside the sidecar",
  "isolation from other users of this machine, who can reach loopback addresses too",
];

/** How a mesh stands. */
interface MeshStatus {
  readonly server: ServerFile;
  readonly isReady: boolean;
  readonly pods: PodReadiness;
  readonly proxies: {
    readonly connected: number;
    readonly synced: number;
    /** `pod.namespace: cds NACKED`. */
    readonly behind: readonly string[];
  };
  readonly objects: {
    /** That are for some proxy, and how many of them all of those have. */
    readonly total: number;
    readonly distributed: number;
    /** `Kind/namespace/name: 2/3 proxies, ...`. */
    readonly behind: readonly string[];
  };
  readonly traffic: { readonly encryption: "none" };
  readonly mode: { readonly name: "portable"; readonly notPromised: readonly string[] };
}

/** `weft status` */
export const statusCommand: Command = {
  summary: "print how the mesh is, and what it does not promise",
  usage: formatUsage({
    forms: ["status [FLAGS]"],
    text: "Prints the server, its pods and proxies. Exit code 1 when one of them is not ready.",
    flags: FLAGS,
    examples: ["status", "status -o json"],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("status", args, FLAGS);
    if (positionals.length > 0) throw new CliError(`unexpected argument "${positionals[0]}"`);
    if (flags.output !== undefined && flags.output !== "json") {
      throw new CliError(`-o is json, not "${flags.output}"`);
    }
    const status = await readStatus(flags.home, io);
    io.stdout(flags.output === "json" ? formatJson(status) : formatStatus(status));
    return status.isReady ? EXIT.done : EXIT.findings;
  },
};

async function readStatus(asked: string | undefined, io: CommandIo): Promise<MeshStatus> {
  const home = homeOf(asked, io.env);
  const server = readServerFile(home);
  if (server === undefined) throw noMesh(home);
  const pods = await connect({ home, kubeconfig: server.kubeconfig }, io, async (client) => {
    const list = async (path: string): Promise<readonly unknown[]> => {
      const { body } = await client.call({ method: "GET", path });
      return (body as { readonly items?: readonly unknown[] }).items ?? [];
    };
    const deployments = (await list("/apis/apps/v1/deployments")) as readonly Deployment[];
    return summarisePods(deployments, (await list("/api/v1/pods")) as readonly Pod[]);
  });
  const proxies = await readProxies({ home }, io);
  const behind = proxies.flatMap(({ proxy, status, since }) => {
    const late = Object.entries(status).filter(
      ([, state]) => state === "STALE" || state === "NACKED",
    );
    if (late.length === 0) return [];
    const words = late.map(([type, state]) => {
      return since[type] === undefined
        ? `${type} ${state}`
        : `${type} ${state} since ${since[type]}`;
    });
    return [`${proxy}: ${words.join(", ")}`];
  });
  const objects = await readObjects({ home }, io);
  const late = objects.filter(({ state }) => state === "Rejected" || state === "Pending");
  return {
    server,
    isReady: pods.ready >= pods.wanted && pods.waiting.length === 0 && behind.length === 0,
    pods,
    proxies: { connected: proxies.length, synced: proxies.length - behind.length, behind },
    objects: {
      total: objects.length,
      distributed: objects.length - late.length,
      behind: late.map(describeObject),
    },
    traffic: { encryption: "none" },
    mode: { name: "portable", notPromised: NOT_PROMISED },
  };
}

function describeObject({ object, state, acked, proxies, rejections }: ObjectSync): string {
  const count = `${object}: ${acked}/${proxies} proxies`;
  const [first, ...others] = rejections;
  if (state !== "Rejected" || first === undefined) return `${count}, on its way`;
  const more = others.length === 0 ? "" : ` (and by ${others.length} more)`;
  return `${count}, rejected by ${first.proxy}: ${first.message}${more}`;
}

/** Most objects that are named; the rest are counted. */
const OBJECTS_MAX = 20;

function formatStatus({ server, pods, proxies, objects, mode }: MeshStatus): string {
  const unnamed = objects.behind.length - OBJECTS_MAX;
  const lines: (readonly [string, string])[] = [
    ["server", `running since ${server.startedAt} (pid ${server.pid}, weft ${server.version})`],
    ["gateway", server.gatewayUrl],
    ["API", `${server.apiUrl} (export KUBECONFIG=${shellQuote(server.kubeconfig)})`],
    ["pods", `${pods.ready}/${pods.wanted} ready`],
    ...pods.waiting.map((text) => ["", text] as const),
    ["proxies", `${proxies.synced}/${proxies.connected} synced (${server.proxy})`],
    ...proxies.behind.map((text) => ["", text] as const),
    ["objects", `${objects.distributed}/${objects.total} distributed`],
    ...objects.behind.slice(0, OBJECTS_MAX).map((text) => ["", text] as const),
    ...(unnamed > 0 ? [["", `and ${unnamed} more`] as const] : []),
    ["traffic", "plain text between pods: mutual TLS is not built yet"],
    ["mode", `${mode.name}: pods are processes of this machine, in ${server.podCidr}`],
    ...mode.notPromised.map((text) => ["", `not promised: ${text}`] as const),
  ];
  return lines.map(([name, text]) => `${name.padEnd(10)}${text}\n`).join("");
}
