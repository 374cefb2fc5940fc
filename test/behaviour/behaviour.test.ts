import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import type { BehaviourCase } from "./behaviour-case.ts";
import { BehaviourLoad } from "./behaviour-load.ts";
import { BehaviourMesh } from "./behaviour-mesh.ts";
import { CASES } from "./cases.ts";
import { tryExchange } from "./try-exchange.ts";

const networking = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  "samples/bookinfo/networking",
);
const envoy = findProgram("envoy");

const ROUNDS = 4;
const REVIEWS = "GET http://reviews:9080/reviews/0";

function sample(name: string): string {
  return readFileSync(join(networking, `${name}.yaml`), "utf8");
}

function configOf({ samples = [], config = "" }: BehaviourCase): string {
  return [...samples.map(sample), config].join("\n---\n");
}

const PLANES = [
  { plane: "weft", isThere: true, program: undefined },
  { plane: "envoy", isThere: envoy !== undefined, program: envoy },
];

for (const { plane, isThere, program } of PLANES) {
  describe.skipIf(!isThere)(`the data plane ${plane}`, () => {
    let mesh: BehaviourMesh;

    beforeAll(async () => {
      mesh = await BehaviourMesh.start(program);
    });

    afterAll(async () => {
      await mesh.stop();
    });

    test.each(CASES)("$name", async (one) => {
      await mesh.configure(configOf(one), one.unready);
      expect(mesh.rejections()).toEqual([]);
      for (const exchange of one.exchanges) expect(await tryExchange(mesh, exchange)).toEqual([]);
    });

    test("a VirtualService that is deleted leaves the default", async () => {
      const rules = sample("destination-rule-all");
      await mesh.configure(`${rules}\n---\n${sample("virtual-service-reviews-v3")}`);
      expect(
        await tryExchange(mesh, {
          request: REVIEWS,
          expect: { requests: 20, shares: { "reviews-v3": 1 } },
        }),
      ).toEqual([]);
      await mesh.configure(rules);
      const thirds = { "reviews-v1": 1 / 3, "reviews-v2": 1 / 3, "reviews-v3": 1 / 3 };
      expect(
        await tryExchange(mesh, { request: REVIEWS, expect: { requests: 300, shares: thirds } }),
      ).toEqual([]);
    });

    test("no request fails while versions are changed, with their subsets", async () => {
      await mesh.configure("");
      const load = new BehaviourLoad(mesh, REVIEWS);
      for (let round = 0; round < ROUNDS; round++) {
        for (const file of ["reviews-v3", "reviews-test-v2", "all-v1", "reviews-90-10"]) {
          // Rules and subsets come and go at once: nobody may be left with a route to nowhere.
          const rule = sample(`virtual-service-${file}`);
          await mesh.configure(`${sample("destination-rule-all")}\n---\n${rule}`);
        }
        await mesh.configure("");
      }
      expect(await load.stop()).toEqual(["reviews-v1", "reviews-v2", "reviews-v3"]);
    });

    test("no request fails while pods come and go", async () => {
      await mesh.configure("");
      const load = new BehaviourLoad(mesh, REVIEWS);
      for (let round = 0; round < ROUNDS; round++) {
        await mesh.configure("", ["reviews-v1"]);
        await mesh.configure("", ["reviews-v2", "reviews-v3"]);
        await mesh.configure("");
      }
      expect(await load.stop()).toEqual(["reviews-v1", "reviews-v2", "reviews-v3"]);
    });
  });
}
