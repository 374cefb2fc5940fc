import { suggest } from "../../base/suggest.ts";
import type { Kind } from "../../config/kind.ts";
import { findPlural } from "../../config/kinds.ts";
import { ApiError } from "./status.ts";

/** What a path under `/api` or `/apis` names. */
export interface ResourcePath {
  readonly kind: Kind;
  readonly version: string;
  /** Absent: of all namespaces, or of a kind that lives outside them. */
  readonly namespace?: string;
  /** Absent: the collection. */
  readonly name?: string;
  readonly subresource?: string;
}

/** Resolves a path, already split and decoded; `undefined` when it is not one of resources. */
export function parseResourcePath(
  segments: readonly string[],
  kinds: readonly Kind[],
): ResourcePath | undefined {
  const [root, ...rest] = segments;
  let group = "";
  if (root === "apis") group = rest.shift() ?? "";
  else if (root !== "api") return undefined;
  const version = rest.shift();
  if (version === undefined || rest.length === 0) return undefined;
  let namespace: string | undefined;
  // `/namespaces/x` is the namespace itself, `/namespaces/x/pods` is what is in it.
  const isInside = rest[0] === "namespaces" && rest.length > 2 && !isNamespaceSubresource(rest);
  if (isInside) namespace = rest.splice(0, 2)[1];
  const [plural = "", name, subresource, ...more] = rest;
  const kind = findPlural(group, version, plural, kinds);
  if (kind === undefined || more.length > 0 || (isInside && !kind.isNamespaced)) {
    throw new ApiError("NotFound", explainMissing(plural, kinds));
  }
  return {
    kind,
    version,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function isNamespaceSubresource(rest: readonly string[]): boolean {
  return rest.length === 3 && (rest[2] === "status" || rest[2] === "finalize");
}

function explainMissing(plural: string, kinds: readonly Kind[]): string {
  const meant = suggest(
    plural,
    kinds.map((one) => one.plural),
  );
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  return `the server could not find the requested resource "${plural}"${hint}`;
}
