import { afterEach, describe, expect, test } from "vitest";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import { decodeYaml } from "../../src/config/yaml.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { type FindingsChange, formatFinding } from "../../src/controlplane/findings.ts";
import { ListenError } from "../../src/controlplane/listen-error.ts";
import type { ConfigBatch, ConfigSource } from "../../src/source/source.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { AdsClient } from "./ads-client.ts";
import { appYaml, routeYaml } from "./mesh-folder.ts";
import { until } from "./until.ts";

const APP = appYaml({ v1: "127.66.0.1", v2: "127.66.0.2", port: 9080 });
const NODE = "sidecar~127.66.0.9~client.default~default.svc.cluster.local";

/** A source in the test's hand. */
class ManualSource implements ConfigSource {
  readonly name = "manual";
  readonly #first: ConfigBatch;
  runs = 0;
  push: (text: string) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  constructor(text: string) {
    this.#first = batchOf(text);
  }

  async run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    this.runs += 1;
    this.push = (text) => onBatch(batchOf(text));
    onBatch(this.#first);
    await new Promise<void>((resolve, reject) => {
      this.fail = reject;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

function batchOf(text: string): ConfigBatch {
  const { objects } = decodeYaml(text, "mesh.yaml", { defaultNamespace: "default" });
  return {
    events: objects.map(({ object, file, line }) => ({
      type: "set",
      object,
      origin: { file, line },
    })),
    refused: [],
  };
}

const open: { stop(): Promise<void> }[] = [];
const clients: AdsClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const one of open.splice(0)) await one.stop();
});

async function start(
  source: ConfigSource,
  changes: FindingsChange[] = [],
  grpcPort = 0,
): Promise<ControlPlane> {
  const controlPlane = new ControlPlane({
    source,
    grpcAddr: `127.0.0.1:${grpcPort}`,
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: nodePrng,
    log: silentLogger,
    onFindings: (change) => changes.push(change),
  });
  await controlPlane.start();
  open.push(controlPlane);
  return controlPlane;
}

function connect(controlPlane: ControlPlane): AdsClient {
  const client = new AdsClient(controlPlane.ports.grpc);
  clients.push(client);
  client.send({
    typeUrl: RESOURCE_TYPE_URL.route,
    resourceNames: ["http_proxy"],
    node: { id: NODE, metadata: { INTERCEPTION_MODE: "NONE" } },
  });
  return client;
}

describe("ControlPlane", () => {
  test("`whenUnused()` waits until every proxy has acknowledged that an address is left", async () => {
    const source = new ManualSource(APP);
    const controlPlane = await start(source);
    const client = new AdsClient(controlPlane.ports.grpc);
    clients.push(client);
    const node = { id: NODE, metadata: { INTERCEPTION_MODE: "NONE" } };
    const names = ["outbound|9080||reviews.default.svc.cluster.local"];
    const acknowledge = async (kind: "cluster" | "endpoint", count: number): Promise<void> => {
      const { typeUrl, versionInfo, nonce } = await client.response(kind, count);
      const resourceNames = kind === "endpoint" ? names : [];
      client.send({ typeUrl, resourceNames, versionInfo, responseNonce: nonce });
    };
    client.send({ typeUrl: RESOURCE_TYPE_URL.cluster, node });
    await acknowledge("cluster", 1);
    client.ask("endpoint", names);
    await acknowledge("endpoint", 1);
    let isOver = false;
    const never = new AbortController();
    const waiting = controlPlane.whenUnused("127.66.0.1", never.signal).then(() => {
      isOver = true;
    });
    await nodeClock.sleep(50);
    expect(isOver).toBe(false);
    source.push(appYaml({ v1: "127.66.0.3", v2: "127.66.0.2", port: 9080 }));
    await client.response("endpoint", 2);
    await nodeClock.sleep(50);
    expect(isOver).toBe(false);
    const bound = AbortSignal.timeout(100);
    await controlPlane.whenUnused("127.66.0.1", bound);
    expect(bound.aborted).toBe(true);
    await acknowledge("endpoint", 2);
    await waiting;
    await controlPlane.whenUnused("127.66.0.1", never.signal);
  });

  test("shows which proxy has what of which object, and which object it refused", async () => {
    const source = new ManualSource(`${APP}---\n${routeYaml("v1")}`);
    const controlPlane = await start(source);
    const client = connect(controlPlane);
    const first = await client.response("route");
    const { typeUrl } = first;
    client.send({
      typeUrl,
      resourceNames: ["http_proxy"],
      versionInfo: first.versionInfo,
      responseNonce: first.nonce,
    });
    const route = () =>
      controlPlane.status().objects.find(({ object }) => object.startsWith("VirtualService"));
    await until(() => route()?.acked === 1, "the ACK");
    expect(route()).toEqual({
      object: "VirtualService/default/reviews",
      state: "Distributed",
      proxies: 1,
      acked: 1,
      rejections: [],
    });

    source.push(routeYaml("v2"));
    const second = await client.response("route", 2);
    client.send({
      typeUrl,
      resourceNames: ["http_proxy"],
      responseNonce: second.nonce,
      errorDetail: { code: 13, message: "http_proxy: I will not" },
    });
    await until(() => route()?.state === "Rejected", "the NACK");
    expect(route()?.rejections).toEqual([
      expect.objectContaining({
        proxy: "client.default",
        type: "rds",
        message: "http_proxy: I will not",
      }),
    ]);
    const [proxy] = controlPlane.status().proxies;
    expect(proxy).toMatchObject({
      proxy: "client.default",
      states: { cds: "NOT SENT", eds: "NOT SENT", lds: "NOT SENT", rds: "NACKED" },
      rejections: [
        {
          type: "rds",
          message: "http_proxy: I will not",
          objects: expect.arrayContaining(["VirtualService/default/reviews"]),
        },
      ],
    });
  });

  test("tells what is wrong before it serves, and what comes and goes later", async () => {
    const changes: FindingsChange[] = [];
    const source = new ManualSource(`${APP}---\n${routeYaml("v9")}`);
    await start(source, changes);
    const texts = (change: FindingsChange | undefined) => ({
      appeared: change?.appeared.map(formatFinding),
      resolved: change?.resolved.map(formatFinding),
    });
    expect(texts(changes[0]).appeared).toEqual([
      expect.stringMatching(/^mesh\.yaml:\d+: VirtualService\/default\/reviews: .*"v9"/),
    ]);
    source.push(routeYaml("v1"));
    await until(() => changes.length > 1, "the change");
    expect(texts(changes[1])).toEqual({ appeared: [], resolved: texts(changes[0]).appeared });
  });

  test("collects changes that come together into one push", async () => {
    const source = new ManualSource(`${APP}---\n${routeYaml("v1")}`);
    const controlPlane = await start(source);
    const client = connect(controlPlane);
    await client.response("route");
    for (const version of ["v2", "v1", "v2"]) source.push(routeYaml(version));
    const { nonce } = await client.response("route", 2);
    expect(nonce).toBe("2");
    expect(controlPlane.metrics.value("pilot_xds_pushes", { type: "rds" })).toBe(2);
  });

  test("goes on with what it has when the source fails, and takes it up again", async () => {
    const source = new ManualSource(APP);
    const controlPlane = await start(source);
    source.fail(new Error("disk on fire"));
    const client = connect(controlPlane);
    expect((await client.response("route")).resources).toHaveLength(1);
    await until(() => source.runs === 2, "the second run");
    source.push(routeYaml("v2"));
    await client.response("route", 2);
    expect(controlPlane.status().proxies).toHaveLength(1);
  });

  test("rejects a source that fails at its start, and leaves nothing open", async () => {
    const failing: ConfigSource = {
      name: "failing",
      run: () => Promise.reject(new Error("no such thing")),
    };
    await expect(start(failing)).rejects.toThrow("no such thing");
  });

  test("runs beside another one, and names an address that is taken", async () => {
    const [first, second] = [await start(new ManualSource(APP)), await start(new ManualSource(""))];
    expect(first.ports.grpc).not.toBe(second.ports.grpc);
    const third = start(new ManualSource(APP), [], first.ports.grpc);
    await expect(third).rejects.toThrow(ListenError);
    await expect(third).rejects.toThrow(`cannot listen on 127.0.0.1:${first.ports.grpc}`);
  });

  test("refuses a node that it cannot serve, with the reason", async () => {
    const controlPlane = await start(new ManualSource(APP));
    const client = new AdsClient(controlPlane.ports.grpc);
    clients.push(client);
    client.ask("cluster", [], "waypoint~127.66.0.9~client.default~default.svc.cluster.local");
    const error = await until(() => client.error, "the refusal");
    expect(error.details).toContain("node.id");
  });

  test("a finding goes with its line when only that moves", async () => {
    const broken = `${APP}\n---\n${routeYaml("v9")}`;
    const source = new ManualSource(broken);
    const controlPlane = await start(source);
    const lines = (): readonly (number | undefined)[] =>
      controlPlane.status().findings.map(({ origin }) => origin?.line);
    const before = lines();
    expect(before.length).toBeGreaterThan(0);
    source.push(`# one more line\n${broken}`);
    const moved = before.map((line) => (line ?? 0) + 1);
    await until(() => lines().join() === moved.join(), "the lines to move");
  });
});
