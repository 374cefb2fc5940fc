import type { Issue, Result } from "../base/issue.ts";
import { suggest } from "../base/suggest.ts";
import type { AgentConfig } from "./agent-config.ts";

type Check = (value: unknown) => string | undefined;

const text: Check = (value) => (typeof value === "string" && value !== "" ? undefined : "text");
const whole: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 0 ? undefined : "a whole number";
const bool: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const textMap: Check = (value) =>
  isRecord(value) && Object.values(value).every((item) => typeof item === "string")
    ? undefined
    : "an object of texts";
const record: Check = (value) => (isRecord(value) ? undefined : "an object");
const hostPorts: Check = (value) =>
  Array.isArray(value) && value.every(isHostPort)
    ? undefined
    : "a list of {containerPort, hostIp, hostPort}";

function oneOf(...values: readonly string[]): Check {
  return (value) => (values.includes(String(value)) ? undefined : `one of ${values.join(", ")}`);
}

const FIELDS: Readonly<Record<keyof AgentConfig, { readonly check: Check; optional?: true }>> = {
  proxy: { check: oneOf("weft", "envoy") },
  envoyPath: { check: text, optional: true },
  type: { check: oneOf("sidecar", "router") },
  podName: { check: text },
  namespace: { check: text },
  podIp: { check: text },
  appAddress: { check: text, optional: true },
  serviceAccount: { check: text },
  labels: { check: textMap },
  proxyConfig: { check: record, optional: true },
  hostPorts: { check: hostPorts },
  discoveryAddress: { check: text },
  deltaXds: { check: bool, optional: true },
  directory: { check: text },
  adminPort: { check: whole },
  healthPort: { check: whole },
  logLevel: { check: oneOf("debug", "info", "warn", "error") },
  drainMs: { check: whole },
};

/** Reads the JSON file that an agent is started with. */
export function parseAgentConfig(json: string): Result<AgentConfig> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return { ok: false, issues: [{ path: "", message: `not JSON: ${String(error)}` }] };
  }
  if (!isRecord(value)) return { ok: false, issues: [{ path: "", message: "must be an object" }] };
  const issues: Issue[] = [];
  for (const [path, { check, optional }] of Object.entries(FIELDS)) {
    const field = value[path];
    if (field === undefined) {
      if (optional !== true) issues.push({ path, message: "required" });
      continue;
    }
    const wanted = check(field);
    if (wanted !== undefined) issues.push({ path, message: `must be ${wanted}` });
  }
  for (const path of Object.keys(value)) {
    if (path in FIELDS) continue;
    const meant = suggest(path, Object.keys(FIELDS));
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    issues.push({ path, message: `unknown field${hint}` });
  }
  if (value["proxy"] === "envoy" && value["envoyPath"] === undefined) {
    issues.push({ path: "envoyPath", message: 'required when proxy is "envoy"' });
  }
  return issues.length === 0
    ? { ok: true, value: value as unknown as AgentConfig }
    : { ok: false, issues };
}

function isHostPort(value: unknown): boolean {
  return (
    isRecord(value) &&
    whole(value["containerPort"]) === undefined &&
    text(value["hostIp"]) === undefined &&
    whole(value["hostPort"]) === undefined
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
