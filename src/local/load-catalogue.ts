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
  readonly problems: readonly string[];
}

/**
 * The catalogue in some files, read again when one has changed. A file that is broken at the start
 * is a `MeshError`; one that breaks later is reported, and its last good entries stay.
 */
export function loadCatalogue({ files, ownFile, variables, logger }: CatalogueFiles): Catalogue {
  const loaded = new Map<string, Loaded>();
  /** Whether the file has changed. */
  const read = (file: string): boolean => {
    const found = statSync(file, { throwIfNoEntry: false });
    const stamp = found === undefined ? "" : `${found.mtimeMs} ${found.size}`;
    const before = loaded.get(file);
    if (before?.stamp === stamp) return false;
    const result = parseCatalogue(found === undefined ? "" : readFileSync(file, "utf8"), variables);
    if (result.ok) loaded.set(file, { stamp, entries: result.value, problems: [] });
    else {
      const problems = result.issues.map((issue) => `${file}: ${formatIssue(issue)}`);
      loaded.set(file, { stamp, entries: before?.entries ?? [], problems });
    }
    return true;
  };
  const problemsOf = (file: string): readonly string[] => loaded.get(file)?.problems ?? [];
  for (const file of files) {
    read(file);
    const problems = problemsOf(file);
    if (problems.length > 0) throw new MeshError(problems.join("\n"));
  }
  return {
    file: ownFile,
    entries: () => {
      for (const file of files) {
        if (!read(file) || problemsOf(file).length === 0) continue;
        const problem = problemsOf(file).join("\n");
        logger.error("the catalogue is broken, what it said before stays", { problem });
      }
      return files.flatMap((file) => loaded.get(file)?.entries ?? []);
    },
    problems: () => files.flatMap(problemsOf),
  };
}
