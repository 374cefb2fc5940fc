import { createRegistry, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Server, ServerCredentials, type ServerReadableStream } from "@grpc/grpc-js";
import {
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
} from "../../src/api/gen/envoy/service/accesslog/v3/als_pb.js";

type Call = ServerReadableStream<StreamAccessLogsMessage, Buffer>;

/** What one stream brought. */
export interface LogStream {
  readonly nodeId: string;
  readonly logName: string;
  readonly entries: JsonValue[];
  /** How many entries each message had. */
  readonly sizes: number[];
}

/** A service that takes access logs, by grpc-js, as Envoy's protocol has it. */
export class LogService {
  readonly streams: LogStream[] = [];
  readonly #server = new Server();
  readonly #calls = new Set<Call>();
  /** Reads nothing while it is true. */
  isStuck = false;
  port = 0;

  /** Port 0 takes a free one. */
  async start(port = 0): Promise<void> {
    const method = {
      path: "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
      requestStream: true as const,
      responseStream: false as const,
      requestSerialize: () => Buffer.alloc(0),
      requestDeserialize: (bytes: Buffer) => fromBinary(StreamAccessLogsMessageSchema, bytes),
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    };
    this.#server.addService(
      { StreamAccessLogs: method },
      {
        StreamAccessLogs: (call: Call) => this.#take(call),
      },
    );
    const bound = new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(
        `127.0.0.1:${port}`,
        ServerCredentials.createInsecure(),
        (error, at) => (error === null ? resolve(at) : reject(error)),
      );
    });
    this.port = await bound;
  }

  #take(call: Call): void {
    this.#calls.add(call);
    if (this.isStuck) return;
    let stream: LogStream | undefined;
    call.on("data", ({ identifier, logEntries }: StreamAccessLogsMessage) => {
      if (identifier !== undefined) {
        const { node, logName } = identifier;
        stream = { nodeId: node?.id ?? "", logName, entries: [], sizes: [] };
        this.streams.push(stream);
      }
      if (stream === undefined || logEntries.case === undefined) return;
      const json = toJson(
        StreamAccessLogsMessageSchema.field[logEntries.case].message ?? never(),
        logEntries.value,
        {
          useProtoFieldName: true,
          registry: createRegistry(StringValueSchema),
        },
      ) as { readonly log_entry: JsonValue[] };
      stream.entries.push(...json.log_entry);
      stream.sizes.push(json.log_entry.length);
    });
    call.on("error", () => undefined);
    call.on("close", () => this.#calls.delete(call));
  }

  /** The entries of all streams of that log. */
  entries(logName: string): JsonValue[] {
    return this.streams.filter((one) => one.logName === logName).flatMap(({ entries }) => entries);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

function never(): never {
  throw new Error("the entries are a message");
}
