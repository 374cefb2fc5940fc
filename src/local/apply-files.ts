import { readFileSync } from "node:fs";
import { isError } from "../base/issue.ts";
import { keyOf } from "../config/object.ts";
import { decodeYaml, formatProblem } from "../config/yaml.ts";
import type { Storage } from "../storage/storage.ts";
import { MeshError } from "./mesh-error.ts";

/** Creates the objects of YAML files that do not exist yet; others stay as they are. */
export async function applyFiles(storage: Storage, files: readonly string[]): Promise<void> {
  for (const file of files) {
    const { objects, problems } = decodeYaml(readFileSync(file, "utf8"), file, {
      defaultNamespace: "default",
    });
    const errors = problems.filter(({ issue }) => isError(issue));
    if (errors.length > 0) throw new MeshError(errors.map(formatProblem).join("\n"));
    for (const { object } of objects) {
      if (storage.get(keyOf(object)) === undefined) await storage.create(object);
    }
  }
}
