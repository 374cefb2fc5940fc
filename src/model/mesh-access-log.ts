import type {
  EnvoyFileAccessLogProvider,
  ExtensionProvider,
} from "../config/extension-provider.ts";
import { isJsonObject } from "../config/json.ts";
import type { MeshConfig } from "../config/mesh-config.ts";
import {
  type AccessLogSettings,
  BUILT_IN_LOG,
  type JsonFormat,
  type MeshSettings,
} from "./mesh-settings.ts";

const STANDARD_OUTPUT = "/dev/stdout";

/** What `accessLogFormat` and `accessLogEncoding` say. */
export function meshLogFormat({
  accessLogFormat = "",
  accessLogEncoding,
}: MeshConfig): AccessLogSettings["format"] {
  return accessLogEncoding === "JSON"
    ? { encoding: "JSON", fields: parseJsonFormat(accessLogFormat) }
    : textFormat(accessLogFormat);
}

/** The file that a provider writes to; `undefined` for one that is no file. */
export function fileLogOf(
  { name, envoyFileAccessLog }: ExtensionProvider,
  { accessLogFormat }: MeshSettings,
): AccessLogSettings | undefined {
  if (envoyFileAccessLog === undefined) return undefined;
  const { path, logFormat, omitEmptyValues = false } = envoyFileAccessLog;
  const isMeshFormat = name === BUILT_IN_LOG.name && logFormat === undefined && !omitEmptyValues;
  return {
    path: path || STANDARD_OUTPUT,
    format: isMeshFormat ? accessLogFormat : providerFormat(envoyFileAccessLog),
    omitsEmpty: omitEmptyValues,
  };
}

function providerFormat({ logFormat }: EnvoyFileAccessLogProvider): AccessLogSettings["format"] {
  const { text = "", labels } = logFormat ?? {};
  if (labels === undefined) return textFormat(text);
  const isDefault = !isJsonObject(labels) || Object.keys(labels).length === 0;
  return { encoding: "JSON", fields: isDefault ? undefined : labels };
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
