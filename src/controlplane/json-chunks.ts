/** A list whose elements are made one by one while it is written, because all at once are too many. */
export class JsonList {
  readonly elements: () => Iterable<unknown>;

  constructor(elements: () => Iterable<unknown>) {
    this.elements = elements;
  }
}

/** An object whose members are made one by one while it is written. */
export class JsonRecord {
  readonly members: () => Iterable<readonly [string, unknown]>;

  constructor(members: () => Iterable<readonly [string, unknown]>) {
    this.members = members;
  }
}

/**
 * JSON in pieces: what stands in no `JsonList` and no `JsonRecord` is one piece. Those may stand in
 * each other, but not inside of plain values. `indent` is for people; 0 writes everything in one line.
 */
export function* jsonChunks(value: unknown, indent: number, depth = 0): Generator<string> {
  const isList = value instanceof JsonList;
  if (!isList && !(value instanceof JsonRecord)) {
    yield plainJson(value, indent, depth);
    return;
  }
  const inner = lineStart(indent, depth + 1);
  let isEmpty = true;
  yield isList ? "[" : "{";
  for (const [name, member] of isList ? unnamed(value.elements()) : value.members()) {
    // As `JSON.stringify` has it: there is no member without a value.
    if (!isList && member === undefined) continue;
    yield `${isEmpty ? "" : ","}${inner}${isList ? "" : nameJson(name, indent)}`;
    yield* jsonChunks(member, indent, depth + 1);
    isEmpty = false;
  }
  yield `${isEmpty ? "" : lineStart(indent, depth)}${isList ? "]" : "}"}`;
}

function* unnamed(elements: Iterable<unknown>): Generator<readonly [string, unknown]> {
  for (const element of elements) yield ["", element];
}

function nameJson(name: string, indent: number): string {
  return `${JSON.stringify(name)}:${indent === 0 ? "" : " "}`;
}

function lineStart(indent: number, depth: number): string {
  return indent === 0 ? "" : `\n${" ".repeat(indent * depth)}`;
}

function plainJson(value: unknown, indent: number, depth: number): string {
  const text = JSON.stringify(value, replaced, indent) ?? "null";
  return indent === 0 || depth === 0
    ? text
    : text.replaceAll("\n", `\n${" ".repeat(indent * depth)}`);
}

/** Maps and sets have no members of their own that JSON could show. */
function replaced(_name: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return value;
}
