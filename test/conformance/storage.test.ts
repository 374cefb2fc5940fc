import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { SimClock } from "../../src/base/sim-clock.ts";
import type { KubeObject, ObjectKey } from "../../src/config/object.ts";
import { LmdbStorage } from "../../src/storage/lmdb-storage.ts";
import type { StorageOptions } from "../../src/storage/memory-storage.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage, StorageEvent } from "../../src/storage/storage.ts";
import { HISTORY_MAX } from "../../src/storage/watch-history.ts";

const clock = new SimClock(Date.UTC(2026, 10, 21, 10, 0, 0));

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "weft-storage-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const STORAGES: readonly {
  readonly name: string;
  readonly create: (options?: Partial<StorageOptions>) => Storage;
}[] = [
  {
    name: "MemoryStorage",
    create: (options) => closing(new MemoryStorage({ clock, ...options })),
  },
  {
    name: "LmdbStorage",
    create: (options) => closing(new LmdbStorage({ clock, path: tempFolder(), ...options })),
  },
];

function closing<S extends Storage>(storage: S): S {
  cleanups.push(() => storage.close());
  return storage;
}

function object(kind: string, name: string, more: object = {}, metadata: object = {}): KubeObject {
  const apiVersion = kind === "ReplicaSet" ? "apps/v1" : "v1";
  return { apiVersion, kind, metadata: { name, namespace: "default", ...metadata }, ...more };
}

function key(kind: string, name: string): ObjectKey {
  return { group: kind === "ReplicaSet" ? "apps" : "", kind, namespace: "default", name };
}

function ownedBy(owner: KubeObject): object {
  const { apiVersion, kind, metadata } = owner;
  return { ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid ?? "" }] };
}

const SERVICES = { group: "", kind: "Service" };

describe.each(STORAGES)("$name", ({ create }) => {
  it("`create()` gives uid, time, revision and generation", async () => {
    const storage = create();
    const created = await storage.create(object("Service", "a", { spec: {} }, { uid: "mine" }));
    expect(created.metadata).toEqual({
      name: "a",
      namespace: "default",
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      creationTimestamp: "2026-11-21T10:00:00Z",
      resourceVersion: "2",
      generation: 1,
    });
    expect(storage.get(key("Service", "a"))).toEqual(created);
    await expect(storage.create(object("Service", "a"))).rejects.toMatchObject({
      reason: "AlreadyExists",
    });
  });

  it("`create()` completes a generated name", async () => {
    const storage = create();
    const { metadata } = await storage.create(
      object("Pod", "", { spec: {} }, { generateName: "reviews-" }),
    );
    expect(metadata.name).toMatch(/^reviews-[0-9a-f]{5}$/);
  });

  it("`list()` is sorted and knows its revision", async () => {
    const storage = create();
    await storage.create(object("Service", "b"));
    await storage.create(object("Service", "z", {}, { namespace: "a" }));
    await storage.create(object("Service", "a"));
    const names = (namespace?: string): readonly string[] =>
      storage
        .list({ ...SERVICES, ...(namespace === undefined ? {} : { namespace }) })
        .items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    expect(names()).toEqual(["a/z", "default/a", "default/b"]);
    expect(names("default")).toEqual(["default/a", "default/b"]);
    expect(storage.list(SERVICES).revision).toBe(4);
  });

  it("`update()` counts generations, keeps the status and writes nothing for nothing", async () => {
    const storage = create();
    await storage.create(object("Service", "a", { spec: { type: "A" }, status: { is: 1 } }));
    const labelled = await storage.update(
      object("Service", "a", { spec: { type: "A" }, status: { is: 2 } }, { labels: { a: "b" } }),
    );
    expect(labelled).toMatchObject({ metadata: { generation: 1 }, status: { is: 1 } });
    const changed = await storage.update(object("Service", "a", { spec: { type: "B" } }));
    expect(changed).toMatchObject({ metadata: { generation: 2, resourceVersion: "4" } });
    expect(changed.metadata.labels).toBeUndefined();
    expect(await storage.update(changed)).toBe(changed);
    const status = await storage.update(
      object("Service", "a", { spec: { type: "C" }, status: { is: 3 } }),
      { subresource: "status" },
    );
    expect(status).toMatchObject({
      spec: { type: "B" },
      status: { is: 3 },
      metadata: { generation: 2 },
    });
  });

  it("`update()` of an old version is a conflict, of a missing object not found", async () => {
    const storage = create();
    const created = await storage.create(object("Service", "a", { spec: {} }));
    await storage.update(object("Service", "a", { spec: { a: 1 } }));
    await expect(storage.update(created)).rejects.toMatchObject({ reason: "Conflict" });
    await expect(
      storage.update(object("Service", "a", {}, { uid: "other" })),
    ).rejects.toMatchObject({ reason: "Conflict" });
    await expect(storage.update(object("Service", "b"))).rejects.toMatchObject({
      reason: "NotFound",
    });
  });

  it("`delete()` honours preconditions", async () => {
    const storage = create();
    await storage.create(object("Service", "a"));
    const wrong = { reason: "Conflict" };
    await expect(storage.delete(key("Service", "a"), { uid: "x" })).rejects.toMatchObject(wrong);
    await expect(
      storage.delete(key("Service", "a"), { resourceVersion: "1" }),
    ).rejects.toMatchObject(wrong);
    await storage.delete(key("Service", "a"), { resourceVersion: "2" });
    expect(storage.get(key("Service", "a"))).toBeUndefined();
    await expect(storage.delete(key("Service", "a"))).rejects.toMatchObject({ reason: "NotFound" });
  });

  it("`delete()` lets a pod stop first, and may be hurried", async () => {
    const storage = create();
    await storage.create(
      object("Pod", "a", { spec: { nodeName: "n", terminationGracePeriodSeconds: 20 } }),
    );
    const marked = await storage.delete(key("Pod", "a"));
    expect(marked.metadata).toMatchObject({
      deletionTimestamp: "2026-11-21T10:00:20Z",
      deletionGracePeriodSeconds: 20,
    });
    expect(await storage.delete(key("Pod", "a"))).toBe(marked);
    const hurried = await storage.delete(key("Pod", "a"), { gracePeriodSeconds: 5 });
    expect(hurried.metadata.deletionGracePeriodSeconds).toBe(5);
    await storage.delete(key("Pod", "a"), { gracePeriodSeconds: 0 });
    expect(storage.get(key("Pod", "a"))).toBeUndefined();
  });

  it("`delete()` waits for finalizers", async () => {
    const storage = create();
    const held = await storage.create(
      object("Service", "a", { spec: {} }, { finalizers: ["weft/x"] }),
    );
    const marked = await storage.delete(key("Service", "a"));
    expect(marked.metadata.deletionTimestamp).toBe("2026-11-21T10:00:00Z");
    await storage.update({ ...held, metadata: { name: "a", namespace: "default" } });
    expect(storage.get(key("Service", "a"))).toBeUndefined();
  });

  it("`delete()` takes along what the object owns, and pods in their time", async () => {
    const storage = create();
    const owner = await storage.create(object("ReplicaSet", "a", { spec: {} }));
    const other = await storage.create(object("ReplicaSet", "b", { spec: {} }));
    await storage.create(object("Pod", "a-1", { spec: { nodeName: "n" } }, ownedBy(owner)));
    await storage.create(object("Service", "a-2", {}, ownedBy(owner)));
    const both = [ownedBy(owner), ownedBy(other)].flatMap(
      (one) => (one as { ownerReferences: object[] }).ownerReferences,
    );
    await storage.create(object("Service", "a-3", {}, { ownerReferences: both }));
    await storage.delete(key("ReplicaSet", "a"));
    expect(storage.get(key("Pod", "a-1"))?.metadata.deletionTimestamp).toBeDefined();
    expect(storage.get(key("Service", "a-2"))).toBeUndefined();
    expect(storage.get(key("Service", "a-3"))?.metadata.ownerReferences).toHaveLength(1);
    const late = await storage.create(object("Service", "late", {}, ownedBy(owner)));
    expect(storage.get(key("Service", late.metadata.name))).toBeUndefined();
  });

  it("`delete()` orphans when asked to, and waits when asked to", async () => {
    const storage = create();
    const orphaned = await storage.create(object("ReplicaSet", "a", { spec: {} }));
    await storage.create(object("Pod", "a-1", { spec: { nodeName: "n" } }, ownedBy(orphaned)));
    await storage.delete(key("ReplicaSet", "a"), { propagation: "Orphan" });
    expect(storage.get(key("Pod", "a-1"))?.metadata).toMatchObject({ ownerReferences: [] });
    const waiting = await storage.create(object("ReplicaSet", "b", { spec: {} }));
    await storage.create(object("Pod", "b-1", { spec: { nodeName: "n" } }, ownedBy(waiting)));
    await storage.delete(key("ReplicaSet", "b"), { propagation: "Foreground" });
    expect(storage.get(key("ReplicaSet", "b"))?.metadata.finalizers).toEqual([
      "foregroundDeletion",
    ]);
    await storage.delete(key("Pod", "b-1"), { gracePeriodSeconds: 0 });
    expect(storage.get(key("ReplicaSet", "b"))).toBeUndefined();
  });

  it.each(["Background", "Foreground"] as const)(
    "`delete()` ends with %s where owners own each other, or themselves",
    async (propagation) => {
      const storage = create();
      const names = ["a", "b", "c"];
      const made = await Promise.all(names.map((name) => storage.create(object("Service", name))));
      for (const [at, one] of made.entries()) {
        const owner = made[(at + 1) % made.length] ?? one;
        await storage.update(object("Service", one.metadata.name, {}, ownedBy(owner)));
      }
      const self = await storage.create(object("Service", "self"));
      await storage.update(object("Service", "self", {}, ownedBy(self)));
      await storage.delete(key("Service", "self"), { propagation });
      await storage.delete(key("Service", "a"), { propagation });
      expect(storage.list(SERVICES).items).toEqual([]);
    },
  );

  it("`delete()` ends where each in a circle waits for the next", async () => {
    const storage = create();
    const finalizers = ["foregroundDeletion"];
    const a = await storage.create(object("Service", "a", {}, { finalizers }));
    const b = await storage.create(object("Service", "b", {}, { finalizers, ...ownedBy(a) }));
    await storage.update(object("Service", "a", {}, { finalizers, ...ownedBy(b) }));
    await storage.delete(key("Service", "a"));
    expect(storage.list(SERVICES).items).toEqual([]);
  });

  it("`delete()` follows a long line of owners, and tells of each", async () => {
    const storage = create();
    const length = 5000;
    let last = await storage.create(object("Service", "s0"));
    for (let at = 1; at < length; at++) {
      last = await storage.create(object("Service", `s${at}`, {}, ownedBy(last)));
    }
    const gone: string[] = [];
    storage.watch(SERVICES, ({ type, object: { metadata } }) => {
      if (type === "DELETED") gone.push(metadata.name);
    });
    await storage.delete(key("Service", "s0"));
    await Promise.resolve();
    expect(storage.list(SERVICES).items).toEqual([]);
    expect(gone).toEqual(Array.from({ length }, (_, at) => `s${at}`));
  });

  it("a write that throws in the middle changes nothing", async () => {
    let isBroken = false;
    const createUid = (): string => {
      if (isBroken) throw new Error("no chance left");
      return crypto.randomUUID();
    };
    const storage = create({
      createUid,
      admit: ({ object: admitted }) => {
        if (isBroken) throw new Error("a bug");
        return { ok: true, value: admitted };
      },
    });
    const owner = await storage.create(object("ReplicaSet", "a", { spec: {} }));
    const before = storage.list(SERVICES).revision;
    isBroken = true;
    await expect(
      storage.update({ ...owner, metadata: { ...owner.metadata, labels: { a: "b" } } }),
    ).rejects.toThrow("a bug");
    await expect(storage.create(object("Service", "b"))).rejects.toThrow("no chance left");
    expect(storage.list(SERVICES)).toEqual({ items: [], revision: before });
    isBroken = false;
    await storage.create(object("Service", "b"));
    expect(storage.list(SERVICES).revision).toBe(before + 1);
  });

  it("`delete()` takes a grace beyond all dates for a very long one", async () => {
    const storage = create();
    await storage.create(object("Pod", "a", { spec: { nodeName: "n" } }));
    const { metadata } = await storage.delete(key("Pod", "a"), { gracePeriodSeconds: 1e15 });
    expect(metadata.deletionGracePeriodSeconds).toBe(2 ** 31 - 1);
  });

  it("`delete()` empties a namespace before it goes", async () => {
    const storage = create();
    const namespace = { group: "", kind: "Namespace", namespace: "", name: "default" };
    await storage.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    await storage.create(object("Service", "a"));
    await storage.create(object("Pod", "b", { spec: { nodeName: "n" } }));
    await storage.create(object("Service", "c", {}, { namespace: "other" }));
    await storage.delete(namespace);
    expect(storage.get(namespace)).toMatchObject({ status: { phase: "Terminating" } });
    expect(storage.list(SERVICES).items.map(({ metadata }) => metadata.name)).toEqual(["c"]);
    // As a pod's last event does, which is written while the pod stops.
    await storage.create(object("Service", "late"));
    expect(storage.get(key("Service", "late"))).toBeUndefined();
    await storage.delete(key("Pod", "b"), { gracePeriodSeconds: 0 });
    expect(storage.get(namespace)).toBeUndefined();
  });

  it("`watch()` tells every change in order, from now or from a revision", async () => {
    const storage = create();
    const seen: string[] = [];
    const note = ({ type, object: { metadata }, revision }: StorageEvent): number =>
      seen.push(`${type} ${metadata.name} ${revision} ${metadata.resourceVersion}`);
    await storage.create(object("Service", "a", { spec: {} }));
    const stop = storage.watch({ ...SERVICES, namespace: "default" }, note);
    await Promise.all([
      storage.create(object("Service", "b")),
      storage.create(object("Pod", "b")),
      storage.create(object("Service", "b", {}, { namespace: "other" })),
      storage.update(object("Service", "a", { spec: { a: 1 } })),
    ]);
    await storage.delete(key("Service", "a"));
    stop();
    await storage.delete(key("Service", "b"));
    expect(seen).toEqual(["ADDED b 3 3", "MODIFIED a 6 6", "DELETED a 7 7"]);
    seen.length = 0;
    storage.watch(SERVICES, note, 5);
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual(["MODIFIED a 6 6", "DELETED a 7 7", "DELETED b 8 8"]);
  });

  it("`watch()` after a list tells the rest exactly once, while others write", async () => {
    const storage = create();
    const all: number[] = [];
    storage.watch(SERVICES, ({ revision }) => all.push(revision));
    const begin = storage.list(SERVICES).revision;
    const followers: {
      readonly from: number;
      readonly seen: number[];
      readonly names: Set<string>;
    }[] = [];
    const follow = (): void => {
      const { items, revision: from } = storage.list(SERVICES);
      const names = new Set(items.map(({ metadata }) => metadata.name));
      const seen: number[] = [];
      storage.watch(
        SERVICES,
        ({ type, object: { metadata }, revision }) => {
          seen.push(revision);
          if (type === "DELETED") names.delete(metadata.name);
          else names.add(metadata.name);
        },
        from,
      );
      followers.push({ from, seen, names });
    };
    const writer = async (which: number): Promise<void> => {
      for (let at = 0; at < 30; at++) {
        const name = `s${which}-${at % 7}`;
        if (storage.get(key("Service", name)) === undefined) {
          await storage.create(object("Service", name));
        } else if (at % 3 === 0) {
          await storage.delete(key("Service", name));
        } else {
          await storage.update(object("Service", name, {}, { labels: { at: String(at) } }));
        }
        // In the middle of what others write, before it is durable.
        if (at % 5 === which) follow();
      }
    };
    await Promise.all([0, 1, 2, 3].map(writer));
    await Promise.resolve();
    const { items, revision: end } = storage.list(SERVICES);
    const every = Array.from({ length: end - begin }, (_, at) => begin + 1 + at);
    expect(all).toEqual(every);
    expect(followers.length).toBe(24);
    for (const { from, seen, names } of followers) {
      expect(seen).toEqual(every.filter((revision) => revision > from));
      expect([...names].sort()).toEqual(items.map(({ metadata }) => metadata.name));
    }
  });

  it("`watch()` says when a revision is too far back", async () => {
    const storage = create();
    await storage.create(object("Service", "a", { spec: {} }));
    expect(() => storage.watch(SERVICES, () => undefined, 0)).toThrow(/too old resource version/);
    expect(() => storage.watch(SERVICES, () => undefined, 99)).toThrow(/too old resource version/);
  });

  it("asks `admit` about every write, and stores what it answers", async () => {
    const storage = create({
      admit: ({ operation, object: given, old }, view) => {
        if (given.metadata.name === "bad") {
          return { ok: false, issues: [{ path: "spec.a", message: "is wrong" }] };
        }
        const count = String(view.list(SERVICES).items.length);
        const labels = { operation, count, before: old?.metadata.labels?.["count"] ?? "" };
        return { ok: true, value: { ...given, metadata: { ...given.metadata, labels } } };
      },
    });
    await storage.create(object("Service", "a", { spec: {} }));
    const updated = await storage.update(object("Service", "a", { spec: { a: 1 } }));
    expect(updated.metadata.labels).toEqual({ operation: "update", count: "1", before: "0" });
    await expect(storage.create(object("Service", "bad"))).rejects.toMatchObject({
      reason: "Invalid",
      issues: [{ path: "spec.a", message: "is wrong" }],
    });
    expect(storage.list(SERVICES).revision).toBe(3);
  });
});

describe("MemoryStorage", () => {
  it("`watch()` keeps a bounded history", async () => {
    const storage = closing(new MemoryStorage({ clock }));
    for (let count = 0; count < HISTORY_MAX * 1.2; count++) {
      await storage.create(object("Service", `s${count}`));
    }
    expect(() => storage.watch(SERVICES, () => undefined, 2)).toThrow(/too old resource version/);
    const seen: number[] = [];
    storage.watch(SERVICES, ({ revision }) => seen.push(revision), HISTORY_MAX);
    await Promise.resolve();
    expect(seen.length).toBe(HISTORY_MAX * 1.2 + 1 - HISTORY_MAX);
  });
});

describe("LmdbStorage", () => {
  it("keeps objects and the revision over a restart, and lets old watches expire", async () => {
    const path = join(tempFolder(), "weft.home", "objects.v1");
    const first = new LmdbStorage({ clock, path });
    const created = await first.create(object("Service", "a", { spec: { ü: "☃" } }));
    await first.create(object("Service", "b"));
    await first.delete(key("Service", "b"));
    await first.close();
    const second = closing(new LmdbStorage({ clock, path }));
    expect(second.list(SERVICES)).toEqual({ items: [created], revision: 4 });
    expect(() => second.watch(SERVICES, () => undefined, 3)).toThrow(/too old/);
    const next = await second.create(object("Service", "c"));
    expect(next.metadata.resourceVersion).toBe("5");
  });

  it.each<[string, (file: string) => void]>([
    ["cut off in its first page", (file) => truncateSync(file, 100)],
    ["cut off after its first page", (file) => truncateSync(file, 5000)],
    ["cut off in its middle", (file) => truncateSync(file, statSync(file).size / 2)],
    ["something else", (file) => writeFileSync(file, "garbage".repeat(10_000))],
    ["a folder", (file) => [rmSync(file), mkdirSync(file)]],
  ])("says that its file is damaged when it is %s", async (_, damage) => {
    const path = join(tempFolder(), "objects");
    const storage = new LmdbStorage({ clock, path });
    for (let at = 0; at < 200; at++) {
      await storage.create(object("ConfigMap", `a${at}`, { data: { x: "y".repeat(500) } }));
    }
    await storage.close();
    damage(join(path, "data.mdb"));
    expect(() => new LmdbStorage({ clock, path })).toThrow(/data\.mdb is damaged: it/);
  });

  it("begins anew with a file that is empty", async () => {
    const path = join(tempFolder(), "objects");
    mkdirSync(path);
    writeFileSync(join(path, "data.mdb"), "");
    const storage = closing(new LmdbStorage({ clock, path }));
    await storage.create(object("Service", "a"));
    expect(storage.list(SERVICES).items).toHaveLength(1);
  });
});
