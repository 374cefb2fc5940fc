import type { Document, Node, Pair, ParsedNode } from "yaml";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import type { Issue } from "../base/issue.ts";
import { formatIssue, isError } from "../base/issue.ts";
import type { DecodeOptions } from "./decode.ts";
import { decodeAs, kindOf } from "./decode.ts";
import { isJsonObject } from "./json.ts";
import type { KubeObject } from "./object.ts";
import { formatKey } from "./object.ts";

/** A file that is larger than this is no configuration. */
const TEXT_LENGTH_MAX = 16 * 1024 * 1024;
/** How often anchors may be repeated in one document; more is an attack ("billion laughs"). */
const ALIASES_MAX = 100;

/** A place in a file; both count from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/** One object as it stands in a file, before anybody looked at what it says. */
export interface YamlObject extends TextPosition {
  readonly raw: unknown;
  readonly file: string;
  /** Where a path of the object (`spec.http[0].fault`) stands, or what is nearest to it. */
  readonly positionOf: (path: string) => TextPosition;
}

/** Something wrong in a file, or, as a warning, merely remarkable. */
export interface FileProblem extends TextPosition {
  readonly file: string;
  /** `Kind/namespace/name`, where it is known. */
  readonly object?: string;
  readonly issue: Issue;
}

/** An object of a file that may be used. */
export interface DecodedObject extends TextPosition {
  readonly object: KubeObject;
  readonly file: string;
}

/** All that a file gives: what is good, and what is wrong with the rest. */
export interface DecodedFile {
  readonly objects: readonly DecodedObject[];
  /** Errors, each of which cost its object, and warnings. */
  readonly problems: readonly FileProblem[];
}

/** How to read objects from a file. */
export interface DecodeYamlOptions extends DecodeOptions {
  /** Given to namespaced objects that do not say one; without it they stay as they are. */
  readonly defaultNamespace?: string;
}

/** `file:line:column: Kind/namespace/name: path: what is wrong`. */
export function formatProblem({ file, line, column, object, issue }: FileProblem): string {
  const subject = object === undefined ? "" : `${object}: `;
  return `${file}:${line}:${column}: ${subject}${formatIssue(issue)}`;
}

/** Reads every object of a YAML or JSON text; a broken document does not hide the others. */
export function decodeYaml(
  text: string,
  file: string,
  options: DecodeYamlOptions = {},
): DecodedFile {
  const { objects, problems: found } = parseYaml(text, file);
  const problems = [...found];
  const decoded: DecodedObject[] = [];
  for (const one of objects) {
    const { raw, line, column, positionOf } = one;
    const kind = kindOf(raw, options.kinds);
    const name = nameOf(raw, kind.ok && kind.value.isNamespaced ? options.defaultNamespace : "");
    const result = kind.ok ? decodeAs(kind.value, raw, options) : kind;
    const issues = result.ok ? (result.warnings ?? []) : result.issues;
    for (const issue of issues) {
      const subject = name === undefined ? {} : { object: name };
      problems.push({ file, ...positionOf(issue.path), ...subject, issue });
    }
    if (!result.ok || !kind.ok) continue;
    const object = withNamespace(result.value, kind.value.isNamespaced, options.defaultNamespace);
    decoded.push({ object, file, line, column });
  }
  return { objects: decoded, problems: problems.toSorted((a, b) => a.line - b.line) };
}

/** Splits a text into objects; only its syntax is looked at. Empty documents are none. */
export function parseYaml(
  text: string,
  file: string,
): { readonly objects: readonly YamlObject[]; readonly problems: readonly FileProblem[] } {
  const start = { file, line: 1, column: 1 };
  if (text.length > TEXT_LENGTH_MAX) {
    const message = `must have at most ${TEXT_LENGTH_MAX} characters: got ${text.length}`;
    return { objects: [], problems: [{ ...start, issue: { path: "", message } }] };
  }
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    uniqueKeys: true,
    logLevel: "silent",
  });
  const objects: YamlObject[] = [];
  const problems: FileProblem[] = [];
  for (const document of "empty" in documents ? [] : documents) {
    const errors = document.errors.length > 0 ? explainErrors(document, lines) : [];
    for (const { offset, message } of errors) {
      problems.push({ file, ...positionAt(lines, offset), issue: { path: "", message } });
    }
    if (errors.length > 0) continue;
    const raw = toJson(document);
    if (raw instanceof Error) {
      problems.push({ ...start, issue: { path: "", message: raw.message.toLowerCase() } });
    } else if (raw !== null && document.contents !== null) {
      objects.push(...objectsOf(raw, document.contents, file, lines));
    }
  }
  return { objects, problems };
}

function toJson(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The object of a document, or those of a `List`. */
function objectsOf(
  raw: unknown,
  node: Node,
  file: string,
  lines: LineCounter,
): readonly YamlObject[] {
  if (isJsonObject(raw)) {
    const { kind, items } = raw as { kind?: unknown; items?: unknown };
    const itemNodes = isMap(node) ? node.get("items", true) : undefined;
    if (kind === "List" && Array.isArray(items) && isSeq(itemNodes)) {
      return items.flatMap((item, at) => {
        const itemNode = itemNodes.items[at];
        return objectsOf(item, (itemNode ?? itemNodes) as Node, file, lines);
      });
    }
  }
  const at = positionAt(lines, node.range?.[0] ?? 0);
  const positionOf = (path: string): TextPosition =>
    positionAt(lines, findOffset(node, parsePath(path)) ?? node.range?.[0] ?? 0);
  return [{ raw, file, ...at, positionOf }];
}

/** `spec.http[0].headers[end-user]` as `["spec", "http", "0", "headers", "end-user"]`. */
export function parsePath(path: string): readonly string[] {
  const names: string[] = [];
  for (const match of path.matchAll(/\[(.*?)\](?=[.[]|$)|([^.[]+)/g)) {
    names.push(match[1] ?? match[2] ?? "");
  }
  return names;
}

/** Where a path's key or list element starts; of a path that leads nowhere, the last part that is there. */
function findOffset(root: Node, names: readonly string[]): number | undefined {
  let node: Node | null = root;
  let offset = root.range?.[0];
  for (const name of names) {
    if (isMap(node)) {
      const pair = (node.items as Pair[]).find(
        ({ key }) => isScalar(key) && String(key.value) === name,
      );
      if (pair === undefined) return offset;
      offset = (pair.key as ParsedNode).range[0];
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      const item = node.items[Number(name)] as Node | undefined;
      if (item === undefined) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else {
      return offset;
    }
    if (isAlias(node)) return offset;
  }
  return offset;
}

interface TextError {
  readonly offset: number;
  readonly message: string;
}

const TOP_LEVEL_KEYS = ["apiVersion", "kind", "metadata", "spec"];

/** The errors of a document, the ones that follow from a forgotten separator as one. */
function explainErrors(document: Document.Parsed, lines: LineCounter): readonly TextError[] {
  const { contents } = document;
  const found: TextError[] = [];
  let isSeparatorMissing = false;
  for (const error of document.errors) {
    const offset = error.pos[0];
    if (error.code !== "DUPLICATE_KEY") {
      found.push({ offset, message: error.message.replace(/^[A-Z](?=[a-z])/, lower) });
      continue;
    }
    const key = isMap(contents) ? keyAt(contents.items as Pair[], offset) : undefined;
    if (key === undefined) {
      found.push({ offset, message: `duplicate key${nestedKey(contents, offset)}` });
    } else if (!isSeparatorMissing || !TOP_LEVEL_KEYS.includes(key.name)) {
      const isObjectStart = TOP_LEVEL_KEYS.includes(key.name);
      isSeparatorMissing ||= isObjectStart;
      const first = positionAt(lines, key.firstOffset).line;
      const hint = isObjectStart ? ', a "---" line is probably missing between two objects' : "";
      found.push({ offset, message: `duplicate key "${key.name}", first on line ${first}${hint}` });
    }
  }
  return found;
}

function lower(letter: string): string {
  return letter.toLowerCase();
}

function keyAt(
  pairs: readonly Pair[],
  offset: number,
): { readonly name: string; readonly firstOffset: number } | undefined {
  const offsetOf = ({ key }: Pair): number => (isScalar(key) ? (key.range?.[0] ?? -1) : -1);
  const pair = pairs.find((one) => offsetOf(one) === offset);
  if (pair === undefined || !isScalar(pair.key)) return undefined;
  const { value } = pair.key;
  const first = pairs.find(({ key }) => isScalar(key) && key.value === value) ?? pair;
  return { name: String(value), firstOffset: offsetOf(first) };
}

/** ` "name"`, of a key somewhere inside. */
function nestedKey(node: unknown, offset: number): string {
  if (isSeq(node)) return node.items.map((item) => nestedKey(item, offset)).find(Boolean) ?? "";
  if (!isMap(node)) return "";
  const pairs = node.items as Pair[];
  const key = keyAt(pairs, offset);
  if (key !== undefined) return ` "${key.name}"`;
  return pairs.map(({ value }) => nestedKey(value, offset)).find(Boolean) ?? "";
}

function positionAt(lines: LineCounter, offset: number): TextPosition {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function withNamespace(
  object: KubeObject,
  isNamespaced: boolean,
  namespace: string | undefined,
): KubeObject {
  const { metadata } = object;
  if (!isNamespaced || namespace === undefined || (metadata.namespace ?? "") !== "") return object;
  return { ...object, metadata: { ...metadata, namespace } };
}

/** How messages name an object that may be anything. */
function nameOf(raw: unknown, defaultNamespace: string | undefined): string | undefined {
  if (!isJsonObject(raw)) return undefined;
  const { kind, metadata } = raw as { kind?: unknown; metadata?: unknown };
  const { name, namespace } = (isJsonObject(metadata) ? metadata : {}) as Record<string, unknown>;
  if (typeof kind !== "string" || typeof name !== "string") return undefined;
  const room = typeof namespace === "string" ? namespace : (defaultNamespace ?? "");
  return formatKey({ group: "", kind, namespace: room, name });
}

/** The errors among problems: what makes a command fail. */
export function errorsOf(problems: readonly FileProblem[]): readonly FileProblem[] {
  return problems.filter(({ issue }) => isError(issue));
}
