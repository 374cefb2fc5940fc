import { isUtf8 } from "node:buffer";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CliError, type CommandIo } from "./command.ts";

/** The flags of commands that read objects from files. */
export const FILE_FLAGS = {
  filename: {
    short: "f",
    value: "FILE",
    multiple: true,
    help: "file, folder or - for standard input; may be repeated",
  },
  recursive: { short: "R", help: "look into the folders of a folder too" },
} as const;

/** One text that was read; `-` is named `STDIN`. */
export interface ManifestFile {
  readonly file: string;
  readonly text: string;
  /** Why it has no text; it costs only itself. */
  readonly problem?: string;
}

const EXTENSION = /\.(?:ya?ml|json)$/;
const FILE_BYTES_MAX = 16 * 1024 * 1024;
const FILES_MAX = 10_000;

/** Reads what `-f` names, folders in the order of their names. Throws a `CliError` on what cannot be read. */
export async function readManifestFiles(
  flags: { readonly filename: readonly string[]; readonly recursive: boolean },
  io: CommandIo,
): Promise<readonly ManifestFile[]> {
  if (flags.filename.length === 0) throw new CliError("say from where: -f FILE, -f DIR or -f -");
  const files: ManifestFile[] = [];
  for (const name of flags.filename) {
    if (name === "-") {
      files.push({ file: "STDIN", text: await io.stdin() });
    } else if (/^https?:\/\//i.test(name)) {
      throw new CliError(
        `${name}: weft reads files only; fetch it first: curl -fsSL ${name} | weft apply -f -`,
      );
    } else {
      for (const file of listFiles(name, flags.recursive)) {
        files.push(readFile(file));
      }
    }
  }
  return files;
}

function listFiles(path: string, isRecursive: boolean): readonly string[] {
  if (!stat(path).isDirectory()) return [path];
  const files = walk(path, isRecursive);
  if (files.length > 0) return files;
  const hint = isRecursive ? "" : " (-R looks into its folders)";
  throw new CliError(`${path} has no .yaml, .yml or .json file${hint}`);
}

function walk(folder: string, isRecursive: boolean): readonly string[] {
  const files: string[] = [];
  const entries = readdirSync(folder, { withFileTypes: true });
  entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    // By what it leads to, so that a link to a file counts and a circle of folders does not.
    if (entry.isDirectory()) {
      if (isRecursive) files.push(...walk(path, true));
    } else if (EXTENSION.test(entry.name) && stat(path).isFile()) files.push(path);
    if (files.length > FILES_MAX) throw new CliError(`${folder} has more than ${FILES_MAX} files`);
  }
  return files;
}

function stat(path: string): ReturnType<typeof statSync> & object {
  try {
    return statSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readFile(file: string): ManifestFile {
  try {
    if (stat(file).size > FILE_BYTES_MAX) {
      return { file, text: "", problem: `is larger than ${FILE_BYTES_MAX} bytes` };
    }
    const bytes = readFileSync(file);
    const problem = whyNotText(bytes);
    return problem === undefined
      ? { file, text: bytes.toString("utf8") }
      : { file, text: "", problem };
  } catch (error) {
    throw error instanceof CliError ? error : unreadable(file, error);
  }
}

function whyNotText(bytes: Buffer): string | undefined {
  const [first, second] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (isUtf16) return "is UTF-16: save it as UTF-8";
  return isUtf8(bytes) && !bytes.includes(0) ? undefined : "is not text in UTF-8";
}

function unreadable(path: string, error: unknown): CliError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new CliError(
    code === "ENOENT" ? `no such file: ${path}` : `cannot read ${path}: ${message}`,
  );
}
