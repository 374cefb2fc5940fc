import type { Kind } from "../config/kind.ts";
import type { KubeObject } from "../config/object.ts";
import { type ApiClient, ApiError } from "./api-client.ts";
import { CliError, type Command, EXIT } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, NAMESPACE_FLAG, parseFlags } from "./flags.ts";
import { apiPath, objectName, parseTargets } from "./kind-names.ts";

const FLAGS = {
  overwrite: { help: "change labels that have another value already" },
  selector: { short: "l", value: "SELECTOR", help: "the objects with these labels" },
  all: { help: "every object of the kind in the namespace" },
  ...NAMESPACE_FLAG,
  ...CONNECTION_FLAGS,
} as const;

/** Label to value; `null` takes it away. */
type Changes = Readonly<Record<string, string | null>>;

/** `weft label` */
export const labelCommand: Command = {
  summary: "set and remove labels",
  usage: formatUsage({
    forms: [
      "label KIND NAME... KEY=VALUE... [KEY-...] [FLAGS]",
      "label KIND/NAME... KEY=VALUE... [FLAGS]",
    ],
    text: "Sets labels (KEY=VALUE) and removes them (KEY-).",
    flags: FLAGS,
    examples: [
      "label namespace default istio-injection=enabled",
      "label ns default istio-injection-",
      "label pods --all env=test --overwrite",
    ],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("label", args, FLAGS);
    const isChange = (word: string, at: number): boolean =>
      at > 0 && (word.includes("=") || word.endsWith("-"));
    const changes = parseChanges(positionals.filter(isChange));
    const targets = parseTargets(positionals.filter((word, at) => !isChange(word, at)));
    return connect(flags, io, async (client) => {
      const namespace = flags.namespace ?? client.access.namespace;
      let exitCode: number = EXIT.done;
      for (const { kind, name } of targets) {
        if (name === undefined && flags.selector === undefined && !flags.all) {
          throw new CliError(`label which ${kind.plural}? give names, -l SELECTOR or --all`);
        }
        const names =
          name === undefined ? await listNames(client, kind, namespace, flags.selector) : [name];
        for (const one of names) {
          try {
            const done = await label(
              client,
              apiPath(kind, namespace, one),
              changes,
              flags.overwrite,
            );
            io.stdout(`${objectName(kind, one)} ${done}\n`);
          } catch (error) {
            if (!(error instanceof CliError)) throw error;
            io.stderr(
              `weft: ${error instanceof ApiError ? "" : `${objectName(kind, one)}: `}${error.message}\n`,
            );
            exitCode = EXIT.failure;
          }
        }
      }
      return exitCode;
    });
  },
};

function parseChanges(words: readonly string[]): Changes {
  if (words.length === 0)
    throw new CliError("say which labels: KEY=VALUE sets one, KEY- removes it");
  return Object.fromEntries(
    words.map((word) => {
      const [key = "", value = ""] = word.split("=", 2);
      return word.includes("=") ? [key, value] : [word.slice(0, -1), null];
    }),
  );
}

async function listNames(
  client: ApiClient,
  kind: Kind,
  namespace: string,
  selector: string | undefined,
): Promise<readonly string[]> {
  const { body } = await client.call({
    method: "GET",
    path: apiPath(kind, namespace),
    ...(selector === undefined ? {} : { query: { labelSelector: selector } }),
  });
  return (body as { readonly items: readonly KubeObject[] }).items.map(
    ({ metadata }) => metadata.name,
  );
}

async function label(
  client: ApiClient,
  path: string,
  changes: Changes,
  overwrites: boolean,
): Promise<string> {
  const { body } = await client.call({ method: "GET", path });
  const { labels = {} } = (body as KubeObject).metadata;
  const wanted = Object.entries(changes).filter(([key, value]) => (labels[key] ?? null) !== value);
  const taken = wanted.find(([key, value]) => value !== null && labels[key] !== undefined);
  if (taken !== undefined && !overwrites) {
    const [key] = taken;
    throw new CliError(`"${key}" already has a value (${labels[key]}), and --overwrite is false`);
  }
  if (wanted.length === 0) return "not labeled";
  await client.call({
    method: "PATCH",
    path,
    contentType: "application/merge-patch+json",
    body: { metadata: { labels: Object.fromEntries(wanted) } },
  });
  return wanted.every(([, value]) => value === null) ? "unlabeled" : "labeled";
}
