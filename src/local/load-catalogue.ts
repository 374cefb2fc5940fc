import { readFileSync, statSync } from "node:fs";
import { formatIssue } from "../base/issue.ts";
import { type CatalogueEntry, parseCatalogue } from "../runtime/catalogue.ts";
import type { Catalogue } from "../runtime/resolve-container.ts";
import type { Logger } from "../telemetry/log.ts";
import { MeshError } from "./mesh-error.ts";

/** Catalogue files and what their `${variables}` mean. */
export interface CatalogueFiles {
  /** The first that knows an image decides; those that do not exist yet are looked for again. */
  readonly files: readonly string[];
  /** Where messages tell people to add entries. */
  readonly ownFile: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

interface Loaded {
  readonly stamp: string;
  readonly entries: readonly CatalogueEntry[];
}

/**
 * The catalogue in some files, read again when one has changed. A file that is broken at the start
 * is a `MeshError`; one that breaks later is reported, and its last good entries stay.
 */
export function loadCatalogue({ files, ownFile, variables, logger }: CatalogueFiles): Catalogue {
  const loaded = new Map<string, Loaded>();
  const read = (file: string): string | undefined => {
    const found = statSync(file, { throwIfNoEntry: false });
    const stamp = found === undefined ? "" : `${found.mtimeMs} ${found.size}`;
    const before = loaded.get(file);
    if (before?.stamp === stamp) return undefined;
    const text = found === undefined ? "" : readFileSync(file, "utf8");
    const result = parseCatalogue(text, variables);
    if (result.ok) loaded.set(file, { stamp, entries: result.value });
    else loaded.set(file, { stamp, entries: before?.entries ?? [] });
    return result.ok
      ? undefined
      : result.issues.map((issue) => `${file}: ${formatIssue(issue)}`).join("\n");
  };
  for (const file of files) {
    const problem = read(file);
    if (problem !== undefined) throw new MeshError(problem);
  }
  return {
    file: ownFile,
    entries: () => {
      for (const file of files) {
        const problem = read(file);
        if (problem !== undefined) {
          logger.error("the catalogue is broken, what it said before stays", { problem });
        }
      }
      return files.flatMap((file) => loaded.get(file)?.entries ?? []);
    },
  };
}
