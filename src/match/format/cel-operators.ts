import { celJson, printCel } from "../cel/print.ts";
import { compileCel } from "../cel.ts";
import {
  cut,
  type Field,
  type FormatExtras,
  FormatProblem,
  type Operator,
  type OperatorTable,
} from "./operator.ts";

function createCel(
  argument: string,
  isTyped: boolean,
  length: number | undefined,
  extras: FormatExtras,
): Field {
  const compiled = compileCel(argument, extras);
  if (!compiled.ok)
    throw new FormatProblem(compiled.issues.map(({ message }) => message).join(", "));
  const { value: evaluate } = compiled;
  const asText: Field = (info) => {
    const value = evaluate(info);
    return value === undefined ? undefined : printCel(value);
  };
  if (!isTyped) return cut(asText, length);
  const typed: Field = (info) => {
    const value = evaluate(info);
    return value === undefined ? undefined : celJson(value);
  };
  return Object.assign(cut(typed, length), { asText: cut(asText, length) });
}

function cel(isTyped: boolean): Operator {
  return {
    argument: "required",
    takesLength: true,
    create: (argument, length, extras) => createCel(argument, isTyped, length, extras),
  };
}

/** Expressions over Envoy's attributes; what they may do besides, `extras` say. */
export const CEL_OPERATORS: OperatorTable = { CEL: cel(false), TYPED_CEL: cel(true) };
