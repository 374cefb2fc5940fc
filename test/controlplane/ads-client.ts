import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { ADS_PATHS } from "../../src/ads/server.ts";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import type { ResourceKind } from "../../src/xds/snapshot.ts";
import { until } from "./until.ts";

/** How one variant of the protocol is called, and its messages. */
interface Protocol<Request extends DescMessage, Response extends DescMessage> {
  readonly variant: keyof typeof ADS_PATHS;
  readonly request: Request;
  readonly response: Response;
}

type AnyResponse = typeof DiscoveryResponseSchema | typeof DeltaDiscoveryResponseSchema;

/** A discovery client in the test's hand: sends what it is told, keeps what comes. */
abstract class DiscoveryClient<Request extends DescMessage, Response extends AnyResponse> {
  readonly received: MessageShape<Response>[] = [];
  error: ServiceError | undefined;
  readonly #protocol: Protocol<Request, Response>;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;

  constructor(port: number, protocol: Protocol<Request, Response>) {
    this.#protocol = protocol;
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    this.#call = this.#client.makeBidiStreamRequest<Buffer, Buffer>(
      ADS_PATHS[protocol.variant],
      (bytes) => bytes,
      (bytes) => bytes,
    );
    this.#call.on("data", (bytes: Buffer) =>
      this.received.push(fromBinary(protocol.response, bytes)),
    );
    this.#call.on("error", (error: ServiceError) => (this.error = error));
  }

  send(request: MessageInitShape<Request>): void {
    const { request: schema } = this.#protocol;
    this.sendBytes(Buffer.from(toBinary(schema, create(schema, request))));
  }

  sendBytes(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  /** Stops reading: what the server writes stays in the network. */
  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** The response number `count` (from 1) of a kind, once it is there. */
  async response(kind: ResourceKind, count = 1): Promise<MessageShape<Response>> {
    const find = (): MessageShape<Response> | undefined =>
      this.received.filter(({ typeUrl }) => typeUrl === RESOURCE_TYPE_URL[kind])[count - 1];
    return until(find, `${kind} response ${count}`);
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }
}

/** A client of the state of the world. */
export class AdsClient extends DiscoveryClient<
  typeof DiscoveryRequestSchema,
  typeof DiscoveryResponseSchema
> {
  constructor(port: number) {
    super(port, {
      variant: "sotw",
      request: DiscoveryRequestSchema,
      response: DiscoveryResponseSchema,
    });
  }

  /** Asks for a kind the first time; `nodeId` only where the stream's first request. */
  ask(kind: ResourceKind, resourceNames: string[] = [], nodeId?: string): void {
    this.send({
      typeUrl: RESOURCE_TYPE_URL[kind],
      resourceNames,
      ...(nodeId !== undefined && { node: { id: nodeId } }),
    });
  }
}

/** A client of the incremental variant. */
export class DeltaAdsClient extends DiscoveryClient<
  typeof DeltaDiscoveryRequestSchema,
  typeof DeltaDiscoveryResponseSchema
> {
  constructor(port: number) {
    super(port, {
      variant: "delta",
      request: DeltaDiscoveryRequestSchema,
      response: DeltaDiscoveryResponseSchema,
    });
  }

  /** Asks for more of a kind; `nodeId` only where the stream's first request. */
  ask(kind: ResourceKind, resourceNamesSubscribe: string[] = [], nodeId?: string): void {
    this.send({
      typeUrl: RESOURCE_TYPE_URL[kind],
      resourceNamesSubscribe,
      ...(nodeId !== undefined && { node: { id: nodeId } }),
    });
  }
}
