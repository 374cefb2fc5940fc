import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type ResourceSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import type { VariantName } from "../../src/xdsclient/wire-variant.ts";

/** A request of either variant. */
export type AnyRequest = DiscoveryRequest | DeltaDiscoveryRequest;
type Stream = ServerDuplexStream<AnyRequest, Buffer>;

const SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";
const METHODS: Readonly<Record<VariantName, string>> = {
  GRPC: `${SERVICE}StreamAggregatedResources`,
  DELTA_GRPC: `${SERVICE}DeltaAggregatedResources`,
};

/** A control plane that says what a test tells it to, and keeps what it is told. */
export class FakeControlPlane {
  readonly requests: AnyRequest[] = [];
  readonly streams: Stream[] = [];
  readonly #variant: VariantName;
  readonly #server = new Server();
  port = 0;

  constructor(variant: VariantName) {
    this.#variant = variant;
  }

  async start(port = 0): Promise<void> {
    const isDelta = this.#variant === "DELTA_GRPC";
    const method = {
      path: METHODS[this.#variant],
      requestStream: true,
      responseStream: true,
      requestSerialize: () => Buffer.alloc(0),
      requestDeserialize: (bytes: Buffer): AnyRequest =>
        isDelta
          ? fromBinary(DeltaDiscoveryRequestSchema, bytes)
          : fromBinary(DiscoveryRequestSchema, bytes),
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    } as const;
    this.#server.addService(
      { Stream: method },
      {
        Stream: (stream: Stream) => {
          this.streams.push(stream);
          stream.on("data", (request: AnyRequest) => this.requests.push(request));
          stream.on("error", () => undefined);
        },
      },
    );
    this.port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(
        `127.0.0.1:${port}`,
        ServerCredentials.createInsecure(),
        (error, bound) => (error === null ? resolve(bound) : reject(error)),
      );
    });
  }

  /** Resources are called what their bodies say, in delta, and have the response's version. */
  send(typeUrl: string, version: string, nonce: string, bodies: readonly string[]): void {
    if (this.#variant === "DELTA_GRPC") {
      const resources = bodies.map((name) => resourceOf(typeUrl, name, version));
      this.write(deltaOf({ typeUrl, systemVersionInfo: version, nonce, resources }));
      return;
    }
    const resources = bodies.map((body) => ({ typeUrl, value: Buffer.from(body) }));
    const init = { typeUrl, versionInfo: version, nonce, resources };
    const schema = DiscoveryResponseSchema;
    this.write(Buffer.from(toBinary(schema, create(schema, init))));
  }

  sendDelta(response: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): void {
    this.write(deltaOf(response));
  }

  write(bytes: Buffer): void {
    this.streams.at(-1)?.write(bytes);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

/** A delta resource whose body is its name. */
export function resourceOf(
  typeUrl: string,
  name: string,
  version: string,
): MessageInitShape<typeof ResourceSchema> {
  return { name, version, resource: { typeUrl, value: Buffer.from(name) } };
}

function deltaOf(response: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): Buffer {
  const schema = DeltaDiscoveryResponseSchema;
  return Buffer.from(toBinary(schema, create(schema, response)));
}
