import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { decodeObject } from "../config/decode.ts";
import type { PlacedObject } from "./folder-state.ts";

/** Changes when the form does; a file in another form counts as missing. */
const FORM = 1;

/** Objects of a folder by file. */
type Contents = ReadonlyMap<string, readonly PlacedObject[]>;

/** One object and the line that it stood in. */
export interface StoredObject {
  readonly line: number;
  readonly object: unknown;
}

interface Stored {
  readonly form: number;
  readonly files: Readonly<Record<string, readonly StoredObject[]>>;
}

/**
 * Reads the last good objects of an earlier run; nothing when there was none. What this version
 * would refuse is left out. Rejects when the file is there and cannot be used.
 */
export async function readLastGood(path: string): Promise<Contents> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
  const stored = JSON.parse(text) as Partial<Stored>;
  if (stored.form !== FORM || stored.files === undefined) return new Map();
  return new Map(
    Object.entries(stored.files).map(([file, entries]) => [file, fromStored(file, entries)]),
  );
}

/**
 * Writes them whole or not at all, for the owner's eyes only: secrets may be among them. What was
 * written.
 */
export async function writeLastGood(path: string, contents: Contents): Promise<string> {
  const files = Object.fromEntries(
    [...contents]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([file, objects]) => [file, objects.map(toStored)]),
  );
  const stored: Stored = { form: FORM, files };
  const text = JSON.stringify(stored);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.new`;
  await writeFile(aside, text, { mode: 0o600 });
  await rename(aside, path);
  return text;
}

/** The form in which an object is kept. */
export function toStored({ object, origin }: PlacedObject): StoredObject {
  return { line: origin.line, object };
}

/** The objects of a file as they were kept, without what this version would refuse. */
export function fromStored(
  file: string,
  entries: readonly StoredObject[],
): readonly PlacedObject[] {
  return entries.flatMap(({ line, object: raw }) => {
    const decoded = decodeObject(raw);
    return decoded.ok ? [{ object: decoded.value, origin: { file, line } }] : [];
  });
}
