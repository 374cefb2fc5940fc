import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { KubeObject } from "../../src/config/object.ts";
import { decodeYaml, errorsOf, formatProblem } from "../../src/config/yaml.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { decodeProxyNode, type NodeRecord } from "../../src/model/proxy-node.ts";

const FOLDER = dirname(fileURLToPath(import.meta.url));

/** The outputs of a proxy, one file each. */
export const OUTPUTS = ["listeners", "routes", "clusters", "endpoints"] as const;
export type Output = (typeof OUTPUTS)[number];

/** One folder of `test/golden`: objects, and the proxies whose configuration they make. */
export interface GoldenCase {
  readonly name: string;
  readonly folder: string;
  readonly objects: readonly KubeObject[];
  readonly proxies: readonly { readonly name: string; readonly node: ProxyNode }[];
  /** Which outputs the case is about. */
  readonly show: readonly Output[];
}

interface CaseFile {
  readonly include?: readonly string[];
  readonly proxies: readonly string[];
  readonly show?: readonly Output[];
}

/** Every case, by name. */
export function readCases(): readonly GoldenCase[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(FOLDER, entry.name, "case.yaml")))
    .map((entry) => readCase(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readCase(name: string): GoldenCase {
  const folder = join(FOLDER, name);
  const { include = [], proxies, show = OUTPUTS } = readYaml<CaseFile>(join(folder, "case.yaml"));
  const nodes = readYaml<Record<string, NodeRecord>>(join(FOLDER, "base", "proxies.yaml"));
  return {
    name,
    folder,
    objects: [
      ...include.flatMap((base) => readObjects(join(FOLDER, "base", `${base}.yaml`))),
      ...readObjects(join(folder, "in.yaml")),
    ],
    proxies: proxies.map((proxy) => {
      const record = nodes[proxy];
      if (record === undefined) throw new Error(`${name}: no proxy "${proxy}" in proxies.yaml`);
      const node = decodeProxyNode(record);
      if (!node.ok) throw new Error(`${proxy}: ${JSON.stringify(node.issues)}`);
      return { name: proxy, node: node.value };
    }),
    show,
  };
}

function readYaml<T>(file: string): T {
  return parse(readFileSync(file, "utf8")) as T;
}

/** The objects of a file, all of which must be right. */
function readObjects(file: string): readonly KubeObject[] {
  const { objects, problems } = decodeYaml(readFileSync(file, "utf8"), file);
  const errors = errorsOf(problems);
  if (errors.length > 0) throw new Error(errors.map(formatProblem).join("\n"));
  return objects.map(({ object }) => object);
}
