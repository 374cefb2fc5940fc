import { close, open, write } from "node:fs";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { writeLatin1 } from "../net/latin1.ts";
import type { AccessLog, FileSink } from "./access-log.ts";

/** Lines wait so long for others; Envoy's own default is ten seconds. */
const FLUSH_MS = 250;
const FLUSH_BYTES = 65_536;
/** Past this, lines are dropped: a full disk must not fill the memory. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** Takes text for standard output or error. */
export type StreamWriter = (stream: "stdout" | "stderr", text: string) => void;

/** What is counted of all files, by Envoy's names under `filesystem.`. */
export interface FileStats {
  flushed_by_timer: number;
  reopen_failed: number;
  write_buffered: number;
  write_completed: number;
  /** A write that failed, and a line that was dropped because too many wait. */
  write_failed: number;
  /** Bytes that wait. */
  write_total_buffered: number;
}

/** Writes all bytes somewhere, and says whether that went well; they stay as they are until then. */
interface Target {
  write(bytes: Buffer, done: (cause: string | undefined) => void): void;
  /** What is written from now on goes to whatever the path names by then. */
  reopen(): void;
  close(): void;
}

/** The access logs of one proxy: one writer for each file, however many listeners use it. */
export class LogFiles {
  readonly stats: FileStats = {
    flushed_by_timer: 0,
    reopen_failed: 0,
    write_buffered: 0,
    write_completed: 0,
    write_failed: 0,
    write_total_buffered: 0,
  };
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #writeStream: StreamWriter;
  readonly #files = new Map<string, LogFile>();

  constructor(clock: Clock, log: Logger, writeStream: StreamWriter) {
    this.#clock = clock;
    this.#log = log;
    this.#writeStream = writeStream;
  }

  open({ path, format }: FileSink): AccessLog {
    const file = this.#file(path);
    return { log: (info) => file.write(format(info)) };
  }

  /** Takes lines with their ends, in UTF-8. */
  writer(path: string): (line: string) => void {
    const file = this.#file(path);
    return (line) => file.write(Buffer.from(line, "utf8").toString("latin1"));
  }

  #file(path: string): LogFile {
    let file = this.#files.get(path);
    if (file === undefined) {
      file = new LogFile(this.#clock, this.stats, this.#target(path), (cause) =>
        this.#log.warn("cannot write access log", { path, cause }),
      );
      this.#files.set(path, file);
    }
    return file;
  }

  #target(path: string): Target {
    if (path !== "/dev/stdout" && path !== "/dev/stderr") return new FileTarget(path, this.stats);
    const stream = path === "/dev/stdout" ? "stdout" : "stderr";
    return {
      write: (bytes, done) => {
        this.#writeStream(stream, bytes.toString("utf8"));
        done(undefined);
      },
      reopen: () => undefined,
      close: () => undefined,
    };
  }

  /** Opens every file anew, so that one that was moved away is left alone from now on. */
  reopen(): void {
    for (const file of this.#files.values()) file.reopen();
  }

  /** Writes out what waits; resolves when it is on its way to the files. */
  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()));
  }
}

/** A file that is opened by its first write, and kept open. */
class FileTarget implements Target {
  readonly #path: string;
  readonly #stats: FileStats;
  #fd: number | undefined = undefined;
  /** Opened anew before the next write. */
  #isStale = false;

  constructor(path: string, stats: FileStats) {
    this.#path = path;
    this.#stats = stats;
  }

  write(bytes: Buffer, done: (cause: string | undefined) => void): void {
    if (this.#fd !== undefined && !this.#isStale) return writeAll(this.#fd, bytes, done);
    open(this.#path, "a", (error, fd) => {
      if (error === null) this.close();
      else if (this.#isStale) this.#stats.reopen_failed++;
      this.#isStale = false;
      if (error === null) this.#fd = fd;
      // Without a new one, the old file is better than none.
      if (this.#fd === undefined) done(error?.message);
      else writeAll(this.#fd, bytes, done);
    });
  }

  reopen(): void {
    this.#isStale = this.#fd !== undefined;
  }

  close(): void {
    if (this.#fd !== undefined) close(this.#fd, () => undefined);
    this.#fd = undefined;
  }
}

function writeAll(fd: number, bytes: Buffer, done: (cause: string | undefined) => void): void {
  const next = (from: number): void => {
    write(fd, bytes, from, bytes.length - from, null, (error, written) => {
      if (error !== null) done(error.message);
      else if (from + written < bytes.length) next(from + written);
      else done(undefined);
    });
  };
  next(0);
}

/**
 * Lines wait as bytes: as text, each would be the many pieces that it was put together of, which the
 * garbage collector would move about until they are written.
 */
class LogFile {
  readonly #clock: Clock;
  readonly #stats: FileStats;
  readonly #target: Target;
  readonly #onFailure: (cause: string) => void;
  /** Filled up to `#filled`; there is none before the first line. */
  #lines: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** What was full before `#lines`, in order. */
  #full: Buffer[] = [];
  #waitingBytes = 0;
  /** What was written, for the next lines. */
  #spare: Buffer | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #isWriting = false;
  #isFailing = false;
  #onIdle: (() => void) | undefined = undefined;

  constructor(clock: Clock, stats: FileStats, target: Target, onFailure: (cause: string) => void) {
    this.#clock = clock;
    this.#stats = stats;
    this.#target = target;
    this.#onFailure = onFailure;
  }

  /** One byte for each character. */
  write(line: string): void {
    if (this.#waitingBytes > WAITING_BYTES_MAX) {
      this.#stats.write_failed++;
      return;
    }
    if (line.length > this.#lines.length - this.#filled) this.#makeRoom(line.length);
    writeLatin1(this.#lines, line, this.#filled);
    this.#filled += line.length;
    this.#waitingBytes += line.length;
    this.#stats.write_buffered++;
    this.#stats.write_total_buffered += line.length;
    if (this.#waitingBytes > FLUSH_BYTES) this.#flush();
    else this.#timer ??= this.#clock.setTimer(FLUSH_MS, () => this.#onTimer());
  }

  /** A line is never split, as what goes to standard output is read as text piece by piece. */
  #makeRoom(bytes: number): void {
    if (this.#filled > 0) this.#full.push(this.#lines.subarray(0, this.#filled));
    this.#filled = 0;
    const spare = bytes > FLUSH_BYTES ? undefined : this.#spare;
    this.#lines = spare ?? Buffer.allocUnsafeSlow(Math.max(bytes, FLUSH_BYTES));
    if (spare !== undefined) this.#spare = undefined;
  }

  #onTimer(): void {
    this.#stats.flushed_by_timer++;
    this.#flush();
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    // One write at a time, or lines could change places.
    if (this.#isWriting || this.#waitingBytes === 0) return;
    const bytes = this.#full.shift() ?? this.#takeLines();
    this.#waitingBytes -= bytes.length;
    this.#isWriting = true;
    this.#target.write(bytes, (cause) => {
      this.#isWriting = false;
      this.#stats.write_total_buffered -= bytes.length;
      const { buffer } = bytes;
      if (buffer.byteLength === FLUSH_BYTES) this.#spare = Buffer.from(buffer);
      this.#count(cause);
      if (this.#waitingBytes > 0) this.#flush();
      else this.#onIdle?.();
    });
  }

  #takeLines(): Buffer {
    const bytes = this.#lines.subarray(0, this.#filled);
    this.#lines = Buffer.alloc(0);
    this.#filled = 0;
    return bytes;
  }

  /** Says that a file cannot be written when that begins, not with each line. */
  #count(cause: string | undefined): void {
    if (cause === undefined) this.#stats.write_completed++;
    else this.#stats.write_failed++;
    if (cause !== undefined && !this.#isFailing) this.#onFailure(cause);
    this.#isFailing = cause !== undefined;
  }

  reopen(): void {
    this.#target.reopen();
  }

  close(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#flush();
      if (!this.#isWriting && this.#waitingBytes === 0) resolve();
    }).then(() => this.#target.close());
  }
}
