/** A client in a test's hand and the `AdsStream` that serves it, in either variant. */
import { create, fromBinary, fromJson, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { SimClock } from "../base/sim-clock.ts";
import { silentLogger } from "../telemetry/log.ts";
import { MetricRegistry } from "../telemetry/metrics.ts";
import {
  RESOURCE_KINDS,
  type ResourceKind,
  type XdsResource,
  type XdsSnapshot,
} from "../xds/snapshot.ts";
import { DELTA } from "./delta-variant.ts";
import { kindOfTypeUrl } from "./discovery-response.ts";
import { NameSets } from "./name-sets.ts";
import type { Returning } from "./publication.ts";
import { XDS_SHORT_NAME } from "./short-name.ts";
import { SOTW } from "./sotw-variant.ts";
import { AdsStream } from "./stream.ts";
import type { VariantName } from "./variant.ts";

/** `name:version:reference…`, by kind. */
export type Spec = Partial<Record<ResourceKind, readonly string[]>>;

/** The snapshot of a spec. */
export function snapshotOf(spec: Spec): XdsSnapshot {
  const entries = RESOURCE_KINDS.map((kind) => [kind, mapOf(kind, spec[kind] ?? [])] as const);
  return { resources: Object.fromEntries(entries) as XdsSnapshot["resources"] };
}

function mapOf(kind: ResourceKind, texts: readonly string[]): ReadonlyMap<string, XdsResource> {
  return new Map(
    texts.map((text) => {
      const [name = "", version = "1", ...references] = text.split(":");
      const body =
        kind === "route" ? routeBody(name, version, references) : Buffer.from(`${name}@${version}`);
      return [name, { name, version, body, origins: [], references }];
    }),
  );
}

/** One virtual host; its domain is the version, so that it shows which one was handed out. */
function routeBody(name: string, version: string, clusters: readonly string[]): Uint8Array {
  const routes = clusters.map((cluster) => ({ route: { cluster } }));
  const json = { name, virtualHosts: [{ name: "h", domains: [version], routes }] };
  return toBinary(RouteConfigurationSchema, fromJson(RouteConfigurationSchema, json));
}

function readBody(kind: ResourceKind, body: Uint8Array): string {
  if (kind !== "route") return Buffer.from(body).toString();
  const { name, virtualHosts } = fromBinary(RouteConfigurationSchema, body);
  return `${name}@${virtualHosts[0]?.domains[0]}`;
}

/** One response, in the words of both variants. */
export interface Received {
  readonly kind: ResourceKind;
  readonly version: string;
  readonly nonce: string;
  readonly bodies: readonly string[];
  readonly removed: readonly string[];
  /** By name, in the incremental variant. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What a test may be asked to do besides. */
export interface RigOptions {
  readonly variant?: VariantName;
  readonly returning?: Returning;
}

/** A client that says only what the test tells it, and one `AdsStream` that serves it. */
export class StreamRig {
  readonly clock = new SimClock();
  readonly metrics = new MetricRegistry();
  readonly inbox: Received[] = [];
  readonly stream: AdsStream;
  /** How many responses fit before the sink is full. */
  room = Number.POSITIVE_INFINITY;
  settled = 0;
  /** What was asked for and not offered; and whether somebody makes it. */
  readonly wanted: string[] = [];
  isMade = false;
  readonly #variant: VariantName;
  readonly #sets = new NameSets();
  #taken = 0;

  constructor(spec: Spec, { variant = "sotw", returning }: RigOptions = {}) {
    this.#variant = variant;
    this.stream = new AdsStream(
      {
        clientId: "c-1",
        variant: variant === "sotw" ? SOTW : DELTA,
        controlPlane: "test",
        clock: this.clock,
        log: silentLogger,
        metrics: this.metrics,
        sink: {
          hasRoom: () => this.room > 0,
          write: (response) => this.#receive(response.toBuffer()),
        },
        want: (kind, names) => {
          this.wanted.push(`${XDS_SHORT_NAME[kind]} ${names.join(" ")}`);
          return this.isMade;
        },
        onBroken: (error) => {
          throw error;
        },
        onSettled: () => (this.settled += 1),
      },
      snapshotOf(spec),
      returning,
    );
  }

  #receive(bytes: Buffer): void {
    this.inbox.push(this.#variant === "sotw" ? readSotw(bytes) : readDelta(bytes));
    this.room -= 1;
  }

  /** A request of the state of the world. */
  request(kind: ResourceKind, rest: MessageInitShape<typeof DiscoveryRequestSchema>): void {
    const message = create(DiscoveryRequestSchema, { typeUrl: RESOURCE_TYPE_URL[kind], ...rest });
    this.requestBytes(toBinary(DiscoveryRequestSchema, message));
  }

  /** An incremental request. */
  requestDelta(
    kind: ResourceKind,
    rest: MessageInitShape<typeof DeltaDiscoveryRequestSchema>,
  ): void {
    const typeUrl = RESOURCE_TYPE_URL[kind];
    const message = create(DeltaDiscoveryRequestSchema, { typeUrl, ...rest });
    this.requestBytes(toBinary(DeltaDiscoveryRequestSchema, message));
  }

  requestBytes(bytes: Uint8Array): void {
    const request = (this.#variant === "sotw" ? SOTW : DELTA).decode(bytes, this.#sets);
    if (!request.ok) throw new Error(request.issues[0]?.message);
    this.stream.receive(request.value);
  }

  last(kind: ResourceKind): Received {
    const found = this.inbox.findLast((received) => received.kind === kind);
    if (found === undefined) throw new Error(`no ${kind} came`);
    return found;
  }

  /** The versions of all that came of a kind, by name. */
  versions(kind: ResourceKind): Record<string, string> {
    const received = this.inbox.filter((one) => one.kind === kind);
    return Object.assign({}, ...received.map(({ versions }) => versions));
  }

  /** What came since the last call: `cds a@1 b@1 -c`. */
  take(): string[] {
    const lines = this.inbox.slice(this.#taken).map(({ kind, bodies, removed }) =>
      // Their order within a response says nothing.
      [
        XDS_SHORT_NAME[kind],
        ...bodies.toSorted(),
        ...removed.toSorted().map((name) => `-${name}`),
      ].join(" "),
    );
    this.#taken = this.inbox.length;
    return lines;
  }

  update(spec: Spec): void {
    this.stream.update(snapshotOf(spec));
  }
}

function readSotw(bytes: Buffer): Received {
  const response = fromBinary(DiscoveryResponseSchema, bytes);
  const kind = kindOfTypeUrl(response.typeUrl) ?? "cluster";
  return {
    kind,
    version: response.versionInfo,
    nonce: response.nonce,
    bodies: response.resources.map(({ value }) => readBody(kind, value)),
    removed: [],
    versions: {},
  };
}

function readDelta(bytes: Buffer): Received {
  const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  const kind = kindOfTypeUrl(response.typeUrl) ?? "cluster";
  return {
    kind,
    version: response.systemVersionInfo,
    nonce: response.nonce,
    bodies: response.resources.map(({ resource, name, aliases }) =>
      resource === undefined ? `?${name}(${aliases.join()})` : readBody(kind, resource.value),
    ),
    removed: response.removedResources,
    versions: Object.fromEntries(response.resources.map(({ name, version }) => [name, version])),
  };
}
