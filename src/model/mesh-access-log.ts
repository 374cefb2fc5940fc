import type { EnvoyFileAccessLogProvider } from "../config/extension-provider.ts";
import { isJsonObject } from "../config/json.ts";
import type { MeshConfig } from "../config/mesh-config.ts";
import type { AccessLogSettings, JsonFormat } from "./mesh-settings.ts";

/** Istio's own provider of that name writes there. */
const BUILT_IN_PROVIDER = "envoy";
const STANDARD_OUTPUT = "/dev/stdout";

/**
 * The log that every proxy writes: of the first file provider that is the mesh's default, else what
 * `accessLogFile` says; `undefined` where neither does.
 */
export function resolveAccessLog(mesh: MeshConfig): AccessLogSettings | undefined {
  const { accessLogFile = "", accessLogFormat = "", accessLogEncoding } = mesh;
  for (const name of mesh.defaultProviders?.accessLogging ?? []) {
    const provider = mesh.extensionProviders?.find((one) => one.name === name);
    if (provider?.envoyFileAccessLog !== undefined) return ofProvider(provider.envoyFileAccessLog);
    if (provider === undefined && name === BUILT_IN_PROVIDER) {
      return { path: STANDARD_OUTPUT, format: textFormat("") };
    }
  }
  if (accessLogFile === "") return undefined;
  const isJson = accessLogEncoding === "JSON";
  return {
    path: accessLogFile,
    format: isJson
      ? { encoding: "JSON", fields: parseJsonFormat(accessLogFormat) }
      : textFormat(accessLogFormat),
  };
}

function ofProvider({ path, logFormat }: EnvoyFileAccessLogProvider): AccessLogSettings {
  const { text = "", labels } = logFormat ?? {};
  const isDefault = labels === undefined || Object.keys(labels).length === 0;
  return {
    path: path || STANDARD_OUTPUT,
    format:
      labels === undefined
        ? textFormat(text)
        : { encoding: "JSON", fields: isDefault ? undefined : labels },
  };
}

function textFormat(text: string): AccessLogSettings["format"] {
  return { encoding: "TEXT", text: text === "" ? undefined : text };
}

/** `undefined` for a text that is no JSON object: Istio's own fields are written then. */
export function parseJsonFormat(text: string): JsonFormat | undefined {
  try {
    const parsed: unknown = text === "" ? undefined : JSON.parse(text);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
