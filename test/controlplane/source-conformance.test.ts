/** What every source of configuration does, asked of each. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import type { KubeObject } from "../../src/config/object.ts";
import { FolderSource } from "../../src/source/folder-source.ts";
import { loadKubeconfig } from "../../src/source/kubernetes-access.ts";
import { KubernetesSource } from "../../src/source/kubernetes-source.ts";
import type { ConfigBatch, ConfigSource } from "../../src/source/source.ts";
import { StorageSource } from "../../src/source/storage-source.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { MetricRegistry } from "../../src/telemetry/metrics.ts";
import { createFixture } from "../apiserver/fixture.ts";
import { until } from "./until.ts";

/** The outside of a source: where objects are put and taken away. */
interface Rig {
  readonly source: ConfigSource;
  put(name: string, port: number): Promise<void>;
  remove(name: string): Promise<void>;
  close(): void | Promise<void>;
}

function service(name: string, port: number): KubeObject & { spec: object } {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: { ports: [{ port }] },
  };
}

async function folderRig(): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "weft-source-"));
  const file = (name: string): string => join(folder, `${name}.json`);
  return {
    source: new FolderSource({ folder, clock: nodeClock }),
    put: async (name, port) => writeFileSync(file(name), JSON.stringify(service(name, port))),
    remove: async (name) => rmSync(file(name)),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function storageRig(): Promise<Rig> {
  const storage = new MemoryStorage({ clock: nodeClock });
  const key = (name: string) => ({ group: "", kind: "Service", namespace: "default", name });
  return {
    source: new StorageSource(
      storage,
      [
        { group: "", kind: "Service" },
        { group: "", kind: "Pod" },
      ],
      nodeClock,
    ),
    put: async (name, port) => {
      const object = service(name, port);
      await (storage.get(key(name)) === undefined
        ? storage.create(object)
        : storage.update(object));
    },
    remove: async (name) => void (await storage.delete(key(name))),
    close: () => void storage.close(),
  };
}

/** A source over HTTPS, and the API server it asks: weft's own. */
async function kubernetesRig(): Promise<Rig> {
  const { storage, kubeconfig, close } = await createFixture();
  const key = (name: string) => ({ group: "", kind: "Service", namespace: "default", name });
  return {
    source: new KubernetesSource({
      access: loadKubeconfig({ file: kubeconfig }, nodeClock),
      kinds: [
        { group: "", kind: "Service" },
        { group: "", kind: "Pod" },
      ],
      clock: nodeClock,
      prng: nodePrng,
      log: silentLogger,
      metrics: new MetricRegistry(),
      identity: "test",
      leaseNamespace: "istio-system",
    }),
    put: async (name, port) => {
      const object = service(name, port);
      await (storage.get(key(name)) === undefined
        ? storage.create(object)
        : storage.update(object));
    },
    remove: async (name) => void (await storage.delete(key(name))),
    close,
  };
}

describe.each([
  ["FolderSource", folderRig],
  ["StorageSource", storageRig],
  ["KubernetesSource", kubernetesRig],
])("%s as a source", (_name, createRig) => {
  let rig: Rig;
  let batches: ConfigBatch[];
  let controller: AbortController;
  let ended: Promise<void>;

  beforeEach(async () => {
    rig = await createRig();
  });

  afterEach(async () => {
    controller.abort();
    await ended;
    await rig.close();
  });

  function start(): void {
    batches = [];
    controller = new AbortController();
    ended = rig.source.run((batch) => batches.push(batch), controller.signal);
  }

  function ports(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const event of batches.flatMap(({ events }) => events)) {
      if (event.type === "delete") delete found[event.key.name];
      else {
        const { spec } = event.object as unknown as { spec: { ports: { port: number }[] } };
        found[event.object.metadata.name] = spec.ports[0]?.port ?? 0;
      }
    }
    return found;
  }

  const has = (wanted: Record<string, number>): Promise<boolean> =>
    until(() => {
      const found = ports();
      return (
        Object.keys(found).length === Object.keys(wanted).length &&
        Object.entries(wanted).every(([name, port]) => found[name] === port)
      );
    }, JSON.stringify(wanted));

  test("begins with one batch, even when there is nothing", async () => {
    start();
    await until(() => batches.length > 0, "the first batch");
    expect(batches).toEqual([{ events: [], refused: [] }]);
  });

  test("begins with everything in one batch", async () => {
    await rig.put("a", 1);
    await rig.put("b", 2);
    start();
    await until(() => batches.length > 0, "the first batch");
    expect(ports()).toEqual({ a: 1, b: 2 });
  });

  test("follows what comes, changes and goes", async () => {
    start();
    await rig.put("a", 1);
    await has({ a: 1 });
    await rig.put("a", 2);
    await rig.put("b", 3);
    await has({ a: 2, b: 3 });
    await rig.remove("a");
    await has({ b: 3 });
    expect(batches.flatMap(({ refused }) => refused)).toEqual([]);
  });

  test("says nothing more once it is told to stop", async () => {
    await rig.put("a", 1);
    start();
    await has({ a: 1 });
    controller.abort();
    await ended;
    const { length } = batches;
    await rig.put("b", 2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(batches).toHaveLength(length);
  });

  test("starts over with everything", async () => {
    await rig.put("a", 1);
    start();
    await has({ a: 1 });
    controller.abort();
    await ended;
    await rig.put("b", 2);
    start();
    await until(() => batches.length > 0, "the first batch");
    expect(ports()).toEqual({ a: 1, b: 2 });
  });
});
