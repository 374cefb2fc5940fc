import type { MetadataValue } from "../match-request.ts";
import type { StreamInfo } from "../stream-info.ts";

/** Reads one value of a stream; `undefined` when the stream has none. */
export interface Field {
  (info: StreamInfo): MetadataValue | undefined;
  /** What of it stands in a text, where that is not the value itself. */
  readonly asText?: Field;
}

/** Why a format is refused, in Envoy's words. */
export class FormatProblem extends Error {}

/** A command operator: what stands between its percent signs, and what it reads. */
export interface Operator {
  /** Whether it takes an argument in parentheses. */
  readonly argument: "none" | "optional" | "required";
  readonly takesLength: boolean;
  /** Throws FormatProblem. `argument` is "" when there is none. */
  create(argument: string, length: number | undefined, extras: FormatExtras): Field;
}

/**
 * What a format has only with an extension: operators by their names, and what expressions may do,
 * by the fields of `CelExpressionConfig`.
 */
export type FormatExtras = ReadonlySet<string>;

/** Operators by their names. */
export type OperatorTable = Readonly<Record<string, Operator>>;

/** An operator that takes nothing. */
export function plain(field: Field): Operator {
  return { argument: "none", takesLength: false, create: () => field };
}

/** A string of no characters is no value. */
export function text(read: (info: StreamInfo) => string | undefined): Operator {
  return plain((info) => read(info) || undefined);
}

/** An operator that is known and not built. */
export function unbuilt(name: string): Operator {
  return {
    argument: "optional",
    takesLength: true,
    create() {
      throw new FormatProblem(`operator ${name} is not supported yet`);
    },
  };
}

/** Cuts a string; what is no string stays as it is. */
export function cut(field: Field, length: number | undefined): Field {
  if (length === undefined) return field;
  return (info) => {
    const value = field(info);
    return typeof value === "string" ? value.substring(0, length) : value;
  };
}
