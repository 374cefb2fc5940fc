import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AdsServer } from "../../src/ads/server.ts";
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
const clients: { close(): void }[] = [];

beforeEach(async () => {
  ended.length = 0;
  server = new AdsServer({
    addr: "127.0.0.1:0",
    source,
    clock: nodeClock,
    log: silentLogger,
    metrics: new MetricRegistry(),
    controlPlane: "weft test",
    clientsMax: CLIENTS_MAX,
  });
  await server.start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

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
