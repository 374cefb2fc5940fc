import { parse } from "yaml";
import { formatIssue, type Issue, type Result } from "../base/issue.ts";
import { suggest } from "../base/suggest.ts";
import { isJsonObject, type JsonObject } from "../config/json.ts";
import type { ProxyNode } from "../model/proxy.ts";
import { decodeProxyNode, type NodeRecord } from "../model/proxy-node.ts";
import { CliError } from "./command.ts";
import { readTextFile } from "./text-file.ts";

/** The fields of a proxy's file, and what each has to be. */
const FIELDS: Readonly<Record<string, "text" | "map of text to text" | "map">> = {
  type: "text",
  ip: "text",
  id: "text",
  namespace: "text",
  dnsDomain: "text",
  serviceAccount: "text",
  labels: "map of text to text",
  metadata: "map",
};

const TYPES = ["sidecar", "router"];
const NAMESPACE_DEFAULT = "default";
const NAME_DEFAULT = "proxy";

/** Reads the file of `--proxy`, `-` being standard input; throws a `CliError` that says what is wrong with it. */
export async function readProxyFile(
  file: string,
  readStdin: () => Promise<string>,
): Promise<ProxyNode> {
  const raw = parseText(file, file === "-" ? await readStdin() : readTextFile("--proxy", file));
  const record = decodeProxyFile(raw);
  const node = record.ok ? decodeProxyNode(record.value) : record;
  if (node.ok) return node.value;
  const lines = node.issues.map((issue) => `${file}: ${formatIssue(issue)}`);
  throw new CliError(lines.join("\nweft: "));
}

/** What the file says, as the introduction that the proxy itself would send. */
export function decodeProxyFile(raw: unknown): Result<NodeRecord> {
  if (!isJsonObject(raw)) {
    return refuse([{ path: "", message: "is no map: a proxy has type, ip, namespace, labels, …" }]);
  }
  const issues = Object.entries(raw).flatMap(([name, value]) => checkField(name, value));
  const type = textOf(raw, "type");
  if (raw["type"] === undefined) issues.push({ path: "type", message: "is missing" });
  else if (type !== undefined && !TYPES.includes(type)) {
    issues.push({ path: "type", message: `is sidecar or router, not "${type}"` });
  }
  if (raw["ip"] === undefined) issues.push({ path: "ip", message: "is missing" });
  if (issues.length > 0) return refuse(issues);
  const metadata = metadataOf(raw);
  return { ok: true, value: { id: idOf(raw, metadata), metadata } };
}

function checkField(name: string, value: unknown): Issue[] {
  const form = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (form === undefined) {
    const meant = suggest(name, Object.keys(FIELDS));
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    return [{ path: name, message: `is no field of a proxy${hint}` }];
  }
  const fits =
    form === "text"
      ? typeof value === "string"
      : isJsonObject(value) &&
        (form === "map" || Object.values(value).every((label) => typeof label === "string"));
  return fits ? [] : [{ path: name, message: `is not a ${form}` }];
}

/** The short fields are other names for what stands in the metadata of a real proxy. */
function metadataOf(raw: JsonObject): JsonObject {
  const metadata: JsonObject = isJsonObject(raw["metadata"]) ? raw["metadata"] : {};
  const labels = isJsonObject(metadata["LABELS"]) ? metadata["LABELS"] : {};
  const namespace = raw["namespace"] ?? metadata["NAMESPACE"] ?? NAMESPACE_DEFAULT;
  const account = raw["serviceAccount"] ?? metadata["SERVICE_ACCOUNT"];
  return {
    ...metadata,
    NAMESPACE: namespace,
    ...(isJsonObject(raw["labels"]) ? { LABELS: { ...labels, ...raw["labels"] } } : {}),
    ...(account === undefined ? {} : { SERVICE_ACCOUNT: account }),
  };
}

/** `id` is the whole node id, `pod.namespace`, or the pod's name alone. */
function idOf(raw: JsonObject, metadata: JsonObject): string {
  const namespace = String(metadata["NAMESPACE"]);
  const id = textOf(raw, "id") ?? NAME_DEFAULT;
  if (id.includes("~")) return id;
  const pod = id.includes(".") ? id : `${id}.${namespace}`;
  const dnsDomain = textOf(raw, "dnsDomain") ?? `${namespace}.svc.cluster.local`;
  return [textOf(raw, "type"), textOf(raw, "ip"), pod, dnsDomain].join("~");
}

function textOf(raw: JsonObject, name: string): string | undefined {
  const value = raw[name];
  return typeof value === "string" ? value : undefined;
}

function refuse<T>(issues: readonly Issue[]): Result<T> {
  return { ok: false, issues };
}

function parseText(file: string, text: string): unknown {
  try {
    return parse(text, { logLevel: "silent" });
  } catch (error) {
    throw new CliError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
