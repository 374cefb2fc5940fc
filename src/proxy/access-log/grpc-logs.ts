import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  Client,
  type ClientWritableStream,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { Node } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  StreamAccessLogsMessage_IdentifierSchema,
  StreamAccessLogsMessageSchema,
} from "../../api/gen/envoy/service/accesslog/v3/als_pb.js";
import type { Clock, Timer } from "../../base/clock.ts";
import { formatHostPort } from "../../base/ip.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { CounterGroups } from "../counters.ts";
import type { AccessLog, GrpcSink } from "./access-log.ts";

const METHOD = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
/** Where a log asks for no bound of its own, this is it. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** How long the last entries get when the proxy ends. */
const CLOSE_MS = 1000;

/** By Envoy's names. Those that a log writes are counted for requests only, as there. */
const GRPC_LOG_STATS = {
  grpc_entries_flush_failed: 0,
  grpc_entries_flushed: 0,
  logs_dropped: 0,
  logs_written: 0,
};
const STATS_PREFIX = "access_logs.grpc_access_log";

/** What logs to services need. */
export interface GrpcLogDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: Node;
  readonly counters: CounterGroups;
  readonly findCluster: (name: string) => Cluster | undefined;
}

/** Logs to services by gRPC: one stream for each log, whose entries are sent together. */
export class GrpcLogs {
  readonly #deps: GrpcLogDeps;
  readonly #senders = new Map<string, EntrySender>();

  constructor(deps: GrpcLogDeps) {
    this.#deps = deps;
  }

  /** Logs of one name to one service share a stream, whatever listeners they are of. */
  open(sink: GrpcSink): AccessLog {
    const { cluster, authority, logName, isTcp, flushMs, bufferBytesMax } = sink;
    const key = JSON.stringify([cluster, authority, logName, isTcp, flushMs, bufferBytesMax]);
    const sender = this.#senders.get(key) ?? new EntrySender(sink, this.#deps);
    this.#senders.set(key, sender);
    return { log: (info) => sender.add(() => sink.encode(info)) };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#senders.values()].map((sender) => sender.close()));
  }
}

type Stream = ClientWritableStream<Buffer>;

/**
 * Collects the entries of one log and sends them. While the service cannot be reached they wait, as
 * many as its buffer takes; more are dropped and counted.
 */
class EntrySender {
  readonly #sink: GrpcSink;
  readonly #deps: GrpcLogDeps;
  readonly #stats: typeof GRPC_LOG_STATS;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #timer: Timer | undefined = undefined;
  #client: Client | undefined = undefined;
  #stream: Stream | undefined = undefined;
  #isNamed = false;
  /** Each connection is to the next of the cluster's hosts. */
  #attempts = 0;
  /** What was last said of the service in weft's own log. */
  #problem = "";

  constructor(sink: GrpcSink, deps: GrpcLogDeps) {
    this.#sink = sink;
    this.#deps = deps;
    this.#stats = deps.counters.get(STATS_PREFIX, GRPC_LOG_STATS);
  }

  add(encode: () => Uint8Array): void {
    const { bufferBytesMax, isTcp } = this.#sink;
    const isFull = this.#waitingBytes >= (bufferBytesMax || WAITING_BYTES_MAX);
    if (isFull && !this.#flush()) {
      this.#stats.logs_dropped++;
      return;
    }
    if (!isTcp) this.#stats.logs_written++;
    const entry = encode();
    this.#waiting.push(entry);
    this.#waitingBytes += entry.length;
    if (this.#waitingBytes >= bufferBytesMax) this.#flush();
    if (this.#waiting.length > 0) this.#flushLater();
  }

  #flushLater(): void {
    this.#timer ??= this.#deps.clock.setTimer(this.#sink.flushMs, () => {
      this.#timer = undefined;
      if (!this.#flush()) this.#flushLater();
    });
  }

  /** Hands over what waits; false when that has to wait. */
  #flush(): boolean {
    if (this.#waiting.length === 0) return true;
    const stream = this.#stream ?? this.#start();
    if (stream === undefined || stream.writableNeedDrain) return false;
    stream.write(this.#message());
    this.#stats.grpc_entries_flushed += this.#waiting.length;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return true;
  }

  /** One message with all that waits; the first one of a stream says whose log it is. */
  #message(): Buffer {
    const { isTcp, logName } = this.#sink;
    const writer = new BinaryWriter();
    if (!this.#isNamed) {
      const identifier = create(StreamAccessLogsMessage_IdentifierSchema, {
        node: this.#deps.node,
        logName,
      });
      writer.raw(
        toBinary(
          StreamAccessLogsMessageSchema,
          create(StreamAccessLogsMessageSchema, { identifier }),
        ),
      );
      this.#isNamed = true;
    }
    const { httpLogs, tcpLogs } = StreamAccessLogsMessageSchema.field;
    writer.tag((isTcp ? tcpLogs : httpLogs).number, WireType.LengthDelimited).fork();
    for (const entry of this.#waiting) writer.tag(1, WireType.LengthDelimited).bytes(entry);
    return Buffer.from(writer.join().finish());
  }

  /** A stream, once its connection stands; until then entries wait here. */
  #start(): Stream | undefined {
    this.#client ??= this.#connect();
    const client = this.#client;
    if (client === undefined) return undefined;
    const state = client.getChannel().getConnectivityState(true);
    if (state === connectivityState.TRANSIENT_FAILURE) {
      this.#tell("cannot be reached");
      this.#drop(client);
      return undefined;
    }
    if (state !== connectivityState.READY) return undefined;
    this.#problem = "";
    return this.#open(client);
  }

  #open(client: Client): Stream {
    const stream: Stream = client.makeClientStreamRequest(
      METHOD,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      new Metadata(),
      (error: ServiceError | null) => {
        if (this.#stream !== stream) return;
        if (error !== null) this.#tell(error.message);
        this.#stream = undefined;
        this.#isNamed = false;
        this.#drop(client);
      },
    );
    this.#stream = stream;
    return stream;
  }

  #drop(client: Client): void {
    client.close();
    if (this.#client === client) this.#client = undefined;
  }

  #connect(): Client | undefined {
    const { findCluster } = this.#deps;
    const cluster = findCluster(this.#sink.cluster);
    const hosts = cluster?.hosts ?? [];
    const host = hosts[this.#attempts++ % hosts.length];
    if (cluster === undefined || host === undefined) {
      this.#fail(`the cluster ${cluster === undefined ? "is not there" : "has no host"}`);
      return undefined;
    }
    if (cluster.load.transports?.for(host.state.metadata) !== undefined) {
      this.#fail("the cluster speaks TLS, which is not supported yet");
      return undefined;
    }
    const { address, port } = host;
    const target = address.startsWith("/") ? `unix:${address}` : formatHostPort(address, port);
    const { authority } = this.#sink;
    return new Client(target, credentials.createInsecure(), {
      "grpc.enable_retries": 0,
      ...(authority !== "" && { "grpc.default_authority": authority }),
    });
  }

  /** Nobody can take them: like Envoy's, they are lost. */
  #fail(problem: string): void {
    this.#tell(problem);
    this.#stats.grpc_entries_flush_failed += this.#waiting.length;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** Says it when it begins, not with each entry. */
  #tell(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { cluster, logName } = this.#sink;
    this.#deps.log.warn("access log service fails", { cluster, log: logName, cause: problem });
  }

  /** Sends what waits, where there is a connection, and ends. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#flush();
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined) {
      const ended = new AbortController();
      stream.once("finish", () => ended.abort());
      stream.once("status", () => ended.abort());
      stream.end();
      await this.#deps.clock.sleep(CLOSE_MS, ended.signal);
      stream.cancel();
    }
    this.#client?.close();
  }
}
