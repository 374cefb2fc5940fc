import { formatKey, type KubeObject, keyOf, keyText } from "../config/object.ts";
import { buildCalledView } from "../model/called-view.ts";
import { buildMesh } from "../model/mesh.ts";
import { meshIssues } from "../model/mesh-issues.ts";
import type { ObjectIssue } from "../model/origin.ts";
import { viewOf } from "../store/config-store.ts";
import { buildSnapshot } from "../xds/build-snapshot.ts";
import { snapshotJson } from "../xds/resource-json.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { formatUsage, parseFlags } from "./flags.ts";
import { type Manifest, problemsAt, readManifests } from "./manifest.ts";
import { FILE_FLAGS } from "./manifest-files.ts";
import { MeshConfigFile } from "./mesh-config-file.ts";
import { formatJson, formatYaml } from "./output-format.ts";
import { ProblemPrinter } from "./problem.ts";
import { readProxyFile } from "./proxy-file.ts";

const FLAGS = {
  proxy: {
    value: "FILE",
    help: "the proxy: type, ip, namespace, labels, serviceAccount, metadata",
  },
  ...FILE_FLAGS,
  "mesh-config": {
    value: "FILE",
    help: "MeshConfig, as it stands in the ConfigMap istio of istio-system, instead of that",
  },
  output: { short: "o", value: "FORMAT", help: "json or yaml (default json)" },
} as const;

const NAMESPACE_DEFAULT = "default";

/** `weft xds-dump` */
export const xdsDumpCommand: Command = {
  summary: "print what one proxy would get for the objects of files",
  usage: formatUsage({
    forms: ["xds-dump --proxy FILE -f FILE [-f FILE...] [FLAGS]"],
    text: `
Prints the listeners, routes, clusters and endpoints (with automatic scope also virtual hosts) that the control plane would send to a proxy if
the objects of the files were all its configuration. No mesh has to run. The proxy's file is YAML or
JSON:

  type: sidecar            # or router, for a gateway
  ip: 10.0.0.1
  namespace: default       # default "default"
  labels: { app: reviews }
  serviceAccount: reviews  # default "default"
  metadata: {}             # the rest of the node's metadata, as INTERCEPTION_MODE
  id: reviews-1            # pod, pod.namespace or a whole node id; default "proxy"
  dnsDomain: default.svc.cluster.local

What is wrong with an object is said with file and line, and the rest goes on; the exit code is 1
then.`,
    flags: FLAGS,
    examples: [
      "xds-dump --proxy reviews.yaml -f samples/bookinfo",
      "xds-dump --proxy gateway.yaml -f mesh -R --mesh-config mesh-config.yaml -o yaml",
    ],
  }),
  run,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { flags, positionals } = parseFlags("xds-dump", args, FLAGS);
  if (positionals.length > 0) {
    throw new CliError(
      `xds-dump takes files by flag: weft xds-dump -f ${positionals.join(" -f ")}`,
    );
  }
  const { proxy, output = "json" } = flags;
  if (proxy === undefined) throw new CliError("say for whom: --proxy FILE");
  if (output !== "json" && output !== "yaml") {
    throw new CliError(`-o is json or yaml, not "${output}"`);
  }
  if (proxy === "-" && flags.filename.includes("-")) {
    throw new CliError("standard input is one file: give --proxy or -f another one than -");
  }
  const node = await readProxyFile(proxy, io.stdin);
  const printer = new ProblemPrinter(io);
  // A pod's address stands in its status.
  const options = { namespace: NAMESPACE_DEFAULT, isPinned: false, keepsStatus: true };
  const { manifests, problems } = await readManifests(flags, io, options);
  printer.print(problems);
  const objects: KubeObject[] = manifests.map(({ object }) => object);
  const file = flags["mesh-config"];
  const meshConfig = file === undefined ? undefined : new MeshConfigFile(file, printer);
  if (meshConfig !== undefined) objects.push(meshConfig.object);
  const mesh = buildMesh(viewOf(objects));
  const { snapshot, issues } = buildSnapshot(buildCalledView(mesh, node));
  printIssues([...meshIssues(mesh), ...issues], { manifests, meshConfig, printer });
  io.stdout((output === "json" ? formatJson : formatYaml)(snapshotJson(snapshot)));
  return printer.hasErrors ? EXIT.findings : EXIT.done;
}

/** Says what the model found, at the lines of the objects that it found it in. */
function printIssues(
  issues: readonly ObjectIssue[],
  from: {
    readonly manifests: readonly Manifest[];
    readonly meshConfig: MeshConfigFile | undefined;
    readonly printer: ProblemPrinter;
  },
): void {
  const { manifests, meshConfig, printer } = from;
  const sources = new Map(manifests.map(({ object, source }) => [keyText(keyOf(object)), source]));
  for (const { object, issue } of issues) {
    const source = sources.get(keyText(object));
    const subject = formatKey(object);
    if (meshConfig?.isAbout(object) === true) meshConfig.print(issue, printer);
    else if (source === undefined) printer.printUnplaced(subject, issue);
    else printer.print(problemsAt(source, subject, [issue]));
  }
}
