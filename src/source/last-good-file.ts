import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { decodeObject } from "../config/decode.ts";
import type { PlacedObject } from "./folder-state.ts";

/** Changes when the form does; a file in another form counts as missing. */
const FORM = 1;

/** Objects of a folder by file. */
type Contents = ReadonlyMap<string, readonly PlacedObject[]>;

interface Stored {
  readonly form: number;
  readonly files: Readonly<
    Record<string, readonly { readonly line: number; readonly object: unknown }[]>
  >;
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
    Object.entries(stored.files).map(([file, entries]) => [
      file,
      entries.flatMap(({ line, object: raw }) => {
        const decoded = decodeObject(raw);
        return decoded.ok ? [{ object: decoded.value, origin: { file, line } }] : [];
      }),
    ]),
  );
}

/** Writes them whole or not at all, for the owner's eyes only: secrets may be among them. */
export async function writeLastGood(path: string, contents: Contents): Promise<void> {
  const files = Object.fromEntries(
    [...contents]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([file, objects]) => [
        file,
        objects.map(({ object, origin }) => ({ line: origin.line, object })),
      ]),
  );
  const stored: Stored = { form: FORM, files };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.new`;
  await writeFile(aside, JSON.stringify(stored), { mode: 0o600 });
  await rename(aside, path);
}
