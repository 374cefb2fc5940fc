import type { NodeInfo, StreamInfo } from "../../match/stream-info.ts";
import type { OnFault } from "../fault-log.ts";
import type { Collector } from "../tracing/cluster-sender.ts";

/** Writes what is known of a stream as one entry, with its line end if it has one. */
export type EntryFormat = (info: StreamInfo) => string;

/** Whether a stream is logged. */
export type LogFilter = (info: StreamInfo) => boolean;

/** Lines in a file. */
export interface FileSink {
  readonly kind: "file";
  /** A file, or "/dev/stdout", "/dev/stderr". */
  readonly path: string;
  readonly format: EntryFormat;
}

/** Messages to a service that takes them by gRPC (Envoy, "gRPC Access Log Service"). */
export interface GrpcSink {
  readonly kind: "grpc";
  readonly logName: string;
  /** The cluster of the service. */
  readonly cluster: string;
  /** What it is called in `:authority`; "" for its host's address. */
  readonly authority: string;
  /** Whether its messages are about connections; else about requests. */
  readonly isTcp: boolean;
  /** How long an entry waits for others, and how many bytes wait at most; 0 sends each at once. */
  readonly flushMs: number;
  readonly bufferBytesMax: number;
  /** The entry as it goes over the wire. */
  readonly encode: (info: StreamInfo) => Uint8Array;
}

/** Records to a collector of OpenTelemetry's. */
export interface OtelSink {
  readonly kind: "otel";
  /** Of its configuration: one with the same shares its reports. */
  readonly digest: string;
  readonly collector: Collector;
  /** Behind Envoy's own prefix of statistics; "" for none. */
  readonly statPrefix: string;
  /** How long a record waits for others, and how many bytes make a report. */
  readonly flushMs: number;
  readonly bufferBytesMax: number;
  /** What all records are about, as it goes over the wire. */
  readonly resource: (node: NodeInfo) => Uint8Array;
  readonly encode: (info: StreamInfo) => Uint8Array;
}

/** Where an access log goes, what it writes there, and about which streams. */
export interface AccessLogConfig {
  readonly sink: FileSink | GrpcSink | OtelSink;
  /** Absent: all of them. */
  readonly filter?: LogFilter;
}

/** One configured log: takes what is known of a stream that ended, keeps nothing of it. */
export interface AccessLog {
  log(info: StreamInfo): void;
}

/** Writes to each log; one that throws keeps the others from nothing. */
export function logToAll(logs: readonly AccessLog[], info: StreamInfo, onFault: OnFault): void {
  for (const log of logs) {
    try {
      log.log(info);
    } catch (error) {
      onFault(error);
    }
  }
}

/** What makes logs of their configuration. */
export interface LogOpener {
  open(config: AccessLogConfig): AccessLog;
}
