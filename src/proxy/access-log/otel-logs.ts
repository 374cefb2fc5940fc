import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  ResourceLogsSchema,
  ScopeLogsSchema,
} from "../../api/gen/opentelemetry/proto/logs/v1/logs_pb.js";
import type { Timer } from "../../base/clock.ts";
import type { ProxyContext } from "../context.ts";
import { ClusterSender } from "../tracing/cluster-sender.ts";
import type { AccessLog, OtelSink } from "./access-log.ts";

/** By Envoy's names, of which it does not count those of `grpc_entries` either. */
const ZERO = { logs_dropped: 0, logs_written: 0 };
const ZERO_GRPC = { ...ZERO, grpc_entries_flush_failed: 0, grpc_entries_flushed: 0 };

/** How long the last reports get when the proxy ends. */
const CLOSE_MS = 1000;

/** Logs to OpenTelemetry collectors. */
export class OtelLogs {
  readonly #context: ProxyContext;
  readonly #senders = new Map<string, RecordSender>();

  constructor(context: ProxyContext) {
    this.#context = context;
  }

  /** Logs that say the same of where and how share their reports. */
  open(sink: OtelSink): AccessLog {
    const sender = this.#senders.get(sink.digest) ?? new RecordSender(sink, this.#context);
    this.#senders.set(sink.digest, sender);
    return { log: (info) => sender.add(sink.encode(info)) };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#senders.values()].map((sender) => sender.close()));
  }
}

/**
 * Collects the records of one log and sends them as reports. No more waits than one report has, and
 * the cluster's circuit breakers bound how many are under way: what cannot be sent is dropped.
 */
class RecordSender {
  readonly #sink: OtelSink;
  readonly #context: ProxyContext;
  readonly #sender: ClusterSender;
  readonly #stats: typeof ZERO;
  readonly #resource: Uint8Array;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #timer: Timer | undefined = undefined;
  #underWay = 0;
  #onIdle: (() => void) | undefined = undefined;

  constructor(sink: OtelSink, context: ProxyContext) {
    this.#sink = sink;
    this.#context = context;
    this.#resource = sink.resource(context.node);
    this.#sender = new ClusterSender(context, sink.collector);
    const prefix = "access_logs.open_telemetry_access_log";
    this.#stats = context.counters.get(
      sink.statPrefix === "" ? prefix : `${prefix}.${sink.statPrefix}`,
      sink.collector.isGrpc ? ZERO_GRPC : ZERO,
    );
  }

  add(record: Uint8Array): void {
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
    if (this.#waitingBytes >= this.#sink.bufferBytesMax) return this.#flush();
    this.#timer ??= this.#context.clock.setTimer(this.#sink.flushMs, () => this.#flush());
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const records = this.#waiting;
    if (records.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#underWay++;
    this.#sender.send(this.#report(records), (outcome) => {
      this.#underWay--;
      if (outcome === "taken") this.#stats.logs_written += records.length;
      else this.#stats.logs_dropped += records.length;
      if (this.#underWay === 0) this.#onIdle?.();
    });
  }

  /** An `ExportLogsServiceRequest` of records that are encoded already. */
  #report(records: readonly Uint8Array[]): Uint8Array {
    const { resource, scopeLogs } = ResourceLogsSchema.field;
    const writer = new BinaryWriter();
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(resource.number, WireType.LengthDelimited).bytes(this.#resource);
    writer.tag(scopeLogs.number, WireType.LengthDelimited).fork();
    const { number } = ScopeLogsSchema.field.logRecords;
    for (const record of records) writer.tag(number, WireType.LengthDelimited).bytes(record);
    return writer.join().join().finish();
  }

  /** Sends what waits, and gives what is under way a moment. */
  async close(): Promise<void> {
    this.#flush();
    if (this.#underWay > 0) {
      const ended = new AbortController();
      this.#onIdle = () => ended.abort();
      await this.#context.clock.sleep(CLOSE_MS, ended.signal);
    }
    this.#sender.close();
  }
}
