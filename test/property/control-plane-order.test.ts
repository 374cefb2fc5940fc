import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng } from "../../src/base/prng.ts";
import { type KubeObject, keyOf, keyText } from "../../src/config/object.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import { ConfigStore } from "../../src/store/config-store.ts";
import { randomWorld } from "./random-world.ts";
import { fingerprint, holdProperty, meshOf } from "./world-properties.ts";

// SEED=… WORLDS=… repeats one or asks for more.
const RUNS = {
  numRuns: Number(process.env["WORLDS"] ?? 40),
  seed: Number(process.env["SEED"] ?? 20_261_121),
  endOnFailure: true,
  // Fewer on a machine that is busy.
  interruptAfterTimeLimit: 6000,
};

const SIZE = 18;
const seed = fc.nat();

const set = (object: KubeObject) => ({ type: "set", object }) as const;

describe("the control plane's resources", () => {
  test("do not depend on the order of writes", () => {
    fc.assert(
      fc.property(seed, (one) => {
        holdProperty(randomWorld(one, SIZE), (objects) => {
          const store = new ConfigStore();
          for (const object of shuffle(objects, one)) store.apply({ events: [set(object)] });
          expect(fingerprint(buildMesh(store.view))).toEqual(fingerprint(meshOf(objects)));
        });
      }),
      RUNS,
    );
  });

  test("are those of a build from nothing, however the configuration came about", () => {
    fc.assert(
      fc.property(seed, (one) => {
        holdProperty(randomWorld(one, SIZE), (objects) => {
          const store = new ConfigStore();
          let mesh = buildMesh(store.view);
          for (const [at, object] of objects.entries()) {
            mesh = buildMesh(store.apply({ events: [set(object)] }).view, mesh);
            // What a step remembers must not reach the next: it is built whole now and then.
            if (at % 4 === 0) fingerprint(mesh);
          }
          expect(fingerprint(mesh)).toEqual(fingerprint(meshOf(objects)));
        });
      }),
      RUNS,
    );
  });

  test("are what they were when what was applied is deleted again", () => {
    fc.assert(
      fc.property(seed, (one) => {
        const added = randomWorld(one + 1, SIZE / 2);
        holdProperty(randomWorld(one, SIZE), (objects) => {
          const store = new ConfigStore();
          let mesh = buildMesh(store.apply({ events: objects.map(set) }).view);
          const before = fingerprint(mesh);
          const known = new Set(objects.map((object) => keyText(keyOf(object))));
          const fresh = added.filter((object) => !known.has(keyText(keyOf(object))));
          mesh = buildMesh(store.apply({ events: fresh.map(set) }).view, mesh);
          fingerprint(mesh);
          for (const object of fresh) {
            const event = { type: "delete", key: keyOf(object) } as const;
            mesh = buildMesh(store.apply({ events: [event] }).view, mesh);
          }
          expect(fingerprint(mesh)).toEqual(before);
        });
      }),
      RUNS,
    );
  });
});

function shuffle<T>(list: readonly T[], from: number): readonly T[] {
  const prng = createPrng(from);
  const keyed = list.map((item) => [prng.next(), item] as const);
  return keyed.sort(([left], [right]) => left - right).map(([, item]) => item);
}
