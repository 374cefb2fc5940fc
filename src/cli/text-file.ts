import { readFileSync } from "node:fs";
import { CliError } from "./command.ts";

/** The text of a file that a flag names; throws a `CliError` that names both where it cannot be read. */
export function readTextFile(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? `no such file: ${file}` : `cannot read ${file}: ${message}`;
    throw new CliError(`${flag}: ${why}`);
  }
}
