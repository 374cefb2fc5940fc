import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOption,
  HeaderValueOptionSchema,
  HeaderValueSchema,
} from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { Issue } from "../base/issue.ts";
import type { FormatExtras } from "./format/operator.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileFormat, type TextFormat } from "./substitution.ts";
import { wireText } from "./wire-text.ts";

/** What happens to a header that is there already, and to one that is not. */
export type HeaderAction =
  | "APPEND_IF_EXISTS_OR_ADD"
  | "ADD_IF_ABSENT"
  | "OVERWRITE_IF_EXISTS_OR_ADD"
  | "OVERWRITE_IF_EXISTS";

/** One header to write. */
export interface HeaderAddition {
  /** Lower case. */
  readonly name: string;
  /** The value for one stream; Envoy's `%…%` operators are compiled into it. */
  readonly value: TextFormat;
  readonly action: HeaderAction;
  /** Whether an empty value is written; otherwise the header is left out. */
  readonly keepsEmpty: boolean;
}

/** Headers that a level of the configuration writes and takes away, in this order: `remove` last. */
export interface HeaderMutations {
  readonly add: readonly HeaderAddition[];
  /** Lower case. */
  readonly remove: readonly string[];
}

/** The mutations of one level, of requests and of responses; `undefined` where it has none. */
export interface LevelMutations {
  readonly request: HeaderMutations | undefined;
  readonly response: HeaderMutations | undefined;
}

/** The four fields that every level has. */
interface MutationFields {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** Names of those four fields in a .proto file. */
export const MUTATION_FIELDS: readonly string[] = [
  "request_headers_to_add",
  "request_headers_to_remove",
  "response_headers_to_add",
  "response_headers_to_remove",
];

/** Decodes the header mutations of one level. */
export function decodeMutations(
  message: MutationFields,
  path: string,
  issues: Issue[],
): LevelMutations {
  return {
    request: decodeDirection(message.requestHeadersToAdd, message.requestHeadersToRemove, {
      path,
      direction: "request",
      issues,
    }),
    response: decodeDirection(message.responseHeadersToAdd, message.responseHeadersToRemove, {
      path,
      direction: "response",
      issues,
    }),
  };
}

function decodeDirection(
  toAdd: readonly HeaderValueOption[],
  toRemove: readonly string[],
  { path, direction, issues }: { path: string; direction: string; issues: Issue[] },
): HeaderMutations | undefined {
  if (toAdd.length === 0 && toRemove.length === 0) return undefined;
  const add = decodeAdditions(toAdd, joinPath(path, `${direction}_headers_to_add`), issues);
  for (const [at, name] of toRemove.entries()) {
    if (!isFixedHeader(name)) continue;
    const what = ":-prefixed or host headers may not be removed";
    issues.push({ path: joinPath(path, `${direction}_headers_to_remove[${at}]`), message: what });
  }
  return { add, remove: toRemove.map((name) => wireText(name).toLowerCase()) };
}

/** Decodes headers to write; `path` is that of the list, `formatters` are operators besides. */
export function decodeAdditions(
  options: readonly HeaderValueOption[],
  path: string,
  issues: Issue[],
  formatters?: FormatExtras,
): readonly HeaderAddition[] {
  return options.map((option, at) => decodeAddition(option, `${path}[${at}]`, issues, formatters));
}

/** Decodes one header to write. */
export function decodeAddition(
  option: HeaderValueOption,
  path: string,
  issues: Issue[],
  formatters?: FormatExtras,
): HeaderAddition {
  const fields = ["header", "append", "append_action", "keep_empty_value"];
  issues.push(...refuseFields(HeaderValueOptionSchema, option, fields, path));
  const { header } = option;
  if (header !== undefined) {
    const handled = ["key", "value", "raw_value"];
    issues.push(...refuseFields(HeaderValueSchema, header, handled, joinPath(path, "header")));
  }
  const key = header?.key ?? "";
  if (key === "") issues.push({ path: joinPath(path, "header.key"), message: "is missing" });
  if (isFixedHeader(key)) {
    const what = ":-prefixed or host headers may not be modified";
    issues.push({ path: joinPath(path, "header.key"), message: what });
  }
  if (option.append !== undefined && option.appendAction !== AppendAction.APPEND_IF_EXISTS_OR_ADD) {
    issues.push({ path, message: "Both append and append_action are set and it's not allowed" });
  }
  const raw = header?.rawValue ?? new Uint8Array();
  return {
    name: wireText(key).toLowerCase(),
    value: compileValue(raw.length > 0 ? Buffer.from(raw).toString() : (header?.value ?? ""), {
      path: joinPath(path, "header"),
      issues,
      formatters,
    }),
    action: decodeAction(option),
    keepsEmpty: option.keepEmptyValue,
  };
}

function compileValue(
  format: string,
  {
    path,
    issues,
    formatters,
  }: { path: string; issues: Issue[]; formatters: FormatExtras | undefined },
): TextFormat {
  const compiled = compileFormat(format, "", formatters);
  if (compiled.ok) return compiled.value;
  for (const { message } of compiled.issues) {
    issues.push({ path: joinPath(path, "value"), message });
  }
  return () => "";
}

const ACTIONS: Readonly<Record<AppendAction, HeaderAction>> = {
  [AppendAction.APPEND_IF_EXISTS_OR_ADD]: "APPEND_IF_EXISTS_OR_ADD",
  [AppendAction.ADD_IF_ABSENT]: "ADD_IF_ABSENT",
  [AppendAction.OVERWRITE_IF_EXISTS_OR_ADD]: "OVERWRITE_IF_EXISTS_OR_ADD",
  [AppendAction.OVERWRITE_IF_EXISTS]: "OVERWRITE_IF_EXISTS",
};

/** The older `append` counts where it is set. */
function decodeAction({ append, appendAction }: HeaderValueOption): HeaderAction {
  if (append === undefined) return ACTIONS[appendAction] ?? "APPEND_IF_EXISTS_OR_ADD";
  return append ? "APPEND_IF_EXISTS_OR_ADD" : "OVERWRITE_IF_EXISTS_OR_ADD";
}

/** What the first line says is changed by rewrites only. */
export function isFixedHeader(name: string): boolean {
  return name.startsWith(":") || name.toLowerCase() === "host";
}

/** What a request or response goes through, in the order in which it is done. */
export interface OrderedMutations {
  readonly request: readonly HeaderMutations[];
  readonly response: readonly HeaderMutations[];
}

/**
 * Puts the levels in order; `levels` has the most specific first. Who comes last wins where one
 * overwrites the other: the least specific, unless `mostSpecificWins`.
 */
export function orderMutations(
  levels: readonly LevelMutations[],
  mostSpecificWins: boolean,
): OrderedMutations {
  const ordered = mostSpecificWins ? [...levels].reverse() : levels;
  return {
    request: ordered.flatMap(({ request }) => request ?? []),
    response: ordered.flatMap(({ response }) => response ?? []),
  };
}
