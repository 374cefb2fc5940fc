import { suggest } from "../base/suggest.ts";
import type { Kind } from "../config/kind.ts";
import type { KubeObject, ObjectKey } from "../config/object.ts";
import { type ApiClient, ApiError } from "./api-client.ts";
import { CliError, type CommandIo } from "./command.ts";
import { apiPath, objectName, parseTargets } from "./kind-names.ts";
import { readManifests } from "./manifest.ts";
import { ProblemPrinter } from "./problem.ts";

/** One object that is waited for. */
export interface WaitObject {
  readonly kind: Kind;
  readonly key: ObjectKey;
  /** `virtualservice.networking.istio.io/reviews` */
  readonly label: string;
}

/** Which objects the words or files of a command name. */
export async function readWaitObjects(
  words: readonly string[],
  flags: { readonly filename: readonly string[]; readonly recursive: boolean },
  io: CommandIo,
  namespace: { readonly name: string; readonly isPinned: boolean },
): Promise<readonly WaitObject[]> {
  if (flags.filename.length === 0) {
    return parseTargets(words).map(({ kind, name }) => {
      if (name === undefined) {
        throw new CliError(`say which ${kind.singular}: ${kind.singular}/NAME, or -f FILE`);
      }
      return waitObject(kind, namespace.name, name);
    });
  }
  if (words.length > 0) throw new CliError("wait takes files (-f) or names, not both");
  const printer = new ProblemPrinter(io);
  const options = { namespace: namespace.name, isPinned: namespace.isPinned };
  const { manifests, problems } = await readManifests(flags, io, options);
  printer.print(problems);
  if (printer.hasErrors) throw new CliError("the files have errors: nothing was waited for");
  if (manifests.length === 0) throw new CliError("the files hold no object");
  return manifests.map(({ kind, object: { metadata } }) =>
    waitObject(kind, metadata.namespace ?? "", metadata.name),
  );
}

/** An object to wait for, by its kind and name. */
export function waitObject(kind: Kind, namespace: string, name: string): WaitObject {
  const room = kind.isNamespaced ? namespace : "";
  return {
    kind,
    key: { group: kind.group, kind: kind.kind, namespace: room, name },
    label: objectName(kind, name),
  };
}

/** The object as the API has it; `undefined` when it has none. */
export async function getObject(
  client: ApiClient,
  { kind, key }: WaitObject,
): Promise<KubeObject | undefined> {
  try {
    const path = apiPath(kind, key.namespace, key.name);
    return (await client.call({ method: "GET", path })).body as KubeObject;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** What to say of an object that is not there, with the one that may have been meant. */
export async function missingObject(
  client: ApiClient,
  { kind, key, label }: WaitObject,
): Promise<CliError> {
  const where = kind.isNamespaced ? ` in namespace ${key.namespace}` : "";
  const { body } = await client
    .call({ method: "GET", path: apiPath(kind, key.namespace) })
    .catch(() => ({ body: {} }));
  const { items = [] } = body as { readonly items?: readonly KubeObject[] };
  const meant = suggest(
    key.name,
    items.map(({ metadata }) => metadata.name),
  );
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  return new CliError(`there is no ${label}${where}${hint}`);
}
