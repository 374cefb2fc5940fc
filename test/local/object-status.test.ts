import { afterEach, expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import type { KubeObject, ObjectKey } from "../../src/config/object.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { ObjectStatusWriter } from "../../src/local/object-status.ts";
import { StorageSource } from "../../src/source/storage-source.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const KINDS = [
  { group: "", kind: "Service" },
  { group: "networking.istio.io", kind: "VirtualService" },
];

const KEY: ObjectKey = {
  group: "networking.istio.io",
  kind: "VirtualService",
  namespace: "default",
  name: "reviews",
};

test("an object's status says what is wrong with it, until that is mended", async () => {
  const storage = new MemoryStorage({ clock: nodeClock });
  const statuses = new ObjectStatusWriter(storage, silentLogger);
  const controlPlane = new ControlPlane({
    source: new StorageSource(storage, KINDS),
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: createPrng(1),
    log: silentLogger,
    onFindings: ({ all }) => statuses.update(all),
  });
  closers.push(
    () => statuses.stop(),
    () => controlPlane.stop(),
  );
  await controlPlane.start();
  const messages = (): unknown =>
    (storage.get(KEY) as { status?: { validationMessages?: unknown } }).status?.validationMessages;

  await storage.create({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "reviews", namespace: "default" },
    spec: { hosts: ["x.test"], http: [{ route: [{ destination: { host: "reviews" } }] }] },
  } as KubeObject);
  await until(() => messages() !== undefined, "the status to say it");
  expect(messages()).toEqual([
    {
      level: "WARNING",
      path: "spec.http[0].route[0].destination.host",
      message: 'there is no service "reviews.default.svc.cluster.local"',
    },
  ]);
  const { generation } = (storage.get(KEY) as KubeObject).metadata;
  expect(generation).toBe(1);

  await storage.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "reviews", namespace: "default" },
    spec: { clusterIP: "10.0.0.1", ports: [{ name: "http", port: 80 }] },
  } as KubeObject);
  await until(() => messages() === undefined, "the status to forget it");
});
