import {
  KeyValueAppend_KeyValueAppendAction as AppendAction,
  type KeyValueAppend,
  KeyValueAppendSchema,
  type KeyValueMutation,
  KeyValueMutationSchema,
} from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { Issue } from "../base/issue.ts";
import type { FormatExtras } from "./format/operator.ts";
import { decodePercent } from "./query-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import type { StreamInfo } from "./stream-info.ts";
import { compileFormat, type TextFormat } from "./substitution.ts";
import { wireText } from "./wire-text.ts";

/** One change of the query parameters of a path. */
export interface QueryMutation {
  readonly key: string;
  /** What to write; `undefined` takes the parameter away. */
  readonly value: TextFormat | undefined;
  readonly action: AppendAction;
}

/** Decodes changes of query parameters; `path` is that of the list. */
export function decodeQueryMutations(
  messages: readonly KeyValueMutation[],
  path: string,
  issues: Issue[],
  formatters: FormatExtras,
): readonly QueryMutation[] {
  return messages.flatMap((message, index): QueryMutation[] => {
    const at = `${path}[${index}]`;
    issues.push(...refuseFields(KeyValueMutationSchema, message, ["append", "remove"], at));
    const { append, remove } = message;
    if ((append === undefined) === (remove === "")) {
      const what =
        append === undefined
          ? "One of 'append'/'remove' must be specified."
          : "Only one of 'append'/'remove can be specified.";
      issues.push({ path: at, message: what });
      return [];
    }
    const action = append?.action ?? AppendAction.APPEND_IF_EXISTS_OR_ADD;
    if (append === undefined) return [{ key: wireText(remove), value: undefined, action }];
    const value = decodeRecord(append, joinPath(at, "append"), issues, formatters);
    return [{ key: wireText(append.record?.key ?? ""), value, action }];
  });
}

function decodeRecord(
  append: KeyValueAppend,
  path: string,
  issues: Issue[],
  formatters: FormatExtras,
): TextFormat {
  issues.push(...refuseFields(KeyValueAppendSchema, append, ["record", "action"], path));
  const recordPath = joinPath(path, "record");
  const kind = append.record?.value?.kind;
  if (append.record === undefined) {
    issues.push({ path: recordPath, message: "No record specified for append mutation." });
  } else if (kind?.case !== "stringValue") {
    const what = "Only string value is allowed for record value.";
    issues.push({ path: joinPath(recordPath, "value"), message: what });
  } else {
    const compiled = compileFormat(kind.value, "", formatters);
    if (compiled.ok) return compiled.value;
    for (const { message } of compiled.issues) {
      issues.push({ path: joinPath(recordPath, "value"), message });
    }
  }
  return () => "";
}

/** The path with its parameters changed, one change after the other; keys come in their order. */
export function mutateQuery(
  mutations: readonly QueryMutation[],
  path: string,
  info: StreamInfo,
): string {
  const params = parseParameters(path);
  for (const { key, value, action } of mutations) {
    if (value === undefined) {
      params.delete(key);
      continue;
    }
    const there = params.get(key);
    const isWritten =
      there === undefined
        ? action !== AppendAction.OVERWRITE_IF_EXISTS
        : action !== AppendAction.ADD_IF_ABSENT;
    if (!isWritten) continue;
    const pair = `${key}=${encodePercent(value(info))}`;
    const isAdded = action === AppendAction.APPEND_IF_EXISTS_OR_ADD;
    params.set(key, isAdded && there !== undefined ? [...there, pair] : [pair]);
  }
  const query = path.indexOf("?");
  const before = query === -1 ? path : path.substring(0, query);
  const pairs = [...params.keys()].sort().flatMap((key) => params.get(key) ?? []);
  return pairs.length === 0 ? before : `${before}?${pairs.join("&")}`;
}

/**
 * Pairs by their decoded names, as they came: what is not changed keeps its escapes, so that no
 * value becomes more than one, or the end of the line.
 */
function parseParameters(path: string): Map<string, readonly string[]> {
  const params = new Map<string, readonly string[]>();
  const query = path.indexOf("?");
  if (query === -1 || query === path.length - 1) return params;
  for (const pair of path
    .substring(query + 1)
    .replace(/&$/, "")
    .split("&")) {
    const equals = pair.indexOf("=");
    const key = decodePercent(equals === -1 ? pair : pair.substring(0, equals));
    params.set(key, [...(params.get(key) ?? []), equals === -1 ? `${pair}=` : pair]);
  }
  return params;
}

/** Everything but letters, digits and `*-._`. */
function encodePercent(value: string): string {
  return value.replace(
    /[^\w*.-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
