import type { Issue } from "../base/issue.ts";
import { suggest } from "../base/suggest.ts";
import { matchLabels } from "../config/label-selector.ts";
import { formatKey } from "../config/object.ts";
import type { Mesh } from "./mesh.ts";
import { MESH_CONFIG_MAP } from "./mesh-config.ts";
import type { ObjectIssue } from "./origin.ts";
import {
  findProvider,
  type ProviderTargets,
  type ProviderType,
  providerTargets,
  typeOf,
} from "./telemetry/providers.ts";
import { isWide, providerNames, type Telemetry } from "./telemetry.ts";

/** What a provider may be told, and the words for it. */
interface Use {
  readonly types: readonly ProviderType[];
  readonly what: string;
}

const SPANS: Use = { types: ["zipkin", "opentelemetry"], what: "spans" };
const LOGS: Use = {
  types: ["envoyFileAccessLog", "envoyHttpAls", "envoyTcpAls", "envoyOtelAls"],
  what: "log entries",
};
/** Providers that speak gRPC, which goes over HTTP/2 alone. */
const GRPC: readonly ProviderType[] = ["envoyHttpAls", "envoyTcpAls", "envoyOtelAls"];

/** What Telemetries and default providers ask for in vain. */
export function telemetryIssues(mesh: Mesh): readonly ObjectIssue[] {
  const { settings, telemetries, registry } = mesh;
  const { tracing, accessLogging } = settings.defaultProviders;
  if (telemetries.length === 0 && tracing.length === 0 && accessLogging.length === 0) return NONE;
  const targets = providerTargets(settings, registry.services);
  const issues: ObjectIssue[] = [];
  for (const [kind, names, use] of [
    ["tracing", tracing, SPANS],
    ["accessLogging", accessLogging, LOGS],
  ] as const) {
    for (const [at, name] of names.entries()) {
      const path = `data[mesh].defaultProviders.${kind}[${at}]`;
      // That there is no such provider is said of the ConfigMap by itself.
      if (findProvider(settings, name) === undefined) continue;
      const issue = providerIssue(mesh, { name, path, use, targets });
      if (issue !== undefined) issues.push({ object: MESH_CONFIG_MAP, issue });
    }
  }
  for (const telemetry of telemetries) {
    const found = issuesOf(telemetry, mesh, targets);
    issues.push(...found.map((issue) => ({ object: telemetry.key, issue })));
  }
  return issues;
}

const NONE: readonly ObjectIssue[] = [];

function issuesOf(telemetry: Telemetry, mesh: Mesh, targets: ProviderTargets): readonly Issue[] {
  const { tracing, accessLogging } = telemetry;
  const { defaultProviders } = mesh.settings;
  const issues: Issue[] = [...placeIssues(telemetry, mesh)];
  const check = (names: readonly string[], path: string, use: Use): void => {
    for (const [at, name] of names.entries()) {
      const where = `${path}.providers[${at}].name`;
      const issue = providerIssue(mesh, { name, path: where, use, targets });
      if (issue !== undefined) issues.push(issue);
    }
  };
  for (const [at, entry] of tracing.entries()) {
    // Of several only the first is told, which is said by itself.
    check(providerNames(entry).slice(0, 1), `spec.tracing[${at}]`, SPANS);
  }
  for (const [at, entry] of accessLogging.entries()) {
    const path = `spec.accessLogging[${at}]`;
    const names = providerNames(entry);
    check(names, path, LOGS);
    const isSilent = entry.disabled === true || at > 0;
    if (names.length === 0 && !isSilent && defaultProviders.accessLogging.length === 0) {
      const message =
        "names no provider, and the mesh has none by default: it has an effect only below a " +
        "Telemetry that names one";
      issues.push(warning(`${path}.providers`, message));
    }
  }
  return issues;
}

/** Whom a Telemetry is for, and who else is for them. */
function placeIssues(telemetry: Telemetry, { telemetries, registry }: Mesh): readonly Issue[] {
  const { key, namespace, selector, targets } = telemetry;
  if (isWide(telemetry)) {
    const first = telemetries.find((one) => isWide(one) && one.namespace === namespace);
    if (first === undefined || first === telemetry || first.key === key) return [];
    const message =
      `has no effect: ${formatKey(first.key)} is for all of namespace ${namespace} too, and ` +
      "older; keep one of them";
    return [warning("spec", message)];
  }
  if (targets.length > 0) return [];
  const isUsed = registry.workloads.some(
    (one) => one.namespace === namespace && matchLabels(selector, one.labels),
  );
  if (isUsed) return [];
  const labels = Object.entries(selector ?? {}).map(([name, value]) => `${name}=${value}`);
  return [warning("spec.selector", `no pod of namespace ${namespace} has ${labels.join(", ")}`)];
}

interface ProviderUse {
  readonly name: string;
  readonly path: string;
  readonly use: Use;
  readonly targets: ProviderTargets;
}

/** Why nothing is told to a provider; several reasons are told one by one. */
function providerIssue(
  { settings }: Mesh,
  { name, path, use, targets }: ProviderUse,
): Issue | undefined {
  const provider = findProvider(settings, name);
  if (provider === undefined) {
    const meant = suggest(name, [...settings.extensionProviders.keys()]);
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    return warning(path, `there is no "${name}" in extensionProviders of MeshConfig${hint}`);
  }
  const type = typeOf(provider);
  if (type === undefined || !use.types.includes(type)) {
    const what = type === undefined ? "does not say what it is" : `is ${type}`;
    const known = use.types.join(", ");
    return warning(path, `"${name}" ${what}, which is sent no ${use.what} here: use ${known}`);
  }
  const target = targets[provider.name];
  if (target === undefined) return undefined;
  if ("problem" in target) {
    return warning(path, `"${name}" is sent no ${use.what}: ${target.problem}`);
  }
  const isGrpc = GRPC.includes(type) || (type === "opentelemetry" && !provider.opentelemetry?.http);
  if (!isGrpc || target.isHttp2) return undefined;
  const message =
    `"${name}" speaks gRPC, and the port of ${target.hostname} does not: name it grpc, ` +
    "or give it an appProtocol";
  return warning(path, message);
}

function warning(path: string, message: string): Issue {
  return { path, message, severity: "warning" };
}
