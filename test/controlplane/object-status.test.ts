import { afterEach, describe, expect, test } from "vitest";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import type { Condition } from "../../src/config/condition.ts";
import type { ObjectKey } from "../../src/config/object.ts";
import { decodeYaml } from "../../src/config/yaml.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { MESH_KINDS } from "../../src/model/mesh.ts";
import { StorageSource } from "../../src/source/storage-source.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { AdsClient } from "./ads-client.ts";
import { appYaml, routeYaml } from "./mesh-folder.ts";
import { until } from "./until.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const KEY: ObjectKey = {
  group: "networking.istio.io",
  kind: "VirtualService",
  namespace: "default",
  name: "reviews",
};

const NODE = "sidecar~127.66.0.9~client.default~default.svc.cluster.local";

interface Status {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly validationMessages?: unknown;
}

/** A control plane on a storage in memory. */
class Rig {
  readonly storage = new MemoryStorage({ clock: nodeClock });
  readonly controlPlane = new ControlPlane({
    source: new StorageSource(this.storage, MESH_KINDS, nodeClock),
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: createPrng(1),
    log: silentLogger,
  });

  static async start(): Promise<Rig> {
    const rig = new Rig();
    closers.push(() => rig.controlPlane.stop());
    await rig.controlPlane.start();
    return rig;
  }

  async apply(text: string): Promise<void> {
    for (const { object } of decodeYaml(text, "a.yaml", { defaultNamespace: "default" }).objects) {
      await this.storage
        .update(object)
        .catch(() => this.storage.create(object))
        .catch(() => undefined);
    }
  }

  get status(): Status {
    return (this.storage.get(KEY) as { status?: Status } | undefined)?.status ?? {};
  }

  condition(type: string): Partial<Condition> {
    return this.status.conditions?.find((one) => one.type === type) ?? {};
  }

  connect(): AdsClient {
    const client = new AdsClient(this.controlPlane.ports.grpc);
    closers.push(() => client.close());
    client.send({
      typeUrl: RESOURCE_TYPE_URL.route,
      resourceNames: ["http_proxy"],
      node: { id: NODE, metadata: { INTERCEPTION_MODE: "NONE" } },
    });
    return client;
  }
}

async function answer(client: AdsClient, count: number, refusal?: string): Promise<void> {
  const { typeUrl, versionInfo, nonce } = await client.response("route", count);
  client.send({
    typeUrl,
    resourceNames: ["http_proxy"],
    responseNonce: nonce,
    ...(refusal === undefined ? { versionInfo } : { errorDetail: { code: 13, message: refusal } }),
  });
}

const APP = appYaml({ v1: "127.66.0.1", v2: "127.66.0.2", port: 9080 });

describe("an object's status", () => {
  test("says what is wrong with it, until that is mended", async () => {
    const rig = await Rig.start();
    await rig.apply(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [x.test], http: [{route: [{destination: {host: reviews}}]}]}
`);
    await until(() => rig.status.validationMessages !== undefined, "the status to say it");
    expect(rig.status.validationMessages).toEqual([
      {
        level: "WARNING",
        path: "spec.http[0].route[0].destination.host",
        message: 'there is no service "reviews.default.svc.cluster.local"',
      },
    ]);
    expect(rig.condition("Reconciled")).toMatchObject({ status: "True", observedGeneration: 1 });
    expect(rig.storage.get(KEY)?.metadata.generation).toBe(1);
    await rig.apply(APP);
    await until(() => rig.status.validationMessages === undefined, "the status to forget it");
  });

  test("says that a proxy refused it, in the proxy's words, until it takes it", async () => {
    const rig = await Rig.start();
    await rig.apply(`${APP}---\n${routeYaml("v1")}`);
    await until(() => rig.condition("Distributed").reason === "NoProxies", "nobody to be there");
    expect(rig.condition("Distributed").status).toBe("Unknown");

    const client = rig.connect();
    await answer(client, 1);
    await until(() => rig.condition("Distributed").status === "True", "the ACK");
    expect(rig.condition("Distributed")).toMatchObject({
      reason: "Distributed",
      message: "1/1 proxies",
    });

    await rig.apply(routeYaml("v2"));
    await answer(client, 2, "http_proxy: I will not");
    await until(() => rig.condition("Distributed").reason === "Rejected", "the NACK");
    expect(rig.condition("Distributed")).toMatchObject({
      status: "False",
      message: "Rejected by client.default: http_proxy: I will not; 0/1 proxies",
      observedGeneration: 2,
    });
    expect(rig.status.observedGeneration).toBe(2);

    await rig.apply(routeYaml("v1"));
    await answer(client, 3);
    await until(() => rig.condition("Distributed").status === "True", "it to be mended");
    expect(rig.condition("Distributed")).toMatchObject({ observedGeneration: 3 });
  });

  test("says that it is on its way, and counts down when the proxy goes", async () => {
    const rig = await Rig.start();
    await rig.apply(`${APP}---\n${routeYaml("v1")}`);
    await until(() => rig.condition("Distributed").reason === "NoProxies", "it to be built");
    const client = rig.connect();
    await client.response("route");
    await until(() => rig.condition("Distributed").reason === "Pending", "it to be on its way");
    expect(rig.condition("Distributed").message).toBe("0/1 proxies");
    await answer(client, 1);
    await until(() => rig.condition("Distributed").message === "1/1 proxies", "the ACK");
    client.close();
    await until(() => rig.condition("Distributed").reason === "NoProxies", "the proxy to go");
  });

  test("is no change of the mesh when it is written", async () => {
    const rig = await Rig.start();
    await rig.apply(`${APP}---\n${routeYaml("v1")}`);
    await until(() => rig.condition("Distributed").reason === "NoProxies", "the first status");
    const events = (): number =>
      ["add", "update", "delete"]
        .map((event) => ({ type: "VirtualService", event }))
        .map((labels) => rig.controlPlane.metrics.value("pilot_k8s_cfg_events", labels))
        .reduce((sum, count) => sum + count);
    expect(events()).toBe(1);
    const writes = rig.controlPlane.metrics.value("weft_status_writes");
    const client = rig.connect();
    await answer(client, 1);
    await until(() => rig.condition("Distributed").status === "True", "the ACK");
    expect(rig.controlPlane.metrics.value("weft_status_writes")).toBeGreaterThan(writes);
    expect(events()).toBe(1);
  });
});
