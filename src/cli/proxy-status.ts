import { nodeClock } from "../base/node-clock.ts";
import { suggest } from "../base/suggest.ts";
import { CliError, type Command, EXIT } from "./command.ts";
import { CONNECTION_FLAGS, formatUsage, parseCount, parseFlags } from "./flags.ts";
import {
  findMonitoring,
  MONITORING_FLAG,
  type ProxySync,
  readProxies,
  readScopes,
  type ScopeOfProxy,
} from "./monitoring-client.ts";
import { formatJson } from "./output-format.ts";
import { formatDiff } from "./proxy-diff.ts";
import { compareProxy, type ProxyComparison } from "./proxy-dump.ts";
import { formatTable } from "./text-table.ts";

const ADMIN_PORT = "15000";

const FLAGS = {
  output: { short: "o", value: "FORMAT", help: "wide; json: everything the control plane knows" },
  namespace: { short: "n", value: "NS", help: "only proxies of this namespace (default all)" },
  file: { short: "f", value: "FILE", help: "compare with this dump of the proxy (- is stdin)" },
  "proxy-admin-port": {
    value: "PORT",
    help: `of the pod's admin interface (default ${ADMIN_PORT})`,
  },
  ...MONITORING_FLAG,
  home: CONNECTION_FLAGS.home,
} as const;

const TYPES = ["cds", "lds", "eds", "rds"] as const;

/** `weft proxy-status` */
export const proxyStatusCommand: Command = {
  summary: "print whether proxies have their configuration",
  usage: formatUsage({
    forms: ["proxy-status [FLAGS]", "proxy-status POD[.NAMESPACE] [FLAGS]"],
    text: `
One line per proxy. SYNCED: it acknowledged the latest. STALE: an answer is due. NOT SENT: it asked
for nothing of this type. NACKED: it refused the latest and keeps what it had. Since when, why, and
which objects made it, stands below the table, with the routes that are held back and the proxies in
automatic scope.

With a pod, what it has is compared with what the control plane hands out, as far as its admin
interface can be reached from here (or by its dump in a file: curl .../config_dump?include_eds).`,
    flags: FLAGS,
    examples: [
      "proxy-status",
      "proxy-status -o wide",
      "proxy-status productpage-v1-7d8c.default",
      "proxy-status --monitoring-addr 127.0.0.1:15014",
    ],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("proxy-status", args, FLAGS);
    const [pod, ...more] = positionals;
    if (more.length > 0) throw new CliError("proxy-status takes one pod at a time");
    const { output } = flags;
    if (output !== undefined && output !== "json" && output !== "wide") {
      throw new CliError(`-o is wide or json, not "${output}"`);
    }
    if (flags.file !== undefined && pod === undefined) {
      throw new CliError("say whose dump it is: proxy-status POD -f FILE");
    }
    const adminPort = parseCount("--proxy-admin-port", flags["proxy-admin-port"] ?? ADMIN_PORT);
    const monitoring = findMonitoring(flags, io);
    const scopes = new Map((await readScopes(flags, io)).map((one) => [one.proxy, one]));
    const all = await readProxies(flags, io);
    const proxies: readonly ShownProxy[] = all
      .map((one) => ({ ...one, scope: scopes.get(one.proxy) }))
      .filter(({ proxy }) => flags.namespace === undefined || proxy.endsWith(`.${flags.namespace}`))
      .toSorted((left, right) => (left.proxy < right.proxy ? -1 : 1));
    const one = pod === undefined ? undefined : findProxy(proxies, pod);
    const chosen = one === undefined ? proxies : [one];
    const file = flags.file === undefined ? {} : { file: flags.file };
    const comparison =
      one === undefined
        ? undefined
        : await compareProxy(one, { monitoring, adminPort, ...file }, io);
    if (output === "json") {
      io.stdout(
        formatJson(chosen.map((entry) => ({ ...entry, ...(comparison && { comparison }) }))),
      );
    } else if (chosen.length === 0) io.stderr("No proxies are connected.\n");
    else {
      io.stdout(formatProxies(chosen, output === "wide"));
      if (comparison !== undefined) io.stdout(formatComparison(comparison));
    }
    return EXIT.done;
  },
};

/** A proxy with its automatic scope, if it is asked for. */
type ShownProxy = ProxySync & { readonly scope: ScopeOfProxy | undefined };

function findProxy(proxies: readonly ShownProxy[], pod: string): ShownProxy {
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

function formatProxies(proxies: readonly ShownProxy[], isWide: boolean): string {
  const nowMs = nodeClock.nowMs();
  const state = ({ status, since }: ProxySync, type: string): string => {
    const [text = "", at] = [status[type], since[type]];
    return isWide && text !== "" && at !== undefined ? `${text} (${ageOf(at, nowMs)})` : text;
  };
  const rows = proxies.map((entry) => [
    entry.proxy,
    entry.cluster_id,
    ...TYPES.map((type) => state(entry, type)),
    entry.istio_version,
    ...(isWide ? [entry.proxy_type, ageOf(entry.connected_at, nowMs), entry.node_id] : []),
  ]);
  const headings = [
    "NAME",
    "CLUSTER",
    ...TYPES.map((type) => type.toUpperCase()),
    "VERSION",
    ...(isWide ? ["TYPE", "CONNECTED", "NODE"] : []),
  ];
  const notes = proxies.flatMap(notesOf);
  const below = notes.length === 0 ? "" : `\n${notes.join("")}`;
  return `${formatTable(headings, rows)}${below}`;
}

/** What is not as it should be at one proxy, each in a line. */
function notesOf({
  proxy,
  status,
  since,
  held_routes: held,
  rejections,
  scope,
}: ShownProxy): string[] {
  const stale = Object.entries(status).filter(([, state]) => state === "STALE");
  return [
    ...rejections.map(({ type, at, message, objects }) => {
      const from = objects.length === 0 ? "" : ` (from ${objects.join(", ")})`;
      return `${proxy} refused ${type.toUpperCase()} at ${at}${from}: ${message}\n`;
    }),
    ...stale.map(([type]) => {
      const at = since[type] === undefined ? "" : ` since ${since[type]}`;
      return `${proxy} has not acknowledged ${type.toUpperCase()}${at}\n`;
    }),
    ...(held.length === 0
      ? []
      : [
          `${proxy} keeps earlier routes, it lacks a cluster of the new ones: ${held.join(", ")}\n`,
        ]),
    ...(scope === undefined ? [] : [`${proxy} ${scopeText(scope)}\n`]),
  ];
}

function scopeText({ isAutomatic, obstacle = "", omittedClusters }: ScopeOfProxy): string {
  return isAutomatic
    ? `is in automatic scope: without ${omittedClusters} clusters that its workload was not seen to call`
    : `is asked to be in automatic scope and is not: ${obstacle}`;
}

function formatComparison({ source, kinds, problem }: ProxyComparison): string {
  if (kinds === undefined) {
    return `\nNot compared with what the proxy has: ${problem ?? ""}\n`;
  }
  return `\nCompared with ${source}:\n${formatDiff(kinds)}`;
}

/** How long ago a time was, as kubectl shows ages: `12s`, `3m`, `5h`, `2d`. */
function ageOf(time: string, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(time)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
