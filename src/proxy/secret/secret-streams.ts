import type { Node } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import { RESOURCE_TYPE_URL } from "../../api/type-url.ts";
import type { Clock } from "../../base/clock.ts";
import { formatHostPort } from "../../base/ip.ts";
import type { Prng } from "../../base/prng.ts";
import type { Logger } from "../../telemetry/log.ts";
import { AdsClient } from "../../xdsclient/ads-client.ts";
import type { ResourceType } from "../../xdsclient/resource-type.ts";
import type { VariantName } from "../../xdsclient/wire-variant.ts";
import type { ClusterConfig } from "../cluster/cluster-config.ts";
import type { GrpcSource } from "../tls/tls-config.ts";
import type { SecretStore } from "./secret-store.ts";

const SERVICE = "/envoy.service.secret.v3.SecretDiscoveryService/";
const METHODS: Readonly<Record<VariantName, string>> = {
  GRPC: `${SERVICE}StreamSecrets`,
  DELTA_GRPC: `${SERVICE}DeltaSecrets`,
};

/** What streams of secrets need. */
export interface SecretStreamDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
  readonly node: Node;
  /** Those of the bootstrap: a stream must be there before anything else comes. */
  readonly clusters: readonly ClusterConfig[];
}

interface OpenStream {
  readonly client: AdsClient;
  readonly stopping: AbortController;
  readonly done: Promise<void>;
}

/** The type of resource that a control plane sends to a store. */
export function secretType(store: SecretStore, stream: string): ResourceType {
  return {
    typeUrl: RESOURCE_TYPE_URL.secret,
    isWildcard: false,
    apply: (update) => store.apply(stream, update),
  };
}

/** The streams to clusters that serve secrets only, such as an agent behind a Unix socket. */
export class SecretStreams {
  readonly #deps: SecretStreamDeps;
  readonly #open = new Map<string, OpenStream>();
  readonly #closing = new Set<Promise<void>>();

  constructor(deps: SecretStreamDeps) {
    this.#deps = deps;
  }

  /** Asks every cluster for the names that are in use now. */
  follow(store: SecretStore): void {
    const needed = store.streams();
    for (const name of this.#open.keys()) if (!needed.has(name)) this.#close(name);
    for (const [name, source] of needed) {
      const stream = this.#open.get(name) ?? this.#start(name, source, store);
      stream.client.setNames(RESOURCE_TYPE_URL.secret, store.names(name));
    }
  }

  #start(name: string, source: GrpcSource, store: SecretStore): OpenStream {
    const { clusters, node, clock, prng, log } = this.#deps;
    const cluster = clusters.find((candidate) => candidate.name === source.cluster);
    const addresses = (cluster?.assignment?.endpoints ?? []).map(({ address, port }) =>
      address.startsWith("/") ? `unix:${address}` : formatHostPort(address, port),
    );
    const types = [secretType(store, name)];
    const { variant, repeatsNode } = source;
    const method = METHODS[variant];
    const deps = { clock, prng, log };
    const client = new AdsClient({
      addresses,
      node,
      variant,
      repeatsNode,
      method,
      types,
      ...deps,
    });
    const stopping = new AbortController();
    const stream = { client, stopping, done: client.run(stopping.signal) };
    this.#open.set(name, stream);
    return stream;
  }

  #close(name: string): void {
    const stream = this.#open.get(name);
    if (stream === undefined) return;
    this.#open.delete(name);
    stream.stopping.abort();
    const done = stream.done.finally(() => this.#closing.delete(done));
    this.#closing.add(done);
  }

  async stop(): Promise<void> {
    for (const name of this.#open.keys()) this.#close(name);
    await Promise.all(this.#closing);
  }
}
