import type { StreamInfo } from "../../match/stream-info.ts";

/** Writes what is known of a stream as one entry, with its line end if it has one. */
export type EntryFormat = (info: StreamInfo) => string;

/** Whether a stream is logged. */
export type LogFilter = (info: StreamInfo) => boolean;

/** Where an access log goes, what it writes there, and about which streams. */
export interface AccessLogConfig {
  /** A file, or "/dev/stdout", "/dev/stderr". */
  readonly path: string;
  readonly format: EntryFormat;
  /** Absent: all of them. */
  readonly filter?: LogFilter;
}

/** One configured log: takes what is known of a stream that ended, keeps nothing of it. */
export interface AccessLog {
  log(info: StreamInfo): void;
}
