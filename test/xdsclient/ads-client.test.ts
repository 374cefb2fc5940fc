import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NodeSchema } from "../../src/api/gen/envoy/config/core/v3/base_pb.js";
import { DiscoveryResponseSchema } from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { nodeClock } from "../../src/base/node-clock.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { AdsClient } from "../../src/xdsclient/ads-client.ts";
import type { Rejection, ResourceType } from "../../src/xdsclient/resource-type.ts";
import type { VariantName } from "../../src/xdsclient/wire-variant.ts";
import { FakeControlPlane, resourceOf } from "./fake-control-plane.ts";

/** Takes any body but those that begin with "bad". */
class RecordingType implements ResourceType {
  readonly typeUrl: string;
  readonly isWildcard: boolean;
  readonly taken: string[] = [];
  readonly removed: string[] = [];
  /** Until it settles, the next response is not looked at. */
  wait: Promise<void> | undefined = undefined;

  constructor(typeUrl: string, isWildcard: boolean) {
    this.typeUrl = typeUrl;
    this.isWildcard = isWildcard;
  }

  wants(name: string): boolean {
    return name.startsWith("r/");
  }

  apply({
    resources,
    removed,
  }: Parameters<ResourceType["apply"]>[0]): readonly Rejection[] | Promise<readonly Rejection[]> {
    const rejections: Rejection[] = [];
    for (const { body } of resources) {
      const name = body === undefined ? "nothing" : Buffer.from(body).toString();
      if (name.startsWith("bad")) rejections.push({ name, reason: "cannot be used" });
      else this.taken.push(name);
    }
    this.removed.push(...removed);
    return this.wait === undefined ? rejections : this.wait.then(() => rejections);
  }
}

const CLUSTER = "type/cluster";
const ENDPOINT = "type/endpoint";
const HOST = "type/host";

/** A client, and a control plane that it has asked for its clusters. */
class Bench {
  readonly clusters = new RecordingType(CLUSTER, true);
  readonly endpoints = new RecordingType(ENDPOINT, false);
  readonly hosts = new RecordingType(HOST, false);
  readonly client: AdsClient;
  server: FakeControlPlane;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  private constructor(variant: VariantName, server: FakeControlPlane, repeatsNode: boolean) {
    this.server = server;
    this.client = new AdsClient({
      addresses: [`127.0.0.1:${server.port}`],
      node: create(NodeSchema, { id: "sidecar~127.0.0.1~a.b~c" }),
      variant,
      repeatsNode,
      types: [this.clusters, this.endpoints, this.hosts],
      clock: nodeClock,
      prng: { next: () => 0 },
      log: silentLogger,
    });
  }

  static async start(variant: VariantName, repeatsNode = false): Promise<Bench> {
    const server = new FakeControlPlane(variant);
    await server.start();
    const bench = new Bench(variant, server, repeatsNode);
    bench.#done = bench.client.run(bench.#stop.signal);
    await bench.whenAsked(1);
    return bench;
  }

  /** When so many requests have come; the last of them. */
  async whenAsked(count: number): Promise<FakeControlPlane["requests"][number] | undefined> {
    await vi.waitUntil(() => this.server.requests.length >= count, 5_000);
    const { length } = this.server.requests;
    if (length > count) throw new Error(`${length} requests have come, not ${count}`);
    return this.server.requests.at(-1);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.server.stop();
  }
}

const VARIANTS: readonly VariantName[] = ["GRPC", "DELTA_GRPC"];

describe.each(VARIANTS)("AdsClient over %s", (variant) => {
  let bench: Bench;

  beforeEach(async () => {
    bench = await Bench.start(variant);
  });

  afterEach(() => bench.stop());

  test("asks for all of a wildcard type and names its node once", async () => {
    const { server, client } = bench;
    expect(server.requests[0]).toMatchObject({
      typeUrl: CLUSTER,
      responseNonce: "",
      node: { id: "sidecar~127.0.0.1~a.b~c" },
    });
    client.setNames(ENDPOINT, new Set(["y", "x"]));
    const second = await bench.whenAsked(2);
    const names = ["x", "y"];
    expect(second).toMatchObject({
      typeUrl: ENDPOINT,
      ...(variant === "GRPC" ? { resourceNames: names } : { resourceNamesSubscribe: names }),
    });
    expect(second?.node).toBeUndefined();
  });

  test("answers with the nonce of what it took", async () => {
    bench.server.send(CLUSTER, "v1", "n1", ["a", "b"]);
    const answer = await bench.whenAsked(2);
    expect(bench.clusters.taken).toEqual(["a", "b"]);
    expect(answer).toMatchObject({ typeUrl: CLUSTER, responseNonce: "n1" });
    expect(answer?.errorDetail).toBeUndefined();
    expect(answer).toMatchObject(variant === "GRPC" ? { versionInfo: "v1" } : {});
    expect(bench.client.isConnected).toBe(true);
    expect(bench.client.status()[0]).toMatchObject({ version: "v1", updates: 1, rejections: 0 });
  });

  test("refuses with the names and the reasons, and takes the rest", async () => {
    const { server, clusters, client } = bench;
    server.send(CLUSTER, "v1", "n1", ["a"]);
    server.send(CLUSTER, "v2", "n2", ["bad1", "c", "bad2"]);
    const refusal = await bench.whenAsked(3);
    expect(clusters.taken).toEqual(["a", "c"]);
    const message = "bad1: cannot be used; bad2: cannot be used";
    expect(refusal).toMatchObject({ responseNonce: "n2", errorDetail: { code: 13, message } });
    expect(refusal).toMatchObject(variant === "GRPC" ? { versionInfo: "v1" } : {});
    expect(client.status()[0]).toMatchObject({ version: "v1", rejection: message });
    // Later requests of the type do not refuse again.
    server.send(CLUSTER, "v3", "n3", ["d"]);
    expect((await bench.whenAsked(4))?.errorDetail).toBeUndefined();
    expect(client.status()[0]).toMatchObject({ version: "v3", updates: 2, rejections: 1 });
  });

  test("answers every response, one that repeats a nonce too", async () => {
    for (const version of ["v1", "v2", "v3"]) bench.server.send(CLUSTER, version, "n1", ["a"]);
    await bench.whenAsked(4);
    const nonces = bench.server.requests.map(({ responseNonce }) => responseNonce);
    expect(nonces).toEqual(["", "n1", "n1", "n1"]);
  });

  test("reads nothing more while a response is applied", async () => {
    let go = (): void => undefined;
    bench.clusters.wait = new Promise((resolve) => {
      go = resolve;
    });
    bench.server.send(CLUSTER, "v1", "n1", ["a"]);
    bench.server.send(CLUSTER, "v2", "n2", ["b"]);
    await vi.waitUntil(() => bench.clusters.taken.length > 0);
    bench.client.setNames(ENDPOINT, new Set(["x"]));
    expect((await bench.whenAsked(2))?.typeUrl).toBe(ENDPOINT);
    expect(bench.clusters.taken).toEqual(["a"]);
    go();
    await bench.whenAsked(4);
    expect(bench.clusters.taken).toEqual(["a", "b"]);
  });

  test("comes back to a control plane that was away, and says what it holds", async () => {
    bench.server.send(CLUSTER, "v0", "n0", ["a"]);
    await bench.whenAsked(2);
    bench.server.stop();
    await vi.waitUntil(() => !bench.client.isConnected);
    const { port } = bench.server;
    bench.server = new FakeControlPlane(variant);
    await bench.server.start(port);
    await vi.waitUntil(() => bench.server.requests.length > 0, 10_000);
    const held = { a: "v0" };
    expect(bench.server.requests[0]).toMatchObject(
      variant === "GRPC" ? { versionInfo: "v0" } : { initialResourceVersions: held },
    );
    bench.server.send(CLUSTER, "v1", "n1", ["b"]);
    await vi.waitUntil(() => bench.client.isConnected);
    await vi.waitUntil(() => bench.clusters.taken.includes("b"));
    expect(bench.clusters.taken).toEqual(["a", "b"]);
  });

  test("comes back after bytes that are no message", async () => {
    bench.server.write(Buffer.from("no message at all"));
    await vi.waitUntil(() => bench.server.streams.length === 2, 5_000);
    await bench.whenAsked(2);
    bench.server.send(CLUSTER, "v1", "n1", ["a"]);
    expect(await bench.whenAsked(3)).toMatchObject({ responseNonce: "n1" });
    expect(bench.clusters.taken).toEqual(["a"]);
  });
});

describe("AdsClient in state of the world", () => {
  let bench: Bench;

  beforeEach(async () => {
    bench = await Bench.start("GRPC");
  });

  afterEach(() => bench.stop());

  test("asks once for names that changed many times in one turn", async () => {
    const { client, server } = bench;
    for (const name of ["a", "b", "c"]) client.setNames(ENDPOINT, new Set([name]));
    await bench.whenAsked(2);
    server.send(ENDPOINT, "v1", "n1", ["c"]);
    await bench.whenAsked(3);
    client.setNames(ENDPOINT, new Set());
    await bench.whenAsked(4);
    const asked = server.requests
      .slice(1)
      .map((request) => ("resourceNames" in request ? request.resourceNames : undefined));
    expect(asked).toEqual([["c"], ["c"], []]);
    expect(server.requests[3]).toMatchObject({ versionInfo: "v1", responseNonce: "n1" });
  });

  test("says on a new stream what it holds, without the old nonce", async () => {
    const { client, server } = bench;
    client.setNames(ENDPOINT, new Set(["x"]));
    server.send(CLUSTER, "v7", "n1", ["a"]);
    await bench.whenAsked(3);
    server.streams[0]?.end();
    await bench.whenAsked(5);
    expect(server.requests[3]).toMatchObject({
      typeUrl: CLUSTER,
      versionInfo: "v7",
      responseNonce: "",
      node: { id: "sidecar~127.0.0.1~a.b~c" },
    });
    expect(server.requests[4]).toMatchObject({ typeUrl: ENDPOINT, resourceNames: ["x"] });
  });
});

describe("AdsClient in delta", () => {
  let bench: Bench;

  beforeEach(async () => {
    bench = await Bench.start("DELTA_GRPC");
  });

  afterEach(() => bench.stop());

  test("subscribes and unsubscribes by difference, without a nonce", async () => {
    const { client, server } = bench;
    client.setNames(ENDPOINT, new Set(["a", "b"]));
    await bench.whenAsked(2);
    server.send(ENDPOINT, "v1", "n1", ["a", "b"]);
    expect(await bench.whenAsked(3)).toMatchObject({
      responseNonce: "n1",
      resourceNamesSubscribe: [],
      resourceNamesUnsubscribe: [],
    });
    client.setNames(ENDPOINT, new Set(["b", "c"]));
    expect(await bench.whenAsked(4)).toMatchObject({
      responseNonce: "",
      resourceNamesSubscribe: ["c"],
      resourceNamesUnsubscribe: ["a"],
      initialResourceVersions: {},
    });
  });

  test("asks anew for a name that was given up and taken up in one turn", async () => {
    const { client } = bench;
    client.setNames(ENDPOINT, new Set(["a"]));
    await bench.whenAsked(2);
    client.setNames(ENDPOINT, new Set());
    client.setNames(ENDPOINT, new Set(["a"]));
    expect(await bench.whenAsked(3)).toMatchObject({
      resourceNamesSubscribe: ["a"],
      resourceNamesUnsubscribe: [],
    });
    client.askAgain(ENDPOINT, "a");
    client.askAgain(ENDPOINT, "never asked for");
    expect(await bench.whenAsked(4)).toMatchObject({ resourceNamesSubscribe: ["a"] });
  });

  test("says on a new stream what it holds, and all that it asks for", async () => {
    const { client, server } = bench;
    client.setNames(ENDPOINT, new Set(["x", "y", "bad"]));
    await bench.whenAsked(2);
    server.send(CLUSTER, "v7", "n1", ["a", "b", "c"]);
    server.send(ENDPOINT, "v1", "n2", ["x", "bad", "unasked"]);
    server.sendDelta({ typeUrl: CLUSTER, nonce: "n3", removedResources: ["b"] });
    await bench.whenAsked(5);
    server.streams[0]?.end();
    await bench.whenAsked(7);
    expect(server.requests[5]).toMatchObject({
      typeUrl: CLUSTER,
      responseNonce: "",
      resourceNamesSubscribe: [],
      initialResourceVersions: { a: "v7", c: "v7" },
      node: { id: "sidecar~127.0.0.1~a.b~c" },
    });
    // What was refused is asked for and not held; what nobody asked for is neither.
    expect(server.requests[6]).toMatchObject({
      typeUrl: ENDPOINT,
      resourceNamesSubscribe: ["bad", "x", "y"],
      initialResourceVersions: { x: "v1" },
    });
  });

  test("holds the last good version of what it refuses", async () => {
    const { server } = bench;
    server.send(CLUSTER, "v1", "n1", ["a"]);
    await bench.whenAsked(2);
    const resource = { typeUrl: CLUSTER, value: Buffer.from("a") };
    const ttl = { seconds: 5n };
    server.sendDelta({
      typeUrl: CLUSTER,
      nonce: "n2",
      resources: [{ name: "a", version: "v2", resource, ttl }, resourceOf(CLUSTER, "b", "v2")],
    });
    const refusal = await bench.whenAsked(3);
    expect(refusal?.errorDetail?.message).toBe(
      "a: ttl: is not supported yet, send it without and remove it when it ends",
    );
    expect(bench.clusters.taken).toEqual(["a", "b"]);
    server.streams[0]?.end();
    expect(await bench.whenAsked(4)).toMatchObject({
      initialResourceVersions: { a: "v1", b: "v2" },
    });
  });

  test("leaves alone what it never asked for", async () => {
    const { client, server, endpoints } = bench;
    client.setNames(ENDPOINT, new Set(["x"]));
    await bench.whenAsked(2);
    server.sendDelta({
      typeUrl: ENDPOINT,
      nonce: "n1",
      resources: [resourceOf(ENDPOINT, "bad", "1"), resourceOf(ENDPOINT, "x", "1")],
      removedResources: ["y", "z"],
    });
    const answer = await bench.whenAsked(3);
    expect(answer?.errorDetail).toBeUndefined();
    expect(endpoints.taken).toEqual(["x"]);
    expect(endpoints.removed).toEqual([]);
    // A type that was not declared is no answer to anything.
    server.sendDelta({ typeUrl: "type/other", nonce: "n2", resources: [] });
    server.send(CLUSTER, "v1", "n3", []);
    expect(await bench.whenAsked(4)).toMatchObject({ responseNonce: "n3" });
  });

  test("asks for everything beside names, and takes what somebody wants of it", async () => {
    const { client, server, hosts } = bench;
    client.setNames(HOST, new Set(["*"]));
    expect(await bench.whenAsked(2)).toMatchObject({ resourceNamesSubscribe: [] });
    server.sendDelta({
      typeUrl: HOST,
      nonce: "n1",
      resources: [
        resourceOf(HOST, "r/a", "1"),
        resourceOf(HOST, "s/b", "1"),
        { name: "r/c", version: "1", aliases: ["r/d"] },
      ],
    });
    await bench.whenAsked(3);
    expect(hosts.taken).toEqual(["r/a", "nothing"]);
    client.setNames(HOST, new Set(["*", "r/d"]));
    expect(await bench.whenAsked(4)).toMatchObject({ resourceNamesSubscribe: ["r/d"] });
    server.streams[0]?.end();
    await bench.whenAsked(6);
    expect(server.requests[5]).toMatchObject({
      resourceNamesSubscribe: ["*", "r/d"],
      initialResourceVersions: { "r/a": "1" },
    });
  });

  test("takes 50,000 removals in one response, most of what nobody has", async () => {
    const { server, clusters } = bench;
    server.send(CLUSTER, "v1", "n1", ["c1", "kept"]);
    const removedResources = Array.from({ length: 50_000 }, (_, at) => `c${at}`);
    server.sendDelta({ typeUrl: CLUSTER, nonce: "n2", removedResources });
    await bench.whenAsked(3);
    expect(clusters.removed).toHaveLength(50_000);
    server.streams[0]?.end();
    expect(await bench.whenAsked(4)).toMatchObject({ initialResourceVersions: { kept: "v1" } });
  });

  test.each([
    [
      "a name twice",
      { resources: [resourceOf(CLUSTER, "a", "1"), resourceOf(CLUSTER, "a", "2")] },
      "duplicate name a found among added/updated resources",
    ],
    [
      "a name that comes and goes",
      { resources: [resourceOf(CLUSTER, "a", "1")], removedResources: ["a"] },
      "duplicate name a found in the union of added+removed resources",
    ],
    [
      "another type",
      { resources: [resourceOf("type/other", "a", "1")] },
      "type URL type/other does not match type/cluster",
    ],
  ])("refuses a response with %s as a whole", async (_, response, reason) => {
    bench.server.sendDelta({ typeUrl: CLUSTER, nonce: "n1", ...response });
    expect((await bench.whenAsked(2))?.errorDetail?.message).toBe(reason);
    expect(bench.clusters.taken).toEqual([]);
  });
});

test("AdsClient names its node in every request where it is told to", async () => {
  const bench = await Bench.start("DELTA_GRPC", true);
  bench.server.send(CLUSTER, "v1", "n1", []);
  expect((await bench.whenAsked(2))?.node?.id).toBe("sidecar~127.0.0.1~a.b~c");
  await bench.stop();
});

test("AdsClient in state of the world refuses resources of another type", async () => {
  const bench = await Bench.start("GRPC");
  const schema = DiscoveryResponseSchema;
  const resources = [{ typeUrl: "type/other", value: Buffer.from("a") }];
  const response = create(schema, { typeUrl: CLUSTER, versionInfo: "v1", nonce: "n1", resources });
  bench.server.write(Buffer.from(toBinary(schema, response)));
  expect((await bench.whenAsked(2))?.errorDetail?.message).toBe(
    "type URL type/other does not match type/cluster",
  );
  expect(bench.clusters.taken).toEqual([]);
  await bench.stop();
});
