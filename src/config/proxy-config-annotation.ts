import type { Issue, Result } from "../base/issue.ts";
import { isError } from "../base/issue.ts";
import { own } from "./json.ts";
import { validateProxyConfig } from "./kind/mesh-config-rules.ts";
import { type ProxyConfigSettings, proxyConfigSettingsSchema } from "./mesh-proxy-config.ts";
import { parseProtoYaml } from "./proto-yaml.ts";

/** What one pod's proxy does otherwise than `defaultConfig` of the mesh says, as YAML. */
const ANNOTATION = "proxy.istio.io/config";

/** ProxyConfig of a pod's annotation; `undefined` where it has none. */
export function parseProxyConfigAnnotation(
  annotations: Readonly<Record<string, string>> | undefined,
): Result<ProxyConfigSettings> | undefined {
  const text = own(annotations, ANNOTATION);
  if (text === undefined) return undefined;
  const { result } = parseProtoYaml(proxyConfigSettingsSchema, text);
  const path = `metadata.annotations[${ANNOTATION}]`;
  const within = (issue: Issue): Issue => ({
    ...issue,
    path: issue.path === "" ? path : `${path}.${issue.path}`,
  });
  if (!result.ok) return { ok: false, issues: result.issues.map(within) };
  const issues = [
    ...(result.warnings ?? []).map(within),
    ...validateProxyConfig(result.value, path),
  ];
  if (issues.some(isError)) return { ok: false, issues };
  return { ok: true, value: result.value, ...(issues.length > 0 && { warnings: issues }) };
}
