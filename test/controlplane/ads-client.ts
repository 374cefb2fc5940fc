import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { ADS_SERVICE } from "../../src/ads/server.ts";
import {
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import type { ResourceKind } from "../../src/xds/snapshot.ts";
import { until } from "./until.ts";

/** A discovery client in the test's hand: sends what it is told, keeps what comes. */
export class AdsClient {
  readonly received: DiscoveryResponse[] = [];
  error: ServiceError | undefined;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;

  constructor(port: number, method: keyof typeof ADS_SERVICE = "StreamAggregatedResources") {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = ADS_SERVICE[method];
    this.#call = this.#client.makeBidiStreamRequest<Buffer, Buffer>(
      path,
      requestSerialize,
      responseDeserialize,
    );
    this.#call.on("data", (bytes: Buffer) =>
      this.received.push(fromBinary(DiscoveryResponseSchema, bytes)),
    );
    this.#call.on("error", (error: ServiceError) => (this.error = error));
  }

  send(request: MessageInitShape<typeof DiscoveryRequestSchema>): void {
    const message = create(DiscoveryRequestSchema, request);
    this.#call.write(Buffer.from(toBinary(DiscoveryRequestSchema, message)));
  }

  sendBytes(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  /** Asks for a kind the first time; `nodeId` only where the stream's first request. */
  ask(kind: ResourceKind, resourceNames: string[] = [], nodeId?: string): void {
    this.send({
      typeUrl: RESOURCE_TYPE_URL[kind],
      resourceNames,
      ...(nodeId !== undefined && { node: { id: nodeId } }),
    });
  }

  /** The response number `count` (from 1) of a kind, once it is there. */
  async response(kind: ResourceKind, count = 1): Promise<DiscoveryResponse> {
    const find = (): DiscoveryResponse | undefined =>
      this.received.filter(({ typeUrl }) => typeUrl === RESOURCE_TYPE_URL[kind])[count - 1];
    return until(find, `${kind} response ${count}`);
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }
}
