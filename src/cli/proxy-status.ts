import { suggest } from "../base/suggest.ts";
import { CliError, type Command, EXIT } from "./command.ts";
import { CONNECTION_FLAGS, formatUsage, parseFlags } from "./flags.ts";
import { type ProxySync, readProxies } from "./monitoring-client.ts";
import { formatJson } from "./output-format.ts";
import { formatTable } from "./text-table.ts";

const FLAGS = {
  output: { short: "o", value: "FORMAT", help: "json: everything the control plane knows" },
  namespace: { short: "n", value: "NS", help: "only proxies of this namespace (default all)" },
  home: CONNECTION_FLAGS.home,
} as const;

const TYPES = ["cds", "lds", "eds", "rds"] as const;

/** `weft proxy-status` */
export const proxyStatusCommand: Command = {
  summary: "print whether proxies have their configuration",
  usage: formatUsage({
    forms: ["proxy-status [POD[.NAMESPACE]] [FLAGS]"],
    text: `
One line per proxy. SYNCED: it acknowledged the latest. STALE: an answer is due. NOT SENT: it asked
for nothing of this type. NACKED: it refused the latest and keeps what it had; why, and which objects
made it, stands below the table.`,
    flags: FLAGS,
    examples: ["proxy-status", "proxy-status -o json", "proxy-status -n default"],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("proxy-status", args, FLAGS);
    const [pod, ...more] = positionals;
    if (more.length > 0) throw new CliError("proxy-status takes one pod at a time");
    const { output } = flags;
    if (output !== undefined && output !== "json") {
      throw new CliError(`-o is json, not "${output}"`);
    }
    const all = await readProxies(flags, io);
    const proxies = all
      .filter(({ proxy }) => flags.namespace === undefined || proxy.endsWith(`.${flags.namespace}`))
      .toSorted((left, right) => (left.proxy < right.proxy ? -1 : 1));
    const chosen = pod === undefined ? proxies : [findProxy(proxies, pod)];
    if (output === "json") io.stdout(formatJson(chosen));
    else if (chosen.length === 0) io.stderr("No proxies are connected.\n");
    else io.stdout(formatProxies(chosen));
    return EXIT.done;
  },
};

function findProxy(proxies: readonly ProxySync[], pod: string): ProxySync {
  const found = proxies.filter(({ proxy }) => proxy === pod || proxy.startsWith(`${pod}.`));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const names = proxies.map(({ proxy }) => proxy);
  const meant = suggest(pod, names);
  if (others.length > 0) {
    throw new CliError(
      `several proxies are "${pod}": ${found.map(({ proxy }) => proxy).join(", ")}`,
    );
  }
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  throw new CliError(`no proxy of "${pod}" is connected${hint}`);
}

function formatProxies(proxies: readonly ProxySync[]): string {
  const rows = proxies.map(({ proxy, cluster_id, istio_version, status }) => [
    proxy,
    cluster_id,
    ...TYPES.map((type) => status[type] ?? ""),
    istio_version,
  ]);
  const headings = ["NAME", "CLUSTER", ...TYPES.map((type) => type.toUpperCase()), "VERSION"];
  const reasons = proxies.flatMap(({ proxy, rejections }) =>
    rejections.map(({ type, at, message, objects }) => {
      const from = objects.length === 0 ? "" : ` (from ${objects.join(", ")})`;
      return `${proxy} refused ${type.toUpperCase()} at ${at}${from}: ${message}\n`;
    }),
  );
  const below = reasons.length === 0 ? "" : `\n${reasons.join("")}`;
  return `${formatTable(headings, rows)}${below}`;
}
