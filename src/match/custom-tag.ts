import type { MetadataKind as KindMessage } from "../api/gen/envoy/type/metadata/v3/metadata_pb.js";
import {
  CustomTag_MetadataSchema,
  type CustomTag as CustomTagMessage,
  CustomTagSchema,
  CustomTag_ValueType as ValueType,
} from "../api/gen/envoy/type/tracing/v3/custom_tag_pb.js";
import type { Issue } from "../base/issue.ts";
import { jsonText } from "./json-text.ts";
import type { MetadataValue } from "./match-request.ts";
import { valueAt } from "./metadata-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { sixDigits } from "./six-digits.ts";
import type { StreamInfo } from "./stream-info.ts";
import { compileFormat } from "./substitution.ts";
import { wireText } from "./wire-text.ts";

/** The value of a tag. Text is as it came over the wire: one character for each byte. */
export type TagValue = string | number | bigint | boolean;

/** A tag that the configuration adds to spans. */
export interface CustomTag {
  readonly name: string;
  /** `undefined` where there is nothing to say. */
  readonly read: (info: StreamInfo) => TagValue | undefined;
}

/** Decodes the tags of a connection manager or a route; of two with one name the first counts. */
export function decodeCustomTags(
  messages: readonly CustomTagMessage[],
  path: string,
  issues: Issue[],
): readonly CustomTag[] {
  const tags = new Map<string, CustomTag>();
  for (const [at, message] of messages.entries()) {
    const tagPath = joinPath(path, `custom_tags[${at}]`);
    const known = ["tag", "literal", "environment", "request_header", "metadata", "value"];
    const fields = [...known, "value_type"];
    issues.push(...refuseFields(CustomTagSchema, message, fields, tagPath));
    const name = wireText(message.tag);
    const tag = { name, read: compileTag(message, tagPath, issues) };
    if (!tags.has(name)) tags.set(name, tag);
  }
  return [...tags.values()];
}

function compileTag(message: CustomTagMessage, path: string, issues: Issue[]): CustomTag["read"] {
  const { type } = message;
  if (message.valueType !== ValueType.UNSPECIFIED && type.case !== "value") {
    const what = "is for tags with a `value` only";
    issues.push({ path: joinPath(path, "value_type"), message: what });
  }
  switch (type.case) {
    case "literal":
      return constant(type.value.value);
    case "environment":
      return constant(process.env[type.value.name] ?? type.value.defaultValue);
    case "requestHeader": {
      const name = type.value.name.toLowerCase();
      const fallback = wireText(type.value.defaultValue);
      return (info) => (info.requestHeader(name) ?? fallback) || undefined;
    }
    case "metadata":
      return compileMetadata(type.value, joinPath(path, "metadata"), issues);
    case "value": {
      const format = compileFormat(type.value, "");
      const at = joinPath(path, "value");
      if (!format.ok) {
        for (const issue of format.issues) issues.push({ path: at, message: issue.message });
        return () => undefined;
      }
      const { value: write } = format;
      const convert = CONVERTERS[message.valueType] ?? asText;
      return (info) => convert(write(info));
    }
    case undefined:
      issues.push({ path, message: "says nothing of its value" });
      return () => undefined;
  }
}

function constant(value: string): CustomTag["read"] {
  const text = wireText(value) || undefined;
  return () => text;
}

function asText(text: string): TagValue | undefined {
  return text || undefined;
}

/** What is not of the type that it should have stays text. */
const CONVERTERS: Readonly<Record<ValueType, (text: string) => TagValue | undefined>> = {
  [ValueType.UNSPECIFIED]: asText,
  [ValueType.STRING]: asText,
  [ValueType.INT]: (text) => {
    if (!/^\s*[-+]?\d+\s*$/.test(text)) return asText(text);
    const value = BigInt(text.trim().replace(/^\+/, ""));
    return BigInt.asIntN(64, value) === value ? value : text;
  },
  [ValueType.DOUBLE]: (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    return Number.isNaN(value) ? asText(text) : value;
  },
  [ValueType.BOOL]: (text) => {
    if (/^(?:true|t|yes|y|1)$/i.test(text)) return true;
    return /^(?:false|f|no|n|0)$/i.test(text) ? false : asText(text);
  },
};

type MetadataMessage = Extract<CustomTagMessage["type"], { case: "metadata" }>["value"];
type ReadNamespace = (info: StreamInfo, namespace: string) => MetadataValue | undefined;

const KINDS: Readonly<Record<NonNullable<KindMessage["kind"]["case"]>, ReadNamespace>> = {
  request: (info, namespace) => info.dynamicMetadata(namespace),
  route: (info, namespace) => info.metadata("ROUTE", namespace),
  // Envoy asks the host for it.
  cluster: (info, namespace) =>
    info.upstream.host === undefined ? undefined : info.metadata("CLUSTER", namespace),
  host: (info, namespace) => info.metadata("UPSTREAM_HOST", namespace),
};

function compileMetadata(
  message: MetadataMessage,
  path: string,
  issues: Issue[],
): CustomTag["read"] {
  const fields = ["kind", "metadata_key", "default_value"];
  issues.push(...refuseFields(CustomTag_MetadataSchema, message, fields, path));
  const kind = message.kind?.kind.case;
  const namespace = message.metadataKey?.key ?? "";
  const keys = (message.metadataKey?.path ?? []).map(({ segment }) => segment.value ?? "");
  if (kind === undefined) issues.push({ path: joinPath(path, "kind"), message: "is missing" });
  const read = KINDS[kind ?? "request"];
  const fallback = wireText(message.defaultValue) || undefined;
  return (info) => metadataText(valueAt(read(info, namespace), keys)) ?? fallback;
}

/** As Envoy writes metadata into a tag: a number with six digits, all that is composed as JSON. */
function metadataText(value: MetadataValue | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return wireText(value);
  if (typeof value === "number") return sixDigits(value);
  return typeof value === "boolean" ? String(value) : wireText(jsonText(value));
}
