import { existsSync, renameSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { copyFile, open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";

/** As kubelet's `containerLogMaxSize`: then the file is moved aside and begun anew. */
export const LOG_BYTES_MAX = 10 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const FOLLOW_POLL_MS = 200;
const NEWLINE = 10;

/** What of a log is wanted, as `kubectl logs` asks. */
export interface ReadLogOptions {
  /** Goes on with what is written later. */
  readonly follow?: boolean;
  /** Only the last lines. */
  readonly tailLines?: number;
  /** The run before this one. */
  readonly previous?: boolean;
  readonly limitBytes?: number;
  readonly signal?: AbortSignal;
}

/** The files of one container's output, in the pod's folder. */
export class ContainerLog {
  readonly #file: string;
  readonly #previousFile: string;
  readonly #rotatedFile: string;

  constructor(directory: string, container: string) {
    this.#file = join(directory, `${container}.log`);
    this.#previousFile = join(directory, `${container}.previous.log`);
    this.#rotatedFile = join(directory, `${container}.1.log`);
  }

  /** Where the next run writes to; what the last one wrote becomes `previous`. */
  beginRun(): string {
    if (existsSync(this.#file)) renameSync(this.#file, this.#previousFile);
    return this.#file;
  }

  /**
   * Keeps the file bounded. The process holds it open for appending, so it is copied and emptied;
   * what is written in between is lost.
   */
  async rotate(bytesMax: number = LOG_BYTES_MAX): Promise<void> {
    const size = await sizeOf(this.#file);
    if (size === undefined || size < bytesMax) return;
    await copyFile(this.#file, this.#rotatedFile);
    await truncate(this.#file, 0);
  }

  /**
   * The output so far and, with `follow`, what comes. A log that does not exist is empty. `isOver`
   * says when nothing will come any more.
   */
  async *read(
    options: ReadLogOptions,
    clock: Clock,
    isOver: () => boolean,
  ): AsyncGenerator<Uint8Array> {
    const file = options.previous === true ? this.#previousFile : this.#file;
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
    let position = await startOf(file, options.tailLines);
    for (;;) {
      // Asked before reading: what is written until then is still read.
      const isLast = options.follow !== true || options.previous === true || isOver();
      for await (const chunk of readFrom(file, position)) {
        position += chunk.length;
        yield chunk.subarray(0, left);
        left -= chunk.length;
        if (left <= 0) return;
      }
      if (isLast || options.signal?.aborted === true) return;
      await clock.sleep(FOLLOW_POLL_MS, options.signal);
      // Rotated, or begun anew by a restart.
      if (((await sizeOf(file)) ?? 0) < position) position = 0;
    }
  }

  /** The end of the output, for messages. */
  async readEnd(bytes: number): Promise<string> {
    const size = (await sizeOf(this.#file)) ?? 0;
    const chunks: Uint8Array[] = [];
    for await (const chunk of readFrom(this.#file, Math.max(0, size - bytes))) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch {
    return undefined;
  }
}

async function* readFrom(file: string, position: number): AsyncGenerator<Uint8Array> {
  const handle = await openIfThere(file);
  if (handle === undefined) return;
  try {
    for (let at = position; ; ) {
      const { bytesRead, buffer } = await handle.read(
        Buffer.alloc(CHUNK_BYTES),
        0,
        CHUNK_BYTES,
        at,
      );
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Where the last `lines` lines begin. */
async function startOf(file: string, lines: number | undefined): Promise<number> {
  if (lines === undefined) return 0;
  const size = (await sizeOf(file)) ?? 0;
  const handle = await openIfThere(file);
  if (handle === undefined) return 0;
  try {
    // The last byte ends the last line and begins no other.
    let missing = lines + 1;
    for (let end = size; end > 0; ) {
      const length = Math.min(CHUNK_BYTES, end);
      const { buffer } = await handle.read(Buffer.alloc(length), 0, length, end - length);
      for (let index = length - 1; index >= 0; index--) {
        const isEnd = end - length + index === size - 1;
        if (buffer[index] !== NEWLINE && !isEnd) continue;
        if (--missing === 0) return end - length + index + 1;
      }
      end -= length;
    }
    return 0;
  } finally {
    await handle.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return undefined;
  }
}
