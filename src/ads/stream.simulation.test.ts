/**
 * One stream and one client that behaves like Envoy, over a network that delivers when it likes.
 * Whatever happens in whatever order, no route of the client names a cluster that it does not have
 * ready, nothing is sent without end, and in the end it has the newest of everything.
 */
import { create, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
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
import { type ResourceKind, type XdsResource, type XdsSnapshot } from "../xds/snapshot.ts";
import { DELTA } from "./delta-variant.ts";
import { kindOfTypeUrl } from "./discovery-response.ts";
import { NameSets } from "./name-sets.ts";
import type { HeldState, Returning } from "./publication.ts";
import { SOTW } from "./sotw-variant.ts";
import { AdsStream } from "./stream.ts";
import type { VariantName } from "./variant.ts";

/** Two virtual hosts and the cluster of each; a cluster in the version "bad" is refused. */
interface Plan {
  readonly targets: readonly [string, string];
  readonly versions: Readonly<Record<string, string>>;
}

const CLUSTERS = ["a", "b", "c", "d"];
const HOSTS = ["h0", "h1"];

function resource(
  name: string,
  version: string,
  body: Uint8Array,
  references: readonly string[] = [],
): [string, XdsResource] {
  return [name, { name, version, body, origins: [], references }];
}

function snapshotOf({ targets, versions }: Plan): XdsSnapshot {
  const used = [...new Set(targets)].sort();
  const version = (name: string): string => versions[name] ?? "1";
  const text = (name: string): Uint8Array => Buffer.from(`${name}@${version(name)}`);
  const virtualHosts = HOSTS.map((name, index) => ({
    name,
    domains: [name],
    routes: [{ route: { cluster: targets[index] ?? "" } }],
  }));
  const routes = toBinary(
    RouteConfigurationSchema,
    fromJson(RouteConfigurationSchema, { name: "r", virtualHosts }),
  );
  return {
    resources: {
      cluster: new Map(used.map((name) => resource(name, version(name), text(name)))),
      endpoint: new Map(used.map((name) => resource(name, "1", Buffer.from(`${name}@1`)))),
      listener: new Map([resource("l", "1", Buffer.from("l@1"), ["r"])]),
      route: new Map([resource("r", targets.join(), routes, used)]),
      virtualHost: new Map(),
    },
  };
}

/** One response, in the words of both variants. */
interface Response {
  readonly kind: ResourceKind;
  readonly version: string;
  readonly nonce: string;
  readonly bodies: readonly Uint8Array[];
  /** By name, of the resources in `bodies`. */
  readonly versions: ReadonlyMap<string, string>;
  /** What is gone; absent: all that is not in it, where it is the whole state. */
  readonly removed?: readonly string[];
}

const PROTOCOL = {
  sotw: {
    variant: SOTW,
    read: (bytes: Uint8Array): Response => {
      const response = fromBinary(DiscoveryResponseSchema, bytes);
      return {
        kind: kindOfTypeUrl(response.typeUrl) ?? "cluster",
        version: response.versionInfo,
        nonce: response.nonce,
        bodies: response.resources.map(({ value }) => value),
        versions: new Map(),
      };
    },
  },
  delta: {
    variant: DELTA,
    read: (bytes: Uint8Array): Response => {
      const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
      return {
        kind: kindOfTypeUrl(response.typeUrl) ?? "cluster",
        version: "",
        nonce: response.nonce,
        bodies: response.resources.map(({ resource: any }) => any?.value ?? new Uint8Array()),
        versions: new Map(response.resources.map((one) => [one.name, one.version])),
        removed: response.removedResources,
      };
    },
  },
};

/** What Envoy keeps and answers, as far as it matters here. */
class EnvoyModel {
  /** By name, the version that is taken, be it warming. */
  readonly clusters = new Map<string, string>();
  readonly ready = new Set<string>();
  /** Taken, but without endpoints since. */
  readonly warming = new Set<string>();
  /** Cluster by virtual host. */
  targets: readonly string[] = [];
  readonly requests: Uint8Array[] = [];
  readonly #name: VariantName;
  /** By kind, the version that it took last (state of the world). */
  readonly #versions = new Map<ResourceKind, string>();
  /** By kind and name, the versions that it took (incremental). */
  readonly #held = new Map<ResourceKind, Map<string, string>>();
  readonly #nonces = new Map<ResourceKind, string>();
  /** What it asked for on this stream. */
  readonly #asked = new Map<ResourceKind, ReadonlySet<string>>();

  constructor(name: VariantName) {
    this.#name = name;
  }

  connect(): void {
    this.requests.length = 0;
    this.#nonces.clear();
    this.#asked.clear();
    this.#send("cluster");
    if (this.clusters.size > 0) this.#send("endpoint");
    if (this.#versions.has("endpoint")) this.#send("listener");
    if (this.#versions.has("listener")) this.#send("route");
  }

  receive(response: Response): void {
    const { kind, bodies, nonce } = response;
    this.#nonces.set(kind, nonce);
    const refused = kind === "cluster" ? this.#takeClusters(response) : [];
    if (kind === "endpoint") this.#takeEndpoints(bodies);
    if (kind === "route") this.#takeRoutes(bodies);
    if (refused.length === 0) this.#hold(response);
    this.#send(kind, { nonce, refused });
    if (kind === "cluster") this.#send("endpoint");
    // Listeners are asked for once the first clusters are ready.
    if (kind === "endpoint" && !this.#nonces.has("listener")) this.#send("listener");
    if (kind === "listener" && !this.#nonces.has("route")) this.#send("route");
  }

  /** A response that it refuses leaves the versions as they were. */
  #hold({ kind, version, versions, removed }: Response): void {
    this.#versions.set(kind, version);
    const held = this.#held.get(kind) ?? new Map<string, string>();
    this.#held.set(kind, held);
    for (const [name, taken] of versions) held.set(name, taken);
    for (const name of removed ?? []) held.delete(name);
  }

  #takeClusters({ bodies, removed }: Response): readonly string[] {
    const refused: string[] = [];
    const named = new Set<string>();
    for (const body of bodies) {
      const [name = "", taken = ""] = Buffer.from(body).toString().split("@");
      named.add(name);
      if (this.clusters.get(name) === taken) continue;
      if (taken === "bad") refused.push(name);
      else {
        this.clusters.set(name, taken);
        this.warming.add(name);
      }
    }
    const gone = removed ?? [...this.clusters.keys()].filter((name) => !named.has(name));
    for (const name of gone) {
      this.clusters.delete(name);
      this.ready.delete(name);
      this.warming.delete(name);
    }
    return refused;
  }

  #takeEndpoints(bodies: readonly Uint8Array[]): void {
    for (const body of bodies) {
      const [name = ""] = Buffer.from(body).toString().split("@");
      if (this.warming.delete(name)) this.ready.add(name);
    }
  }

  #takeRoutes(bodies: readonly Uint8Array[]): void {
    for (const body of bodies) {
      const { virtualHosts } = fromBinary(RouteConfigurationSchema, body);
      this.targets = virtualHosts.flatMap(({ routes }) =>
        routes.map(({ action }) =>
          action.case === "route" && action.value.clusterSpecifier.case === "cluster"
            ? action.value.clusterSpecifier.value
            : "",
        ),
      );
    }
  }

  #send(
    kind: ResourceKind,
    answer?: { readonly nonce: string; readonly refused: readonly string[] },
  ): void {
    const all: Readonly<Record<ResourceKind, string[]>> = {
      cluster: [],
      listener: [],
      route: ["r"],
      endpoint: [...this.clusters.keys()],
      virtualHost: [],
    };
    const names = all[kind];
    const refused = answer?.refused ?? [];
    const message = `Error adding/updating cluster(s) ${refused.join(", ")}: no`;
    const common = {
      typeUrl: RESOURCE_TYPE_URL[kind],
      ...(refused.length > 0 && { errorDetail: { code: 13, message } }),
    };
    const asked = this.#asked.get(kind);
    this.#asked.set(kind, new Set(names));
    if (this.#name === "sotw") {
      const request = create(DiscoveryRequestSchema, {
        ...common,
        resourceNames: names,
        versionInfo: this.#versions.get(kind) ?? "",
        responseNonce: this.#nonces.get(kind) ?? "",
      });
      this.requests.push(toBinary(DiscoveryRequestSchema, request));
      return;
    }
    const subscribe = names.filter((name) => asked?.has(name) !== true);
    const unsubscribe = [...(asked ?? [])].filter((name) => !names.includes(name));
    const held = this.#held.get(kind) ?? new Map<string, string>();
    for (const name of unsubscribe) held.delete(name);
    const isNews = asked === undefined || subscribe.length + unsubscribe.length > 0;
    if (!isNews && answer === undefined) return;
    const request = create(DeltaDiscoveryRequestSchema, {
      ...common,
      resourceNamesSubscribe: subscribe,
      resourceNamesUnsubscribe: unsubscribe,
      initialResourceVersions: asked === undefined ? Object.fromEntries(held) : {},
      responseNonce: answer?.nonce ?? "",
    });
    this.requests.push(toBinary(DeltaDiscoveryRequestSchema, request));
  }
}

/** The two and the wires between them. */
class World {
  readonly envoy: EnvoyModel;
  readonly #name: VariantName;
  readonly #responses: Response[] = [];
  readonly #sets = new NameSets();
  #stream: AdsStream;
  #newest: Plan;
  /** Whether the network takes no more than one response at a time. */
  #isFull = false;
  #isBlocked = false;

  constructor(name: VariantName, first: Plan) {
    this.#name = name;
    this.envoy = new EnvoyModel(name);
    this.#newest = first;
    this.#stream = this.#connect();
  }

  #connect(returning?: Returning): AdsStream {
    this.#responses.length = 0;
    this.#isBlocked = false;
    const stream = new AdsStream(
      {
        clientId: "c",
        variant: PROTOCOL[this.#name].variant,
        controlPlane: "test",
        clock: new SimClock(),
        log: silentLogger,
        metrics: new MetricRegistry(),
        want: () => false,
        onBroken: (error) => {
          throw error;
        },
        sink: {
          hasRoom: () => !this.#isBlocked,
          write: (response) => {
            this.#responses.push(PROTOCOL[this.#name].read(response.toBuffer()));
            this.#isBlocked = this.#isFull;
          },
        },
      },
      snapshotOf(this.#newest),
      returning,
    );
    this.envoy.connect();
    return stream;
  }

  do(action: Action): void {
    switch (action.kind) {
      case "update":
        this.#newest = action.plan;
        this.#stream.update(snapshotOf(action.plan));
        break;
      case "reconnect":
        this.#reconnect(this.#stream.heldState);
        break;
      case "restart":
        // Of the state of the world what is gone cannot be kept.
        this.#reconnect(this.#name === "delta" ? undefined : this.#stream.heldState);
        break;
      case "fill":
        this.#isFull = true;
        break;
      case "drain":
        this.#isFull = false;
        this.#isBlocked = false;
        this.#stream.drained();
        break;
      case "request": {
        const request = this.envoy.requests.shift();
        if (request === undefined) break;
        const decoded = PROTOCOL[this.#name].variant.decode(request, this.#sets);
        if (decoded.ok) this.#stream.receive(decoded.value);
        break;
      }
      case "response": {
        const response = this.#responses.shift();
        if (response !== undefined) this.envoy.receive(response);
        break;
      }
    }
  }

  /** Without a state it is another server: nobody knows what the client has. */
  #reconnect(held: HeldState | undefined): void {
    // Nor what a route was before that names a refused cluster, so that it could not be held.
    if (held === undefined && Object.values(this.#newest.versions).includes("bad")) return;
    this.#stream.close();
    this.#stream = this.#connect({ held });
  }

  get isQuiet(): boolean {
    return this.envoy.requests.length === 0 && this.#responses.length === 0;
  }

  get isSettled(): boolean {
    return this.#stream.isSettled;
  }
}

type Action =
  | { readonly kind: "request" | "response" | "reconnect" | "restart" | "fill" | "drain" }
  | { readonly kind: "update"; readonly plan: Plan };

const target = fc.constantFrom(...CLUSTERS);
const version = fc.constantFrom("1", "2", "bad");

function plan(anyVersion: fc.Arbitrary<string>): fc.Arbitrary<Plan> {
  return fc.record({
    targets: fc.tuple(target, target),
    versions: fc.record(Object.fromEntries(CLUSTERS.map((name) => [name, anyVersion]))),
  });
}

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "request" } as const) },
  { weight: 6, arbitrary: fc.constant({ kind: "response" } as const) },
  { weight: 2, arbitrary: plan(version).map((next) => ({ kind: "update", plan: next }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "reconnect" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "fill" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "drain" } as const) },
);

const STEPS_MAX = 500;

test.each(["sotw", "delta"] as const)(
  "%s: an AdsStream never breaks what its client has, and brings it all there is",
  (name) => {
    fc.assert(
      fc.property(
        plan(fc.constant("1")),
        fc.array(action, { maxLength: 120 }),
        plan(fc.constant("2")),
        (first, actions, last) => {
          const world = new World(name, first);
          const step = (next: Action): void => {
            world.do(next);
            const { targets, ready } = world.envoy;
            expect(targets.filter((name) => !ready.has(name))).toEqual([]);
          };
          const deliverAll = (): void => {
            for (let count = 0; !world.isQuiet; count++) {
              if (count > STEPS_MAX) throw new Error("they go on for ever");
              step({ kind: "request" });
              step({ kind: "response" });
            }
          };
          // What was never good cannot be kept, so it begins with what is.
          deliverAll();
          for (const next of actions) step(next);
          // In the end everything is good, and everything is delivered.
          step({ kind: "update", plan: last });
          step({ kind: "drain" });
          deliverAll();
          expect(world.isSettled).toBe(true);
          expect(world.envoy.targets).toEqual(last.targets);
          expect([...world.envoy.warming]).toEqual([]);
          expect([...world.envoy.ready].sort()).toEqual([...new Set(last.targets)].sort());
        },
      ),
      { numRuns: 1000 },
    );
  },
);
