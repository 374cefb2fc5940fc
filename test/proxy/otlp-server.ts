import { fromBinary, toJson } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { ExportTraceServiceRequestSchema } from "../../src/api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js";

/** One call, as it came. */
export interface OtlpCall {
  /** Its metadata `x-key`. */
  readonly key: unknown;
  readonly spans: readonly OtlpSpan[];
}

/** A span, with what its resource says. */
export interface OtlpSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  /** In base64. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const bytes = (value: Buffer): Buffer => value;

/** A collector of traces by OTLP over gRPC. */
export class OtlpServer {
  readonly calls: OtlpCall[] = [];
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(): Promise<OtlpServer> {
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const made = new OtlpServer(server, port);
    server.addService(
      {
        Export: {
          path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
          requestStream: false,
          responseStream: false,
          requestSerialize: bytes,
          requestDeserialize: bytes,
          responseSerialize: bytes,
          responseDeserialize: bytes,
        },
      },
      {
        Export: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
          made.calls.push({ key: call.metadata.get("x-key")[0], spans: spansOf(call.request) });
          reply(null, Buffer.alloc(0));
        },
      },
    );
    return made;
  }

  get spans(): readonly OtlpSpan[] {
    return this.calls.flatMap(({ spans }) => spans);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

interface Attributes {
  readonly attributes?: readonly {
    readonly key: string;
    readonly value: { stringValue?: string };
  }[];
}

interface Body {
  readonly resourceSpans: readonly {
    readonly resource: Attributes;
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<OtlpSpan, "attributes" | "service"> & Attributes)[];
    }[];
  }[];
}

function spansOf(request: Buffer): readonly OtlpSpan[] {
  const schema = ExportTraceServiceRequestSchema;
  const { resourceSpans } = toJson(schema, fromBinary(schema, request)) as unknown as Body;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        service: textsOf(resource)["service.name"] ?? "",
        attributes: textsOf(span),
      })),
    ),
  );
}

function textsOf({ attributes = [] }: Attributes): Readonly<Record<string, string>> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? ""]));
}
