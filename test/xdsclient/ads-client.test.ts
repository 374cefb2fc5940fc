import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NodeSchema } from "../../src/api/gen/envoy/config/core/v3/base_pb.js";
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { nodeClock } from "../../src/base/node-clock.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { AdsClient } from "../../src/xdsclient/ads-client.ts";
import type { Rejection, ResourceType } from "../../src/xdsclient/resource-type.ts";

type Stream = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;

/** A control plane that says what a test tells it to, and keeps what it is told. */
class FakeControlPlane {
  readonly requests: DiscoveryRequest[] = [];
  readonly streams: Stream[] = [];
  readonly #server = new Server();
  port = 0;

  async start(port = 0): Promise<void> {
    this.#server.addService(
      {
        StreamAggregatedResources: {
          path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
          requestStream: true,
          responseStream: true,
          requestSerialize: (request: DiscoveryRequest) =>
            Buffer.from(toBinary(DiscoveryRequestSchema, request)),
          requestDeserialize: (bytes: Buffer) => fromBinary(DiscoveryRequestSchema, bytes),
          responseSerialize: (response: DiscoveryResponse) =>
            Buffer.from(toBinary(DiscoveryResponseSchema, response)),
          responseDeserialize: (bytes: Buffer) => fromBinary(DiscoveryResponseSchema, bytes),
        },
      },
      {
        StreamAggregatedResources: (stream: Stream) => {
          this.streams.push(stream);
          stream.on("data", (request: DiscoveryRequest) => this.requests.push(request));
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

  send(typeUrl: string, version: string, nonce: string, bodies: readonly string[]): void {
    this.streams.at(-1)?.write(
      create(DiscoveryResponseSchema, {
        typeUrl,
        versionInfo: version,
        nonce,
        resources: bodies.map((body) => ({ typeUrl, value: Buffer.from(body) })),
      }),
    );
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

/** Takes any body but those that begin with "bad". */
function recordingType(typeUrl: string, isWildcard: boolean): ResourceType & { taken: string[] } {
  const taken: string[] = [];
  return {
    typeUrl,
    isWildcard,
    taken,
    apply(bodies): readonly Rejection[] {
      const texts = bodies.map((body) => Buffer.from(body).toString());
      taken.push(...texts.filter((text) => !text.startsWith("bad")));
      return texts
        .filter((text) => text.startsWith("bad"))
        .map((name) => ({ name, reason: "cannot be used" }));
    },
  };
}

describe("AdsClient", () => {
  let server: FakeControlPlane;
  let client: AdsClient;
  let stop: AbortController;
  let done: Promise<void>;
  const clusters = recordingType("type/cluster", true);
  const endpoints = recordingType("type/endpoint", false);

  beforeEach(async () => {
    clusters.taken.length = 0;
    endpoints.taken.length = 0;
    server = new FakeControlPlane();
    await server.start();
    stop = new AbortController();
    client = new AdsClient({
      addresses: [`127.0.0.1:${server.port}`],
      node: create(NodeSchema, { id: "sidecar~127.0.0.1~a.b~c" }),
      types: [clusters, endpoints],
      clock: nodeClock,
      prng: { next: () => 0 },
      log: silentLogger,
    });
    done = client.run(stop.signal);
    await vi.waitUntil(() => server.requests.length === 1);
  });

  afterEach(async () => {
    stop.abort();
    await done;
    server.stop();
  });

  test("asks for all of a wildcard type and names its node once", async () => {
    expect(server.requests[0]).toMatchObject({
      typeUrl: "type/cluster",
      resourceNames: [],
      versionInfo: "",
      node: { id: "sidecar~127.0.0.1~a.b~c" },
    });
    client.setNames("type/endpoint", new Set(["y", "x"]));
    await vi.waitFor(() => expect(server.requests).toHaveLength(2));
    expect(server.requests[1]).toMatchObject({
      typeUrl: "type/endpoint",
      resourceNames: ["x", "y"],
    });
    expect(server.requests[1]?.node).toBeUndefined();
  });

  test("answers with the version and nonce that it took", async () => {
    server.send("type/cluster", "v1", "n1", ["a", "b"]);
    await vi.waitFor(() => expect(server.requests).toHaveLength(2));
    expect(clusters.taken).toEqual(["a", "b"]);
    expect(server.requests[1]).toMatchObject({ versionInfo: "v1", responseNonce: "n1" });
    expect(server.requests[1]?.errorDetail).toBeUndefined();
    expect(client.isConnected).toBe(true);
  });

  test("refuses with the last good version, the names and the reasons, and takes the rest", async () => {
    server.send("type/cluster", "v1", "n1", ["a"]);
    server.send("type/cluster", "v2", "n2", ["bad1", "c", "bad2"]);
    await vi.waitFor(() => expect(server.requests).toHaveLength(3));
    expect(clusters.taken).toEqual(["a", "c"]);
    expect(server.requests[2]).toMatchObject({
      versionInfo: "v1",
      responseNonce: "n2",
      errorDetail: { code: 13, message: "bad1: cannot be used; bad2: cannot be used" },
    });
    // Later requests of the type do not refuse again.
    server.send("type/cluster", "v3", "n3", ["d"]);
    await vi.waitFor(() => expect(server.requests).toHaveLength(4));
    expect(server.requests[3]?.errorDetail).toBeUndefined();
    expect(client.status()[0]).toMatchObject({ version: "v3", updates: 2, rejections: 1 });
  });

  test("asks once for names that changed many times in one turn", async () => {
    for (const name of ["a", "b", "c"]) client.setNames("type/endpoint", new Set([name]));
    await vi.waitFor(() => expect(server.requests).toHaveLength(2));
    server.send("type/endpoint", "v1", "n1", ["c"]);
    await vi.waitFor(() => expect(server.requests).toHaveLength(3));
    client.setNames("type/endpoint", new Set());
    await vi.waitFor(() => expect(server.requests).toHaveLength(4));
    expect(server.requests.slice(1).map(({ resourceNames }) => resourceNames)).toEqual([
      ["c"],
      ["c"],
      [],
    ]);
    expect(server.requests[3]).toMatchObject({ versionInfo: "v1", responseNonce: "n1" });
  });

  test("says on a new stream what it holds, without the old nonce", async () => {
    client.setNames("type/endpoint", new Set(["x"]));
    server.send("type/cluster", "v7", "n1", ["a"]);
    await vi.waitFor(() => expect(server.requests).toHaveLength(3));
    server.streams[0]?.end();
    await vi.waitFor(() => expect(server.requests).toHaveLength(5));
    expect(server.requests[3]).toMatchObject({
      typeUrl: "type/cluster",
      versionInfo: "v7",
      responseNonce: "",
      node: { id: "sidecar~127.0.0.1~a.b~c" },
    });
    expect(server.requests[4]).toMatchObject({ typeUrl: "type/endpoint", resourceNames: ["x"] });
  });

  test("comes back to a control plane that was away", async () => {
    server.send("type/cluster", "v0", "n0", []);
    await vi.waitUntil(() => client.isConnected);
    server.stop();
    await vi.waitUntil(() => !client.isConnected);
    const { port } = server;
    server = new FakeControlPlane();
    await server.start(port);
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(0), 10_000);
    server.send("type/cluster", "v1", "n1", ["a"]);
    await vi.waitFor(() => expect(client.isConnected).toBe(true));
  });

  test("refuses a response whose resources are of another type", async () => {
    server.streams[0]?.write(
      create(DiscoveryResponseSchema, {
        typeUrl: "type/cluster",
        versionInfo: "v1",
        nonce: "n1",
        resources: [{ typeUrl: "type/other", value: Buffer.from("a") }],
      }),
    );
    await vi.waitFor(() => expect(server.requests).toHaveLength(2));
    expect(server.requests[1]?.errorDetail?.message).toBe(
      "type URL type/other does not match type/cluster",
    );
    expect(clusters.taken).toEqual([]);
  });
});
