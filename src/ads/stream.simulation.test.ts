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
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { SimClock } from "../base/sim-clock.ts";
import { silentLogger } from "../telemetry/log.ts";
import { MetricRegistry } from "../telemetry/metrics.ts";
import { type ResourceKind, type XdsResource, type XdsSnapshot } from "../xds/snapshot.ts";
import { kindOfTypeUrl } from "./discovery-response.ts";
import { NameSets } from "./name-sets.ts";
import type { HeldState } from "./publication.ts";
import { SOTW } from "./sotw-variant.ts";
import { AdsStream } from "./stream.ts";

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

/** What Envoy keeps and answers, as far as it matters here. */
class EnvoyModel {
  /** By name, the version that is taken, be it warming. */
  readonly clusters = new Map<string, string>();
  readonly ready = new Set<string>();
  /** Taken, but without endpoints since. */
  readonly warming = new Set<string>();
  /** Cluster by virtual host. */
  targets: readonly string[] = [];
  readonly requests: DiscoveryRequest[] = [];
  #versions = new Map<ResourceKind, string>();
  #nonces = new Map<ResourceKind, string>();

  connect(): void {
    this.requests.length = 0;
    this.#nonces.clear();
    this.#send("cluster");
    if (this.clusters.size > 0) this.#send("endpoint");
    if (this.#versions.has("endpoint")) this.#send("listener");
    if (this.#versions.has("listener")) this.#send("route");
  }

  receive(response: DiscoveryResponse): void {
    const kind = kindOfTypeUrl(response.typeUrl) ?? "cluster";
    this.#nonces.set(kind, response.nonce);
    const bodies = response.resources.map(({ value }) => value);
    const refused = kind === "cluster" ? this.#takeClusters(bodies) : [];
    if (kind === "endpoint") this.#takeEndpoints(bodies);
    if (kind === "route") this.#takeRoutes(bodies);
    if (refused.length === 0) this.#versions.set(kind, response.versionInfo);
    this.#send(kind, refused);
    if (kind === "cluster") this.#send("endpoint");
    // Listeners are asked for once the first clusters are ready.
    if (kind === "endpoint" && !this.#nonces.has("listener")) this.#send("listener");
    if (kind === "listener" && !this.#nonces.has("route")) this.#send("route");
  }

  #takeClusters(bodies: readonly Uint8Array[]): readonly string[] {
    const refused: string[] = [];
    const named = new Set<string>();
    for (const body of bodies) {
      const [name = "", version = ""] = Buffer.from(body).toString().split("@");
      named.add(name);
      if (this.clusters.get(name) === version) continue;
      if (version === "bad") refused.push(name);
      else {
        this.clusters.set(name, version);
        this.warming.add(name);
      }
    }
    for (const name of this.clusters.keys()) {
      if (named.has(name)) continue;
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

  #send(kind: ResourceKind, refused: readonly string[] = []): void {
    const names = {
      cluster: [],
      listener: [],
      route: ["r"],
      endpoint: [...this.clusters.keys()],
      virtualHost: [],
    };
    const message = `Error adding/updating cluster(s) ${refused.join(", ")}: no`;
    this.requests.push(
      create(DiscoveryRequestSchema, {
        typeUrl: RESOURCE_TYPE_URL[kind],
        resourceNames: names[kind],
        versionInfo: this.#versions.get(kind) ?? "",
        responseNonce: this.#nonces.get(kind) ?? "",
        ...(refused.length > 0 && { errorDetail: { code: 13, message } }),
      }),
    );
  }
}

/** The two and the wires between them. */
class World {
  readonly envoy = new EnvoyModel();
  readonly #responses: DiscoveryResponse[] = [];
  readonly #sets = new NameSets();
  #stream: AdsStream;
  #newest: Plan;
  /** Whether the network takes no more than one response at a time. */
  #isFull = false;

  constructor(first: Plan) {
    this.#newest = first;
    this.#stream = this.#connect();
  }

  #connect(held?: HeldState): AdsStream {
    this.#responses.length = 0;
    const stream = new AdsStream(
      {
        clientId: "c",
        variant: SOTW,
        controlPlane: "test",
        clock: new SimClock(),
        log: silentLogger,
        metrics: new MetricRegistry(),
        onBroken: (error) => {
          throw error;
        },
        sink: {
          write: (bytes) => {
            this.#responses.push(fromBinary(DiscoveryResponseSchema, bytes));
            return !this.#isFull;
          },
        },
      },
      snapshotOf(this.#newest),
      held,
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
      case "reconnect": {
        this.#stream.close();
        this.#stream = this.#connect(this.#stream.heldState);
        break;
      }
      case "fill":
        this.#isFull = true;
        break;
      case "drain":
        this.#isFull = false;
        this.#stream.drained();
        break;
      case "request": {
        const request = this.envoy.requests.shift();
        if (request === undefined) break;
        const bytes = toBinary(DiscoveryRequestSchema, request);
        const decoded = SOTW.decode(bytes, this.#sets);
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

  get isQuiet(): boolean {
    return this.envoy.requests.length === 0 && this.#responses.length === 0;
  }

  get isSettled(): boolean {
    return this.#stream.isSettled;
  }
}

type Action =
  | { readonly kind: "request" | "response" | "reconnect" | "fill" | "drain" }
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
  { weight: 1, arbitrary: fc.constant({ kind: "fill" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "drain" } as const) },
);

const STEPS_MAX = 500;

test("an AdsStream never breaks what its client has, and brings it all there is", () => {
  fc.assert(
    fc.property(
      plan(fc.constant("1")),
      fc.array(action, { maxLength: 120 }),
      plan(fc.constant("2")),
      (first, actions, last) => {
        const world = new World(first);
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
    { numRuns: 1500 },
  );
});
