import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AdsServer, type AdsServerOptions } from "../../src/ads/server.ts";
import type { SnapshotSource } from "../../src/ads/snapshot-source.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { MetricRegistry } from "../../src/telemetry/metrics.ts";
import { AdsClient, DeltaAdsClient } from "./ads-client.ts";
import { until } from "./until.ts";
import { fixtureSnapshot } from "./xds-fixture.ts";

const BEFORE = fixtureSnapshot({ clusters: { v1: 1 }, target: "v1" });
const AFTER = fixtureSnapshot({ clusters: { v2: 1 }, target: "v2" });

const ended: string[] = [];
const source: SnapshotSource = {
  connect: (_clientId, node) =>
    node.id.startsWith("sidecar~")
      ? { ok: true, value: BEFORE }
      : { ok: false, issues: [{ path: "node.id", message: `"${node.id}" is no node id` }] },
  want: () => false,
  disconnect: (clientId) => ended.push(clientId),
};

const CLIENTS_MAX = 2;
let server: AdsServer;
let metrics: MetricRegistry;
const clients: { close(): void }[] = [];

beforeEach(async () => {
  ended.length = 0;
  metrics = new MetricRegistry();
  server = serverOf({ clientsMax: CLIENTS_MAX });
  await server.start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

function serverOf(options: Partial<AdsServerOptions>): AdsServer {
  return new AdsServer({
    addr: "127.0.0.1:0",
    source,
    clock: nodeClock,
    log: silentLogger,
    metrics,
    controlPlane: "weft test",
    ...options,
  });
}

function connect(): AdsClient {
  const client = new AdsClient(server.port);
  clients.push(client);
  return client;
}

function connectDelta(): DeltaAdsClient {
  const client = new DeltaAdsClient(server.port);
  clients.push(client);
  return client;
}

describe("AdsServer over gRPC", () => {
  test("answers, pushes and shows who has what", async () => {
    const client = connect();
    client.ask("cluster", [], "sidecar~1");
    const first = await client.response("cluster");
    expect(first.resources.map(({ typeUrl }) => typeUrl)).toEqual([first.typeUrl]);
    expect(first.controlPlane?.identifier).toBe("weft test");
    expect(server.clients()[0]?.kinds.cluster.state).toBe("STALE");

    client.send({
      typeUrl: first.typeUrl,
      versionInfo: first.versionInfo,
      responseNonce: first.nonce,
    });
    await until(() => server.clients()[0]?.kinds.cluster.state === "SYNCED", "the ACK");

    server.push(server.clients()[0]?.clientId ?? "", AFTER);
    const second = await client.response("cluster", 2);
    expect(second.resources).toHaveLength(2);
    client.send({
      typeUrl: second.typeUrl,
      versionInfo: first.versionInfo,
      responseNonce: second.nonce,
      errorDetail: { code: 13, message: "I will not" },
    });
    await until(() => server.clients()[0]?.kinds.cluster.nackedMessage, "the NACK");
    expect(server.clients()[0]?.kinds.cluster).toMatchObject({
      sentVersion: expect.stringMatching(/^[0-9a-f]{20}$/),
      ackedVersion: first.versionInfo,
      nackedVersion: second.versionInfo,
      nackedMessage: "I will not",
    });
  });

  test("refuses a node that the source refuses, with its words", async () => {
    const client = connect();
    client.ask("cluster", [], "me");
    const error = await until(() => client.error, "the refusal");
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toBe('node.id: "me" is no node id');
  });

  test("refuses bytes that are no request", async () => {
    const client = connect();
    client.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
    const error = await until(() => client.error, "the refusal");
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toContain("not a DiscoveryRequest");
  });

  test("refuses a node that is none", async () => {
    const client = connect();
    client.sendBytes(Buffer.from([0x12, 0x01, 0xff]));
    const error = await until(() => client.error, "the refusal");
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toContain("not a Node");
  });

  test("answers and pushes in the incremental variant, and shows what was refused", async () => {
    const client = connectDelta();
    client.ask("cluster", [], "sidecar~1");
    const first = await client.response("cluster");
    expect(first.resources.map(({ name }) => name)).toEqual(["v1"]);
    expect(first.controlPlane?.identifier).toBe("weft test");
    client.send({ typeUrl: first.typeUrl, responseNonce: first.nonce });
    await until(() => server.clients()[0]?.kinds.cluster.state === "SYNCED", "the ACK");
    expect(server.clients()[0]?.variant).toBe("delta");

    server.push(server.clients()[0]?.clientId ?? "", AFTER);
    const second = await client.response("cluster", 2);
    expect(second.resources.map(({ name }) => name)).toEqual(["v2"]);
    const errorDetail = { code: 13, message: "v2: I will not" };
    client.send({ typeUrl: second.typeUrl, responseNonce: second.nonce, errorDetail });
    const refused = (): ReadonlyMap<string, string> | undefined =>
      server.clients()[0]?.kinds.cluster.refused;
    await until(() => refused()?.has("v2"), "the NACK");
    expect(refused()).toEqual(new Map([["v2", "I will not"]]));
  });

  test("refuses clients over the limit and serves others when one has gone", async () => {
    const [first, second] = [connect(), connect()];
    first.ask("cluster", [], "sidecar~1");
    second.ask("cluster", [], "sidecar~2");
    await first.response("cluster");
    await second.response("cluster");
    const third = connect();
    third.ask("cluster", [], "sidecar~3");
    const error = await until(() => third.error, "the refusal");
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    first.close();
    await until(() => ended.length === 1, "the end of the first");
    const fourth = connect();
    fourth.ask("cluster", [], "sidecar~4");
    await fourth.response("cluster");
    expect(server.clients().map(({ node }) => node.id)).toEqual(["sidecar~2", "sidecar~4"]);
  });

  test("for a client that does not read one response waits, however many it asks for", async () => {
    const body = Buffer.alloc(3_000_000);
    const big = { name: "big", version: "1", body, origins: [], references: [] };
    const client = connectDelta();
    client.ask("listener", [], "sidecar~1");
    await client.response("listener");
    const clientId = server.clients()[0]?.clientId ?? "";
    const resources = { ...BEFORE.resources, cluster: new Map([["big", big]]) };
    server.push(clientId, { resources });
    client.pause();
    const ASKED = 50;
    for (let count = 0; count < ASKED; count++) client.ask("cluster", ["big"]);
    client.ask("endpoint", ["the last"]);
    const asked = (): boolean =>
      server.clients()[0]?.kinds.endpoint.names?.has("the last") === true;
    await until(asked, "all requests to be read");
    const responses = server.clients()[0]?.sent.responses ?? 0;
    expect(responses).toBeLessThan(ASKED / 5);
    client.resume();
    // One of them was for the listeners.
    await client.response("cluster", responses - 1);
  });

  test("a client that asks without end is slowed down, others are served", async () => {
    const loud = connect();
    loud.ask("cluster", [], "sidecar~1");
    const { typeUrl } = await loud.response("cluster");
    const FLOOD = 5000;
    for (let count = 0; count < FLOOD; count++) loud.send({ typeUrl, responseNonce: "no such" });
    const quiet = connect();
    quiet.ask("cluster", [], "sidecar~2");
    await quiet.response("cluster");
    await until(() => metrics.value("weft_xds_throttled_requests") > 0, "the brake");
    expect(server.clients()).toHaveLength(2);
  });

  test("new streams over the limit wait for their turn", async () => {
    const limited = serverOf({ streamsPerSecond: 4, clientsMax: 100 });
    await limited.start();
    const many = Array.from({ length: 8 }, () => new AdsClient(limited.port));
    try {
      for (const [index, client] of many.entries()) client.ask("cluster", [], `sidecar~${index}`);
      await until(() => metrics.value("weft_xds_streams_waiting") > 0, "some to wait");
      for (const client of many) await client.response("cluster");
      expect(limited.clients()).toHaveLength(8);
    } finally {
      for (const client of many) client.close();
      await limited.stop();
    }
  });

  test("`stop()` ends streams one after the other", async () => {
    const spread = serverOf({ stopSpreadMs: 200, clientsMax: 100 });
    await spread.start();
    const many = Array.from({ length: 10 }, () => new AdsClient(spread.port));
    try {
      for (const [index, client] of many.entries()) client.ask("cluster", [], `sidecar~${index}`);
      for (const client of many) await client.response("cluster");
      const stopped = spread.stop();
      await until(() => many.some(({ error }) => error !== undefined), "the first end");
      const left = many.filter(({ error }) => error === undefined).length;
      await stopped;
      await until(() => many.every(({ error }) => error !== undefined), "all ends");
      expect(left).toBeGreaterThan(0);
      expect(new Set(many.map(({ error }) => error?.code))).toEqual(new Set([status.UNAVAILABLE]));
    } finally {
      for (const client of many) client.close();
    }
  });

  test("`stop()` ends streams with UNAVAILABLE", async () => {
    const client = connect();
    client.ask("cluster", [], "sidecar~1");
    await client.response("cluster");
    await server.stop();
    const error = await until(() => client.error, "the end");
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(ended).toEqual(["sidecar~1-1"]);
  });
});
