import { formatIssue, type Issue } from "../base/issue.ts";
import type { ConfigMap } from "../config/config-map.ts";
import { decodeMeshConfigFile } from "../config/mesh-config.ts";
import { keyText, type ObjectKey } from "../config/object.ts";
import { MESH_CONFIG_MAP } from "../model/mesh-config.ts";
import { CliError } from "./command.ts";
import type { ProblemPrinter } from "./problem.ts";
import { readTextFile } from "./text-file.ts";

const PATH_PREFIX = /^data\[mesh\]\.?/;

/** MeshConfig from a file, as the object that a mesh reads it from. */
export class MeshConfigFile {
  readonly object: ConfigMap;
  readonly #file: string;
  readonly #said: ReadonlySet<string>;

  /** Says what is wrong with the file; throws a `CliError` where there is none to read. */
  constructor(file: string, printer: ProblemPrinter) {
    const text = readTextFile("--mesh-config", file);
    if (/^kind:\s*ConfigMap\s*$/m.test(text)) {
      throw new CliError(`--mesh-config: ${file} is a ConfigMap: give it with -f`);
    }
    const { problems } = decodeMeshConfigFile(text, file);
    printer.print(problems);
    this.#file = file;
    this.#said = new Set(problems.map(({ issue }) => formatIssue(issue)));
    const { name, namespace } = MESH_CONFIG_MAP;
    this.object = {
      apiVersion: "v1",
      kind: MESH_CONFIG_MAP.kind,
      metadata: { name, namespace },
      data: { mesh: text },
    };
  }

  /** Whether an object is the one that the file stands for. */
  isAbout(key: ObjectKey): boolean {
    return keyText(key) === keyText(MESH_CONFIG_MAP);
  }

  /** Says what a mesh found in it, but for what was said with its line already. */
  print(issue: Issue, printer: ProblemPrinter): void {
    const own = { ...issue, path: issue.path.replace(PATH_PREFIX, "") };
    if (!this.#said.has(formatIssue(own))) printer.printUnplaced(this.#file, own);
  }
}
