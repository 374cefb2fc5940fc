import { type Field, FormatProblem } from "./operator.ts";

type CreateField = (
  name: string,
  argument: string | undefined,
  length: number | undefined,
) => Field;

/** `COALESCE({"operators": […]})`: the first of several operators that reads something. */
export function createCoalesce(argument: string, create: CreateField): Field {
  const fields = readOperators(argument).map((entry, at) => {
    try {
      return createEntry(entry, create);
    } catch (error) {
      if (!(error instanceof FormatProblem)) throw error;
      const what = `COALESCE: failed to parse operator at index ${at}: ${error.message}`;
      throw new FormatProblem(what);
    }
  });
  return (info) => {
    for (const field of fields) {
      const value = field(info);
      if (value !== undefined && value !== null && value !== "") return value;
    }
    return undefined;
  };
}

function readOperators(argument: string): readonly unknown[] {
  let config: unknown;
  try {
    config = JSON.parse(argument);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new FormatProblem(`COALESCE: failed to parse JSON configuration: ${cause}`);
  }
  if (!isObject(config) || !("operators" in config)) {
    throw new FormatProblem("COALESCE: JSON configuration must contain 'operators' array");
  }
  const { operators } = config;
  if (!Array.isArray(operators)) {
    throw new FormatProblem("COALESCE: 'operators' must be an array");
  }
  if (operators.length === 0) {
    throw new FormatProblem("COALESCE: 'operators' array must not be empty");
  }
  return operators;
}

function createEntry(entry: unknown, create: CreateField): Field {
  if (typeof entry === "string") return createKnown(entry, undefined, undefined, create);
  if (!isObject(entry)) {
    throw new FormatProblem(
      "operator entry must be either a string (command name) or an object with 'command' field",
    );
  }
  const { command, param, max_length: length } = entry;
  if (typeof command !== "string") {
    throw new FormatProblem("operator object must have 'command' field");
  }
  if (param !== undefined && typeof param !== "string") {
    throw new FormatProblem("'param' must be a string");
  }
  if (
    length !== undefined &&
    !(typeof length === "number" && Number.isInteger(length) && length >= 0)
  ) {
    throw new FormatProblem("'max_length' must be a non-negative integer");
  }
  return createKnown(command, param, length, create);
}

function createKnown(
  command: string,
  param: string | undefined,
  length: number | undefined,
  create: CreateField,
): Field {
  try {
    return create(command, param, length);
  } catch (error) {
    if (!(error instanceof FormatProblem) || !error.message.startsWith("Not supported field")) {
      throw error;
    }
    throw new FormatProblem(`unknown command: '${command}'`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
