import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

const BYTES_MAX = 10 * 1024 * 1024;

/** Appends lines to a file of the owner's; at its limit it becomes `FILE.1` and is begun anew. */
export class LogFile {
  readonly #file: string;
  #bytes: number;

  constructor(file: string) {
    this.#file = file;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Says whether it was written: a full disk must not end whoever has something to say. */
  write(line: string): boolean {
    try {
      if (this.#bytes > BYTES_MAX) {
        renameSync(this.#file, `${this.#file}.1`);
        this.#bytes = 0;
      }
      const text = `${line}\n`;
      appendFileSync(this.#file, text, { mode: 0o600 });
      this.#bytes += Buffer.byteLength(text);
      return true;
    } catch {
      return false;
    }
  }
}
