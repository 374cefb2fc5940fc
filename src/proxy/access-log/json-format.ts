import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Issue } from "../../base/issue.ts";
import { jsonText } from "../../match/json-text.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { FormatExtras } from "../../match/substitution.ts";
import { type FormatPart, joinParts, parseFormat } from "../../match/substitution.ts";
import { wireText } from "../../match/wire-text.ts";
import type { EntryFormat } from "./access-log.ts";

/** A JSON text; `undefined` for what is left out. */
type Writer = (info: StreamInfo) => string | undefined;

/** What compiling needs besides the value. */
export interface JsonFormatOptions {
  /** What a stream does not have is left out instead of being null or "-". */
  readonly omitsEmpty: boolean;
  /** Operators that there are only with an extension. */
  readonly formatters?: FormatExtras;
  readonly path: string;
  readonly issues: Issue[];
}

/**
 * Compiles a JSON format: each string in it is a format of its own. One that is a single operator
 * keeps its type; what a stream does not have is null. Keys come in the order of their bytes.
 */
export function compileJsonFormat(format: JsonObject, options: JsonFormatOptions): EntryFormat {
  const writer = compileObject(format, options);
  return (info) => `${writer(info) ?? "{}"}\n`;
}

function compileValue(value: JsonValue, options: JsonFormatOptions): Writer {
  if (typeof value === "string") return compileString(value, options);
  if (value === null) return () => (options.omitsEmpty ? undefined : "null");
  if (Array.isArray(value)) return compileList(value, options);
  if (typeof value === "object") return compileObject(value, options);
  const text = JSON.stringify(value);
  return () => text;
}

function compileObject(value: JsonObject, options: JsonFormatOptions): Writer {
  const keys = Object.keys(value).sort();
  const writers = keys.map((key) => compileValue(value[key] ?? null, options));
  const starts = keys.map((key) => `${JSON.stringify(wireText(key))}:`);
  return (info) => {
    let text = "";
    for (let at = 0; at < writers.length; at++) {
      const one = writers[at]?.(info);
      if (one === undefined) continue;
      text += `${text === "" ? "{" : ","}${starts[at]}${one}`;
    }
    if (text !== "") return `${text}}`;
    return options.omitsEmpty ? undefined : "{}";
  };
}

function compileList(values: readonly JsonValue[], options: JsonFormatOptions): Writer {
  const writers = values.map((value) => compileValue(value, options));
  return (info) => {
    let text = "";
    for (const writer of writers) {
      const one = writer(info);
      if (one !== undefined) text += `${text === "" ? "[" : ","}${one}`;
    }
    return text === "" ? "[]" : `${text}]`;
  };
}

function compileString(value: string, options: JsonFormatOptions): Writer {
  const parsed = parseFormat(value, options.formatters);
  if (!parsed.ok) {
    for (const { message } of parsed.issues) options.issues.push({ path: options.path, message });
    return () => undefined;
  }
  const [only] = parsed.value;
  if (parsed.value.length === 1 && typeof only === "function") return compileField(only, options);
  const text = joinParts(parsed.value, options.omitsEmpty ? "" : "-");
  return (info) => JSON.stringify(text(info));
}

function compileField(
  field: Exclude<FormatPart, string>,
  { omitsEmpty }: JsonFormatOptions,
): Writer {
  const empty = omitsEmpty ? undefined : "null";
  return (info) => {
    const value = field(info);
    return value === undefined || value === null ? empty : jsonText(value);
  };
}
