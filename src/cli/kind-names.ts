import { suggest } from "../base/suggest.ts";
import { apiVersionOf, type Kind } from "../config/kind.ts";
import { findByName, KINDS } from "../config/kinds.ts";
import { CliError } from "./command.ts";

/** What a command was asked about: a kind, and one of it by name. */
export interface Target {
  readonly kind: Kind;
  /** Absent: all of them. */
  readonly name?: string;
}

/** The kind that a word of a command line means; throws a `CliError` with what was meant. */
export function kindOf(word: string): Kind {
  // `gateways.v1.networking.istio.io`: every version has the same shape.
  const found = findByName(word.replace(/^([^.]+)\.v\d+(?:(?:alpha|beta)\d+)?\./, "$1."));
  if (found !== undefined) return found;
  const meant = suggest(word, [
    ...KINDS.map(({ plural }) => plural),
    ...KINDS.map(({ singular }) => singular),
    ...KINDS.flatMap(({ shortNames }) => shortNames),
  ]);
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  throw new CliError(`there is no kind "${word}"${hint}`);
}

/**
 * What kubectl's `TYPE[,TYPE] [NAME...]` and `TYPE/NAME...` mean; `all` stands for every kind of
 * that category.
 */
export function parseTargets(words: readonly string[]): readonly Target[] {
  const [first, ...names] = words;
  if (first === undefined) {
    throw new CliError('say what: a kind ("pods"), a kind and names, or KIND/NAME');
  }
  if (words.some((word) => word.includes("/"))) return words.map(parseSlashed);
  const kinds = first.split(",").flatMap((word) => (word === "" ? [] : kindsOf(word)));
  if (names.length === 0) return kinds.map((kind) => ({ kind }));
  return kinds.flatMap((kind) => names.map((name) => ({ kind, name })));
}

function kindsOf(word: string): readonly Kind[] {
  const inCategory = KINDS.filter((kind) => kind.categories.includes(word.toLowerCase()));
  return inCategory.length > 0 ? inCategory : [kindOf(word)];
}

function parseSlashed(word: string): Target {
  const [kind = "", name = "", ...more] = word.split("/");
  if (kind === "" || name === "" || more.length > 0) {
    throw new CliError(`"${word}" is not KIND/NAME; all or none of the arguments have that form`);
  }
  return { kind: kindOf(kind), name };
}

/** How messages name an object: `virtualservice.networking.istio.io/reviews`, `pod/x`. */
export function objectName(kind: Kind, name: string): string {
  return `${kindName(kind)}/${name}`;
}

/** `virtualservice.networking.istio.io`, `pod`. */
export function kindName({ singular, group }: Kind): string {
  return group === "" ? singular : `${singular}.${group}`;
}

/** The path of a kind's objects in a namespace, or in all; of one of them with a name. */
export function apiPath(
  kind: Kind,
  namespace: string | undefined,
  name?: string,
  apiVersion: string = apiVersionOf(kind),
): string {
  const root = kind.group === "" ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
  const room =
    kind.isNamespaced && namespace !== undefined
      ? `/namespaces/${encodeURIComponent(namespace)}`
      : "";
  return `${root}${room}/${kind.plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}
