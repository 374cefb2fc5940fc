import { CliError, type Command, EXIT } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, NAMESPACE_FLAG, parseCount, parseFlags } from "./flags.ts";
import { apiPath, objectName, parseTargets } from "./kind-names.ts";

const FLAGS = {
  replicas: { value: "N", help: "how many pods there are to be" },
  ...NAMESPACE_FLAG,
  ...CONNECTION_FLAGS,
} as const;

/** `weft scale` */
export const scaleCommand: Command = {
  summary: "set a deployment's number of pods",
  usage: formatUsage({
    forms: ["scale KIND NAME... --replicas N [FLAGS]", "scale KIND/NAME... --replicas N [FLAGS]"],
    text: "Sets how many pods a Deployment or a ReplicaSet keeps.",
    flags: FLAGS,
    examples: ["scale deploy/reviews-v1 --replicas 3"],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("scale", args, FLAGS);
    if (flags.replicas === undefined) throw new CliError("say how many: --replicas N");
    const replicas = parseCount("--replicas", flags.replicas);
    const targets = parseTargets(positionals);
    return connect(flags, io, async (client) => {
      const namespace = flags.namespace ?? client.access.namespace;
      for (const { kind, name } of targets) {
        if (kind.scale === undefined)
          throw new CliError(`${kind.plural} have no replicas to scale`);
        if (name === undefined) throw new CliError(`scale which ${kind.plural}? give names`);
        await client.call({
          method: "PATCH",
          path: `${apiPath(kind, namespace, name)}/scale`,
          contentType: "application/merge-patch+json",
          body: { spec: { replicas } },
        });
        io.stdout(`${objectName(kind, name)} scaled\n`);
      }
      return EXIT.done;
    });
  },
};
