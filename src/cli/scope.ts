import { stringify } from "yaml";
import { suggest } from "../base/suggest.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { CONNECTION_FLAGS, formatUsage, parseFlags } from "./flags.ts";
import { readSeenWorkloads, type SeenWorkload } from "./monitoring-client.ts";

const FLAGS = {
  namespace: { short: "n", value: "NS", help: "only workloads of this namespace (default all)" },
  home: CONNECTION_FLAGS.home,
} as const;

/** What is seen is what goes over HTTP: a Sidecar cuts the rest as well. */
const WARNING = `# What goes over HTTP, as it was seen so far. A Sidecar cuts other protocols as well: add the services
# that the workload calls in another way before this is applied.
`;

/** `weft scope` */
export const scopeCommand: Command = {
  summary: "print Sidecars for what workloads were seen to call",
  usage: formatUsage({
    forms: ["scope suggest [[NAMESPACE/]WORKLOAD] [FLAGS]"],
    text: `
Prints a Sidecar for each workload in automatic scope that was seen to call something, which imports
just that. Once it is applied, it counts, and automatic scope ends for the workload. What is no
service's is not among it.`,
    flags: FLAGS,
    examples: ["scope suggest productpage", "scope suggest -n default > sidecars.yaml"],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("scope", args, FLAGS);
    const [verb, workload, ...more] = positionals;
    if (verb !== "suggest") {
      throw new CliError(`scope ${verb ?? ""} is not known: weft scope suggest`.replace("  ", " "));
    }
    if (more.length > 0) throw new CliError("scope suggest takes one workload at a time");
    const all = (await readSeenWorkloads(flags, io)).filter(
      ({ namespace }) => flags.namespace === undefined || namespace === flags.namespace,
    );
    print(workload === undefined ? all : [findWorkload(all, workload)], io);
    return EXIT.done;
  },
};

function findWorkload(all: readonly SeenWorkload[], text: string): SeenWorkload {
  const found = all.filter(
    ({ namespace, name }) => name === text || `${namespace}/${name}` === text,
  );
  const [only, ...others] = found;
  if (only === undefined) {
    const meant = suggest(
      text,
      all.map(({ name }) => name),
    );
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    throw new CliError(`no workload "${text}" was seen to call anything in automatic scope${hint}`);
  }
  if (others.length > 0) {
    const names = found.map(({ namespace, name }) => `${namespace}/${name}`);
    throw new CliError(`several workloads are "${text}": ${names.join(", ")}`);
  }
  return only;
}

function print(workloads: readonly SeenWorkload[], io: CommandIo): void {
  const { text, left } = formatSidecars(workloads);
  for (const reason of left) io.stderr(`${reason}\n`);
  if (workloads.length === 0) io.stderr("No workload was seen to call anything.\n");
  io.stdout(text);
}

/** The Sidecars of workloads as YAML, and in words those that none can be written for. */
export function formatSidecars(workloads: readonly SeenWorkload[]): {
  readonly text: string;
  readonly left: readonly string[];
} {
  const documents: string[] = [];
  const left: string[] = [];
  for (const workload of workloads) {
    const hosts = [...new Set(workload.hosts.flatMap((host) => host.import ?? []))].sort();
    const name = `${workload.namespace}/${workload.name}`;
    if (hosts.length === 0) {
      left.push(`${name}: none of its proxies is connected, or it called hosts of nobody alone`);
    } else if (Object.keys(workload.selector).length === 0) {
      left.push(`${name}: no label tells its pods from others: give them one such as app`);
    } else {
      documents.push(stringify(sidecarOf(workload, hosts)));
    }
  }
  return { text: documents.length === 0 ? "" : `${WARNING}${documents.join("---\n")}`, left };
}

/** The Sidecar that imports what a workload calls. */
function sidecarOf({ namespace, name, selector }: SeenWorkload, hosts: readonly string[]): object {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "Sidecar",
    metadata: { name, namespace },
    spec: { workloadSelector: { labels: selector }, egress: [{ hosts }] },
  };
}
