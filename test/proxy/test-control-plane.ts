import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { VirtualHostSchema } from "../../src/api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../src/api/gen/envoy/config/route/v3/route_pb.js";
import { SecretSchema } from "../../src/api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { EXTENSION_TYPES } from "../../src/proxy/extension-types.ts";
import { until } from "../controlplane/until.ts";
import { DeltaSubscription } from "./delta-stream.ts";

type Kind = (typeof KINDS)[number];
type Stream = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse | Buffer>;
type DeltaStream = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse | Buffer>;

const SCHEMAS = {
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
  virtualHost: VirtualHostSchema,
  secret: SecretSchema,
} as const;

const KINDS = ["cluster", "endpoint", "listener", "route", "virtualHost", "secret"] as const;

const NONE: ReadonlySet<string> = new Set();

/** All resources over one stream, and secrets over one of their own. */
const SERVICES = [
  "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
  "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets",
];
const DELTA_SERVICES = [
  "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
  "/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets",
];

/** A control plane that has what a test gives it and answers whoever asks, in either variant. */
export class TestControlPlane {
  readonly #server = new Server();
  readonly #streams = new Set<Stream>();
  readonly #asked = new Map<Stream, Map<string, readonly string[]>>();
  readonly #resources: Record<Kind, Map<string, Uint8Array>> = {
    cluster: new Map(),
    endpoint: new Map(),
    listener: new Map(),
    route: new Map(),
    virtualHost: new Map(),
    secret: new Map(),
  };
  readonly #deltaStreams = new Map<DeltaStream, Map<Kind, DeltaSubscription>>();
  /** A kind that nobody gave yet is not answered, rather than answered with nothing. */
  readonly #given = new Set<Kind>();
  #version = 0;
  /** Every request, in order; one of delta as if it were of the other variant, with all names. */
  readonly requests: DiscoveryRequest[] = [];
  /** Every delta request, as it came. */
  readonly deltaRequests: DeltaDiscoveryRequest[] = [];
  /** Virtual hosts that are sent unasked, by the names of their resources. */
  readonly pushedHosts = new Set<string>();
  /** What is asked for by these is not answered until `answerHeld` is called. */
  readonly heldNames = new Set<string>();
  readonly #held: { readonly stream: DeltaStream; readonly name: string }[] = [];
  port = 0;

  /** At a port of 127.0.0.1, or the path of a Unix socket. */
  async start(port: number | string = 0): Promise<void> {
    for (const path of SERVICES) {
      const schemas = [DiscoveryRequestSchema, DiscoveryResponseSchema] as const;
      this.#addService(path, ...schemas, (stream) => this.#serve(stream));
    }
    for (const path of DELTA_SERVICES) {
      const schemas = [DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema] as const;
      this.#addService(path, ...schemas, (stream) => this.#serveDelta(stream));
    }
    const address = typeof port === "string" ? `unix:${port}` : `127.0.0.1:${port}`;
    this.port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  #addService<Request extends DescMessage, Response extends DescMessage>(
    path: string,
    request: Request,
    response: Response,
    serve: (
      stream: ServerDuplexStream<MessageShape<Request>, MessageShape<Response> | Buffer>,
    ) => void,
  ): void {
    const writer =
      <Desc extends DescMessage>(schema: Desc) =>
      (message: MessageShape<Desc> | Buffer): Buffer =>
        Buffer.isBuffer(message) ? message : Buffer.from(toBinary(schema, message));
    const method = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: writer(request),
      requestDeserialize: (bytes: Buffer) => fromBinary(request, bytes),
      responseSerialize: writer(response),
      responseDeserialize: (bytes: Buffer) => fromBinary(response, bytes),
    } as const;
    this.#server.addService({ Stream: method }, { Stream: serve });
  }

  #serve(stream: Stream): void {
    this.#streams.add(stream);
    this.#asked.set(stream, new Map());
    stream.on("error", () => undefined);
    stream.on("close", () => this.#streams.delete(stream));
    stream.on("data", (request: DiscoveryRequest) => {
      this.requests.push(request);
      const asked = this.#asked.get(stream);
      const before = asked?.get(request.typeUrl);
      asked?.set(request.typeUrl, request.resourceNames);
      const isNew = before === undefined || before.join() !== request.resourceNames.join();
      const kind = KINDS.find((one) => RESOURCE_TYPE_URL[one] === request.typeUrl);
      if (isNew && kind !== undefined) this.#send(stream, kind);
    });
  }

  #send(stream: Stream, kind: Kind): void {
    const typeUrl = RESOURCE_TYPE_URL[kind];
    const names = this.#asked.get(stream)?.get(typeUrl);
    if (names === undefined) return;
    const isWildcard = kind === "cluster" || kind === "listener";
    const bodies = [...this.#resources[kind]]
      .filter(([name]) => isWildcard || names.includes(name))
      .map(([, value]) => ({ typeUrl, value }));
    if (bodies.length === 0 && !(isWildcard && this.#given.has(kind))) return;
    const versionInfo = String(++this.#version);
    stream.write(
      create(DiscoveryResponseSchema, {
        typeUrl,
        versionInfo,
        nonce: `n${versionInfo}`,
        resources: bodies,
      }),
    );
  }

  #serveDelta(stream: DeltaStream): void {
    const subscriptions = new Map<Kind, DeltaSubscription>();
    this.#deltaStreams.set(stream, subscriptions);
    stream.on("error", () => undefined);
    stream.on("close", () => this.#deltaStreams.delete(stream));
    stream.on("data", (request: DeltaDiscoveryRequest) => {
      this.deltaRequests.push(request);
      const { typeUrl, responseNonce, errorDetail, node } = request;
      const kind = KINDS.find((one) => RESOURCE_TYPE_URL[one] === typeUrl);
      if (kind === undefined) return;
      const subscription = subscriptions.get(kind) ?? new DeltaSubscription();
      const isFirst = !subscriptions.has(kind);
      subscriptions.set(kind, subscription);
      const asked = subscription.note(request);
      const shared = {
        typeUrl,
        responseNonce,
        resourceNames: [...subscription.names],
        ...(errorDetail === undefined ? {} : { errorDetail }),
        ...(node === undefined ? {} : { node }),
      };
      this.requests.push(create(DiscoveryRequestSchema, shared));
      const held = [...asked].filter((name) => this.heldNames.has(name));
      this.#held.push(...held.map((name) => ({ stream, name })));
      const answered = new Set([...asked].filter((name) => !this.heldNames.has(name)));
      if (isFirst || answered.size > 0) this.#sendDelta(stream, kind, answered);
    });
  }

  #sendDelta(stream: DeltaStream, kind: Kind, asked: ReadonlySet<string> = new Set()): void {
    const version = String(++this.#version);
    const type = {
      typeUrl: RESOURCE_TYPE_URL[kind],
      isWildcard: kind === "cluster" || kind === "listener",
      pushed: kind === "virtualHost" ? this.pushedHosts : NONE,
      resources: this.#resources[kind],
      isGiven: this.#given.has(kind),
      answersUnknown: kind === "virtualHost",
    };
    const subscription = this.#deltaStreams.get(stream)?.get(kind);
    const response = subscription?.next(type, asked, `n${version}`);
    if (response !== undefined) stream.write(response);
  }

  /** Answers what was held back, of names that are asked for no longer too. */
  answerHeld(): void {
    this.heldNames.clear();
    for (const { stream, name } of this.#held.splice(0)) {
      this.#sendDelta(stream, "virtualHost", new Set([name]));
    }
  }

  /** Replaces all resources of a kind, given as Envoy's JSON, and tells everybody. */
  set(kind: Kind, resources: Readonly<Record<string, object>>): void {
    const bodies = Object.entries(resources).map(
      ([name, json]) => [name, this.encode(kind, json)] as const,
    );
    this.setBytes(kind, new Map(bodies));
  }

  /** A resource given as Envoy's JSON. */
  encode(kind: Kind, json: object): Uint8Array {
    const schema = SCHEMAS[kind];
    const message = fromJson(schema, json as JsonValue, { registry: EXTENSION_TYPES });
    return toBinary(schema, message);
  }

  /** Like `set`, with bytes that need not be a message. */
  setBytes(kind: Kind, bodies: ReadonlyMap<string, Uint8Array>): void {
    this.#given.add(kind);
    this.#resources[kind] = new Map(bodies);
    for (const stream of this.#streams) this.#send(stream, kind);
    for (const stream of this.#deltaStreams.keys()) this.#sendDelta(stream, kind);
  }

  /** Ends all delta streams in order; clients come back. */
  endStreams(): void {
    for (const stream of this.#deltaStreams.keys()) stream.end();
  }

  /** Sends to everybody whatever that is: a response that nobody asked for, or no message at all. */
  write(response: DiscoveryResponse | Buffer): void {
    for (const stream of this.#streams) stream.write(response);
  }

  /** The same over delta. */
  writeDelta(response: DeltaDiscoveryResponse | Buffer): void {
    for (const stream of this.#deltaStreams.keys()) stream.write(response);
  }

  /** Says everything of a kind again, under the next version. */
  repeat(kind: Kind): void {
    for (const stream of this.#streams) this.#send(stream, kind);
  }

  /** The newest refusal of a kind; waits for one that says `text`. */
  refusal(kind: Kind, text: string): Promise<string> {
    return until(
      () =>
        this.requests
          .filter(({ typeUrl }) => typeUrl === RESOURCE_TYPE_URL[kind])
          .map(({ errorDetail }) => errorDetail?.message ?? "")
          .findLast((message) => message.includes(text)),
      `a refusal of a ${kind} that says "${text}"`,
    );
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}
