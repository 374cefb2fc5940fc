import { appendFile } from "node:fs";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { AccessLog, LogEntry } from "./access-log.ts";
import type { EntryFormat } from "./format.ts";

/** Where an access log goes, and what it writes there. */
export interface AccessLogConfig {
  /** A file, or "/dev/stdout", "/dev/stderr". */
  readonly path: string;
  readonly format: EntryFormat;
}

/** Lines wait so long for others; Envoy's own default is ten seconds. */
const FLUSH_MS = 250;
const FLUSH_LENGTH = 65_536;
/** Past this, lines are dropped: a full disk must not fill the memory. */
const WAITING_LENGTH_MAX = 16 * 1024 * 1024;

/** Takes text for standard output or error. */
export type StreamWriter = (stream: "stdout" | "stderr", text: string) => void;

/** The access logs of one proxy: one writer for each file, however many listeners use it. */
export class LogFiles {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #writeStream: StreamWriter;
  readonly #files = new Map<string, LogFile>();

  constructor(clock: Clock, log: Logger, writeStream: StreamWriter) {
    this.#clock = clock;
    this.#log = log;
    this.#writeStream = writeStream;
  }

  open({ path, format }: AccessLogConfig): AccessLog {
    let file = this.#files.get(path);
    if (file === undefined) {
      file = new LogFile(this.#clock, this.#writerOf(path));
      this.#files.set(path, file);
    }
    const target = file;
    return { log: (entry: LogEntry) => target.write(format(entry)) };
  }

  #writerOf(path: string): (text: string, done: () => void) => void {
    if (path === "/dev/stdout" || path === "/dev/stderr") {
      const stream = path === "/dev/stdout" ? "stdout" : "stderr";
      return (text, done) => {
        this.#writeStream(stream, Buffer.from(text, "latin1").toString("utf8"));
        done();
      };
    }
    return (text, done) =>
      appendFile(path, text, "latin1", (error) => {
        if (error !== null)
          this.#log.warn("cannot write access log", { path, cause: error.message });
        done();
      });
  }

  /** Writes out what waits; resolves when it is on its way to the files. */
  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()));
  }
}

class LogFile {
  readonly #clock: Clock;
  readonly #writer: (text: string, done: () => void) => void;
  #waiting = "";
  #timer: Timer | undefined = undefined;
  #isWriting = false;
  #onIdle: (() => void) | undefined = undefined;

  constructor(clock: Clock, writer: (text: string, done: () => void) => void) {
    this.#clock = clock;
    this.#writer = writer;
  }

  write(line: string): void {
    if (this.#waiting.length > WAITING_LENGTH_MAX) return;
    this.#waiting += line;
    if (this.#waiting.length > FLUSH_LENGTH) this.#flush();
    else this.#timer ??= this.#clock.setTimer(FLUSH_MS, () => this.#flush());
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    // One write at a time, or lines could change places.
    if (this.#isWriting || this.#waiting === "") return;
    const text = this.#waiting;
    this.#waiting = "";
    this.#isWriting = true;
    this.#writer(text, () => {
      this.#isWriting = false;
      if (this.#waiting !== "") this.#flush();
      else this.#onIdle?.();
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#flush();
      if (!this.#isWriting && this.#waiting === "") resolve();
    });
  }
}
