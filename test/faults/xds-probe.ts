import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { ADS_PATHS } from "../../src/ads/server.ts";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import type { ResourceKind } from "../../src/xds/snapshot.ts";
import type { XdsVariant } from "../behaviour/proxy-process.ts";

/** The routes of a sidecar's explicit proxy. */
const ROUTES = "http_proxy";

/** Which kind follows the first response of another, as Envoy asks. */
const NEXT: Partial<Record<ResourceKind, readonly ResourceKind[]>> = {
  cluster: ["endpoint", "listener"],
  listener: ["route"],
};

/** What a probe does with a response. */
export type ProbeAnswer = "ack" | "nack" | "none";

/** How a probe is made. */
export interface ProbeOptions {
  readonly variant: XdsVariant;
  /** Names its pod. */
  readonly name: string;
  readonly answer?: ProbeAnswer;
}

/** What a probe holds of one kind. */
interface Held {
  readonly names: readonly string[];
  /** Of the last response that it took. */
  version: string;
  /** By resource; only delta says them. */
  readonly versions: Map<string, string>;
  responses: number;
  resources: number;
}

/** One message of either variant, as much of it as a probe needs. */
interface Received {
  readonly kind: ResourceKind;
  readonly nonce: string;
  readonly version: string;
  readonly resources: readonly { readonly name: string; readonly version: string }[];
  readonly removed: readonly string[];
}

/**
 * A discovery client that asks as a sidecar does, and answers well, badly or not at all. Each has a
 * connection of its own. Its owner closes it.
 */
export class XdsProbe {
  /** How the stream ended, if it did. */
  error: ServiceError | undefined;
  bytes = 0;
  readonly #options: ProbeOptions;
  readonly #held = new Map<ResourceKind, Held>();
  #client: Client | undefined;
  #call: ClientDuplexStream<Buffer, Buffer> | undefined;
  #isNodeSent = false;
  #asked = new Set<ResourceKind>();

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** Opens a stream; what an earlier one gave is said to be held. */
  connect(port: number): void {
    this.close();
    this.error = undefined;
    this.#isNodeSent = false;
    this.#asked = new Set();
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
    });
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(
      ADS_PATHS[this.#options.variant],
      (bytes) => bytes,
      (bytes) => bytes,
    );
    this.#client = client;
    this.#call = call;
    call.on("data", (bytes: Buffer) => this.#take(bytes));
    call.on("error", (error: ServiceError) => {
      if (this.#call === call) this.error = error;
    });
  }

  /** Asks for all that a sidecar asks for: one kind after the other, or what it had before at once. */
  follow(): void {
    this.ask("cluster");
    for (const kind of this.#held.keys()) this.ask(kind);
  }

  /** Asks for a kind the first time on this stream; without names for all. */
  ask(kind: ResourceKind, names: readonly string[] = []): void {
    if (this.#asked.has(kind)) return;
    this.#asked.add(kind);
    const held = this.#hold(kind, names);
    const node = this.#node();
    const typeUrl = RESOURCE_TYPE_URL[kind];
    if (this.#options.variant === "delta") {
      this.#write(DeltaDiscoveryRequestSchema, {
        ...node,
        typeUrl,
        resourceNamesSubscribe: [...held.names],
        initialResourceVersions: Object.fromEntries(held.versions),
      });
    } else {
      const resourceNames = [...held.names];
      this.#write(DiscoveryRequestSchema, {
        ...node,
        typeUrl,
        resourceNames,
        versionInfo: held.version,
      });
    }
  }

  sendBytes(bytes: Buffer): void {
    this.#call?.write(bytes);
  }

  /** Says which names it wants from now on, whatever has been answered. */
  rename(typeUrl: string, names: readonly string[]): void {
    const node = this.#node();
    if (this.#options.variant === "delta") {
      const resourceNamesSubscribe = [...names];
      this.#write(DeltaDiscoveryRequestSchema, { ...node, typeUrl, resourceNamesSubscribe });
    } else this.#write(DiscoveryRequestSchema, { ...node, typeUrl, resourceNames: [...names] });
  }

  /** Takes nothing more out of its connection. */
  stopReading(): void {
    this.#call?.pause();
  }

  /** How many responses of a kind came, on all streams. */
  responses(kind: ResourceKind): number {
    return this.#held.get(kind)?.responses ?? 0;
  }

  /** How many resources of a kind came, on all streams; the same one again counts again. */
  resources(kind: ResourceKind): number {
    return this.#held.get(kind)?.resources ?? 0;
  }

  /** What it has of a kind: the version of all, or in delta each name with its version. */
  held(kind: ResourceKind): readonly string[] {
    const { version = "", versions = new Map<string, string>() } = this.#held.get(kind) ?? {};
    if (this.#options.variant === "sotw") return [version];
    return [...versions].map(([name, one]) => `${name} ${one}`).sort();
  }

  /** The version that it took last. */
  version(kind: ResourceKind): string {
    return this.#held.get(kind)?.version ?? "";
  }

  close(): void {
    this.#call?.cancel();
    this.#client?.close();
    this.#call = undefined;
    this.#client = undefined;
  }

  #node(): Record<string, unknown> {
    if (this.#isNodeSent) return {};
    this.#isNodeSent = true;
    const { name } = this.#options;
    const id = `sidecar~127.0.0.9~${name}.default~default.svc.cluster.local`;
    return { node: { id, metadata: { INTERCEPTION_MODE: "NONE" } } };
  }

  #hold(kind: ResourceKind, names: readonly string[]): Held {
    const known = this.#held.get(kind);
    if (known !== undefined) return known;
    const held: Held = { names, version: "", versions: new Map(), responses: 0, resources: 0 };
    this.#held.set(kind, held);
    return held;
  }

  #take(bytes: Buffer): void {
    this.bytes += bytes.length;
    const received = this.#options.variant === "delta" ? readDelta(bytes) : readWhole(bytes);
    const { kind, resources, removed, version } = received;
    const held = this.#hold(kind, []);
    held.responses += 1;
    held.resources += resources.length;
    const { answer = "ack" } = this.#options;
    if (answer === "ack") {
      held.version = version;
      for (const one of resources) held.versions.set(one.name, one.version);
      for (const name of removed) held.versions.delete(name);
    }
    if (answer !== "none") this.#answer(received, held, answer);
    for (const next of NEXT[kind] ?? []) this.ask(next, namesOf(next, received));
  }

  #answer({ kind, nonce }: Received, held: Held, answer: "ack" | "nack"): void {
    const typeUrl = RESOURCE_TYPE_URL[kind];
    const detail =
      answer === "ack" ? {} : { errorDetail: { code: 3, message: `the probe takes no ${kind}` } };
    if (this.#options.variant === "delta") {
      this.#write(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce, ...detail });
      return;
    }
    this.#write(DiscoveryRequestSchema, {
      typeUrl,
      resourceNames: [...held.names],
      versionInfo: held.version,
      responseNonce: nonce,
      ...detail,
    });
  }

  #write(schema: DescMessage, message: Record<string, unknown>): void {
    this.#call?.write(Buffer.from(toBinary(schema, create(schema, message))));
  }
}

function namesOf(kind: ResourceKind, { resources }: Received): readonly string[] {
  if (kind === "route") return [ROUTES];
  if (kind !== "endpoint") return [];
  return resources.map(({ name }) => name).filter((name) => name.includes("|"));
}

function readWhole(bytes: Buffer): Received {
  const { typeUrl, nonce, versionInfo, resources } = fromBinary(DiscoveryResponseSchema, bytes);
  const kind = kindOf(typeUrl);
  return {
    kind,
    nonce,
    version: versionInfo,
    resources: resources.map(({ value }) => ({
      name: kind === "cluster" ? fromBinary(ClusterSchema, value).name : "",
      version: "",
    })),
    removed: [],
  };
}

function readDelta(bytes: Buffer): Received {
  const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  return {
    kind: kindOf(response.typeUrl),
    nonce: response.nonce,
    version: response.systemVersionInfo,
    resources: response.resources.map(({ name, version }) => ({ name, version })),
    removed: response.removedResources,
  };
}

function kindOf(typeUrl: string): ResourceKind {
  const kinds = Object.keys(RESOURCE_TYPE_URL) as ResourceKind[];
  const found = kinds.find((kind) => RESOURCE_TYPE_URL[kind] === typeUrl);
  if (found === undefined) throw new Error(`no such type was asked for: ${typeUrl}`);
  return found;
}
