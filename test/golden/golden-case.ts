import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { formatIssue, type Result } from "../../src/base/issue.ts";
import { decodeProxyFile } from "../../src/cli/proxy-file.ts";
import type { KubeObject } from "../../src/config/object.ts";
import { decodeYaml, errorsOf, formatProblem } from "../../src/config/yaml.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { decodeProxyNode, type NodeRecord } from "../../src/model/proxy-node.ts";
import type { Call, CallResult } from "../routing/call.ts";

const FOLDER = dirname(fileURLToPath(import.meta.url));

/** The outputs of a proxy, one file each. */
const OUTPUTS = ["listeners", "routes", "clusters", "endpoints"] as const;
/** Virtual hosts that are resources of their own have few cases: those ask for them. */
export type Output = (typeof OUTPUTS)[number] | "virtualHosts";

/** One folder of `test/golden`: objects, and the proxies whose configuration they make. */
export interface GoldenCase {
  readonly name: string;
  readonly folder: string;
  readonly objects: readonly KubeObject[];
  readonly proxies: readonly { readonly name: string; readonly node: ProxyNode }[];
  /** Which outputs the case is about. */
  readonly show: readonly Output[];
  /** Calls by the proxy that they come to. */
  readonly calls: Readonly<Record<string, readonly GoldenCall[]>>;
}

/** A call of `calls.yaml`. */
export interface GoldenCall {
  readonly call: Call;
  /** What must become of it; what is not named here is not looked at, but for an error. */
  readonly want: CallResult;
}

/** `case.yaml` */
interface CaseFile {
  /** Files of `base` whose objects are there too. */
  readonly include?: readonly string[];
  /** By their names in `base/proxies.yaml`, or whole, as `weft xds-dump` takes them, with a name. */
  readonly proxies: readonly (string | ({ readonly name: string } & Record<string, unknown>))[];
  readonly show?: readonly Output[];
  /** MeshConfig, as it would stand in the ConfigMap `istio`. */
  readonly mesh?: Readonly<Record<string, unknown>>;
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
  const file = readYaml<CaseFile>(join(folder, "case.yaml"));
  const { include = [], proxies, show = OUTPUTS, mesh } = file;
  const callsFile = join(folder, "calls.yaml");
  return {
    name,
    folder,
    objects: [
      ...include.flatMap((base) => readObjects(join(FOLDER, "base", `${base}.yaml`))),
      ...readObjects(join(folder, "in.yaml")),
      ...(mesh === undefined ? [] : [meshConfigMap(mesh)]),
    ],
    proxies: proxies.map((proxy) => readProxy(name, proxy)),
    show,
    calls: existsSync(callsFile) ? readYaml<GoldenCase["calls"]>(callsFile) : {},
  };
}

function readProxy(
  caseName: string,
  proxy: CaseFile["proxies"][number],
): GoldenCase["proxies"][number] {
  const name = typeof proxy === "string" ? proxy : proxy.name;
  const node = nodeRecord(proxy);
  const decoded = node.ok ? decodeProxyNode(node.value) : node;
  if (decoded.ok) return { name, node: decoded.value };
  const issues = decoded.issues.map(formatIssue).join("; ");
  throw new Error(`case ${caseName}, proxy ${name}: ${issues}`);
}

function nodeRecord(proxy: CaseFile["proxies"][number]): Result<NodeRecord> {
  if (typeof proxy !== "string") {
    const { name, ...fields } = proxy;
    return decodeProxyFile({ id: name, ...fields });
  }
  const known = readYaml<Record<string, NodeRecord>>(join(FOLDER, "base", "proxies.yaml"));
  const record = known[proxy];
  if (record !== undefined) return { ok: true, value: record };
  return { ok: false, issues: [{ path: "", message: "is not in proxies.yaml" }] };
}

function meshConfigMap(mesh: Readonly<Record<string, unknown>>): KubeObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: stringify(mesh) },
  } as KubeObject;
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
