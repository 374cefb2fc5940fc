import type { Result } from "../base/issue.ts";
import { ADDRESS_OPERATORS } from "./format/address-operators.ts";
import { CEL_OPERATORS } from "./format/cel-operators.ts";
import { createCoalesce } from "./format/coalesce.ts";
import { HEADER_OPERATORS } from "./format/header-operators.ts";
import {
  cut,
  type Field,
  type FormatExtras,
  FormatProblem,
  type OperatorTable,
} from "./format/operator.ts";
import { STREAM_OPERATORS } from "./format/stream-operators.ts";
import { TLS_OPERATORS } from "./format/tls-operators.ts";
import { jsonText } from "./json-text.ts";
import type { MetadataValue } from "./match-request.ts";
import type { StreamInfo } from "./stream-info.ts";
import { wireText } from "./wire-text.ts";

export type { FormatExtras };

/** Text made from what is known of a stream. */
export type TextFormat = (info: StreamInfo) => string;

/** Part of a format: text as it stands there, or what an operator reads. */
export type FormatPart = string | Field;

/** Every command operator, by Envoy's names; what is known and not built is refused by name. */
const OPERATORS: OperatorTable = {
  ...HEADER_OPERATORS,
  ...ADDRESS_OPERATORS,
  ...TLS_OPERATORS,
  ...STREAM_OPERATORS,
  ...CEL_OPERATORS,
  COALESCE: {
    argument: "required",
    takesLength: true,
    create: (argument, length, extras) => {
      const create = (name: string, given: string | undefined, max: number | undefined): Field =>
        createField({ name, argument: given, length: max }, extras);
      return cut(createCoalesce(argument, create), length);
    },
  },
};

/** Those of them that a format has only with an extension. */
const EXTRA_OPERATORS: ReadonlySet<string> = new Set(["REQ_WITHOUT_QUERY"]);
const NO_EXTRAS: FormatExtras = new Set();

/** `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`; of arguments the shortest counts. */
const COMMAND = /%([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%/y;

/**
 * Compiles a format string with Envoy's command operators. What a stream does not have becomes
 * `empty`: "-" in text logs, "" in headers. What Envoy refuses is refused, in its words, with an
 * empty path.
 */
export function compileFormat(
  format: string,
  empty: "-" | "",
  extras?: FormatExtras,
): Result<TextFormat> {
  const parts = parseFormat(format, extras);
  return parts.ok ? { ok: true, value: joinParts(parts.value, empty) } : parts;
}

/** Splits a format into text and operators; never two texts in a row. */
export function parseFormat(
  format: string,
  extras: FormatExtras = NO_EXTRAS,
): Result<readonly FormatPart[]> {
  try {
    return { ok: true, value: split(format, extras) };
  } catch (error) {
    if (!(error instanceof FormatProblem)) throw error;
    return { ok: false, issues: [{ path: "", message: error.message }] };
  }
}

function split(format: string, extras: FormatExtras): readonly FormatPart[] {
  const parts: FormatPart[] = [];
  let literal = "";
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf("%", at);
    if (percent === -1) {
      literal += format.substring(at);
      break;
    }
    literal += format.substring(at, percent);
    if (format[percent + 1] === "%") {
      literal += "%";
      at = percent + 2;
      continue;
    }
    COMMAND.lastIndex = percent;
    const match = COMMAND.exec(format);
    if (match === null) {
      throw new FormatProblem(
        `Incorrect configuration: ${format}. Couldn't find valid command at position ${percent}`,
      );
    }
    const [whole, name = "", argument, length] = match;
    if (literal !== "") parts.push(wireText(literal));
    literal = "";
    if (EXTRA_OPERATORS.has(name) && !extras.has(name)) throw unknownOperator(name);
    const max = length === undefined ? undefined : Number(length);
    parts.push(createField({ name, argument, length: max }, extras));
    at = percent + whole.length;
  }
  if (literal !== "") parts.push(wireText(literal));
  return parts;
}

/** What stands between two percent signs. */
interface Command {
  readonly name: string;
  readonly argument: string | undefined;
  readonly length: number | undefined;
}

function createField({ name, argument, length }: Command, extras: FormatExtras): Field {
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (operator === undefined) {
    throw unknownOperator(name);
  }
  const given = argument ?? "";
  if (operator.argument === "none" && (given !== "" || length !== undefined)) {
    throw new FormatProblem(`${name} does not take any parameters or length`);
  }
  if (operator.argument === "required" && given === "") {
    throw new FormatProblem(`${name} requires parameters`);
  }
  if (!operator.takesLength && length !== undefined) {
    throw new FormatProblem(`${name} does not allow length to be specified.`);
  }
  return operator.create(given, length, extras);
}

function unknownOperator(name: string): FormatProblem {
  return new FormatProblem(`Not supported field in StreamInfo: ${name}`);
}

/** One closure over all parts; what is missing becomes `empty`. */
export function joinParts(parts: readonly FormatPart[], empty: "-" | ""): TextFormat {
  const [only] = parts;
  if (parts.length === 0) return () => "";
  if (parts.length === 1 && typeof only === "string") return () => only;
  // Each field with the text before it, so that the loop has no branches.
  const before: string[] = [];
  const fields: Field[] = [];
  let literal = "";
  for (const part of parts) {
    if (typeof part === "string") {
      literal += part;
      continue;
    }
    before.push(literal);
    fields.push(part.asText ?? part);
    literal = "";
  }
  const after = literal;
  const count = fields.length;
  return (info) => {
    let line = "";
    for (let at = 0; at < count; at++) {
      line += before[at] ?? "";
      line += valueText(fields[at]?.(info), empty);
    }
    return line + after;
  };
}

function valueText(value: MetadataValue | undefined, empty: string): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return empty;
  return typeof value === "object" ? jsonText(value) : String(value);
}
