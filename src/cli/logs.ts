import { parseDurationMs } from "../base/duration.ts";
import type { Kind } from "../config/kind.ts";
import type { KubeObject } from "../config/object.ts";
import type { ApiClient } from "./api-client.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, NAMESPACE_FLAG, parseCount, parseFlags } from "./flags.ts";
import { apiPath, kindOf, parseTargets, type Target } from "./kind-names.ts";

const FLAGS = {
  container: { short: "c", value: "NAME", help: "which container (default the app's)" },
  follow: { short: "f", help: "go on with what is written" },
  tail: { value: "N", help: "only the last N lines (default all)" },
  previous: { short: "p", help: "of the container before its last restart" },
  since: { value: "DURATION", help: "only what was written in that time: 30s, 5m" },
  ...NAMESPACE_FLAG,
  ...CONNECTION_FLAGS,
} as const;

const SIDECAR = "istio-proxy";
const DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container";

interface Pod extends KubeObject {
  readonly spec: { readonly containers: readonly { readonly name: string }[] };
  readonly status?: { readonly phase?: string };
}

interface Workload extends KubeObject {
  readonly spec: {
    /** `matchLabels` of a Deployment or ReplicaSet; a Service's labels stand bare. */
    readonly selector?: {
      readonly matchLabels?: Readonly<Record<string, string>>;
      readonly matchExpressions?: readonly unknown[];
    };
  };
}

/** `weft logs` */
export const logsCommand: Command = {
  summary: "print what a container wrote",
  usage: formatUsage({
    forms: ["logs POD [FLAGS]", "logs deploy/NAME [FLAGS]"],
    text: "Prints the standard output and error of a pod's container. The sidecar's is istio-proxy.",
    flags: FLAGS,
    examples: ["logs deploy/reviews-v1 -f", "logs deploy/reviews-v1 -c istio-proxy --tail 20"],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("logs", args, FLAGS);
    const target = parseTarget(positionals);
    return connect(flags, io, async (client) => {
      const namespace = flags.namespace ?? client.access.namespace;
      const pod = await findPod(client, io, target, namespace);
      const container = flags.container ?? defaultContainer(io, pod);
      const names = pod.spec.containers.map(({ name }) => name);
      if (!names.includes(container)) {
        throw new CliError(
          `pod ${pod.metadata.name} has no container "${container}"; it has ${names.join(", ")}`,
        );
      }
      const chunks = client.text({
        method: "GET",
        path: `${apiPath(kindOf("pod"), namespace, pod.metadata.name)}/log`,
        query: {
          container,
          ...(flags.follow ? { follow: "true" } : {}),
          ...(flags.previous ? { previous: "true" } : {}),
          ...(flags.since === undefined ? {} : { sinceSeconds: parseSeconds(flags.since) }),
          ...(flags.tail === undefined
            ? {}
            : { tailLines: String(parseCount("--tail", flags.tail)) }),
        },
      });
      for await (const chunk of chunks) io.stdout(chunk);
      return EXIT.done;
    });
  },
};

/** A duration as whole seconds, at least one. */
function parseSeconds(text: string): string {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms <= 0) throw new CliError(`--since is a duration, not "${text}"`);
  return String(Math.ceil(ms / 1000));
}

function parseTarget(positionals: readonly string[]): Required<Target> {
  const [first, second, ...more] = positionals;
  if (first === undefined) throw new CliError("say whose: POD or deploy/NAME");
  if (second !== undefined && !first.includes("/")) {
    throw new CliError("a container is named with -c");
  }
  if (second !== undefined || more.length > 0) throw new CliError("logs takes one pod at a time");
  const [target] = parseTargets(first.includes("/") ? [first] : ["pod", first]);
  if (target?.name === undefined) throw new CliError("say whose: POD or deploy/NAME");
  return { kind: target.kind, name: target.name };
}

async function findPod(
  client: ApiClient,
  io: CommandIo,
  { kind, name }: Required<Target>,
  namespace: string,
): Promise<Pod> {
  const { body } = await client.call({ method: "GET", path: apiPath(kind, namespace, name) });
  if (kind.kind === "Pod") return body as Pod;
  const selector = selectorOf(kind, body as Workload);
  const list = await client.call({
    method: "GET",
    path: apiPath(kindOf("pod"), namespace),
    query: { labelSelector: selector },
  });
  const pods = (list.body as { readonly items: readonly Pod[] }).items;
  const running = pods.find(({ status }) => status?.phase === "Running") ?? pods[0];
  if (running === undefined) throw new CliError(`${kind.singular} ${name} has no pods`);
  if (pods.length > 1) {
    io.stderr(`Found ${pods.length} pods, using pod/${running.metadata.name}\n`);
  }
  return running;
}

function selectorOf(kind: Kind, { spec }: Workload): string {
  const { matchLabels, matchExpressions = [] } = spec.selector ?? {};
  if (matchExpressions.length > 0) {
    throw new CliError(`the selector of this ${kind.singular} is not only labels; name a pod`);
  }
  const labels = kind.kind === "Service" ? (spec.selector as typeof matchLabels) : matchLabels;
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  if (pairs.length === 0) throw new CliError(`this ${kind.singular} selects no pods; name a pod`);
  return pairs.join(",");
}

/** The app's container: the annotated one, or the first that is not the sidecar. */
function defaultContainer(io: CommandIo, { metadata, spec }: Pod): string {
  const names = spec.containers.map(({ name }) => name);
  const container =
    metadata.annotations?.[DEFAULT_CONTAINER] ??
    names.find((name) => name !== SIDECAR) ??
    names[0] ??
    "";
  if (names.length > 1) {
    io.stderr(`Defaulted container "${container}" out of: ${names.join(", ")}\n`);
  }
  return container;
}
