import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import type { BehaviourCase } from "./behaviour-case.ts";
import { BehaviourMesh } from "./behaviour-mesh.ts";
import { CASES } from "./cases.ts";
import { tryExchange } from "./try-exchange.ts";

const networking = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  "samples/bookinfo/networking",
);
const envoy = findProgram("envoy");

const REVIEWS = "GET http://reviews:9080/reviews/0";

function sample(name: string): string {
  return readFileSync(join(networking, `${name}.yaml`), "utf8");
}

function configOf({ samples = [], config = "" }: BehaviourCase): string {
  return [...samples.map(sample), config].join("\n---\n");
}

const PLANES = [{ plane: "envoy", isThere: envoy !== undefined, program: envoy }];

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
      await mesh.configure(configOf(one));
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
      let isDone = false;
      const answers = new Map<string, number>();
      const load = Array.from({ length: 4 }, async () => {
        while (!isDone) {
          const { status, echo, error = "" } = await mesh.send("client", REVIEWS);
          const key = status === 200 ? (echo?.by ?? "nobody") : `${status} ${error}`;
          answers.set(key, (answers.get(key) ?? 0) + 1);
        }
      });
      try {
        for (let round = 0; round < 4; round++) {
          for (const file of ["reviews-v3", "reviews-test-v2", "all-v1", "reviews-90-10"]) {
            // Rules and subsets come and go at once: nobody may be left with a route to nowhere.
            const rules = `${sample("destination-rule-all")}\n---\n${sample(`virtual-service-${file}`)}`;
            await mesh.configure(rules);
          }
          await mesh.configure("");
        }
      } finally {
        isDone = true;
        await Promise.all(load);
      }
      expect([...answers.keys()].sort()).toEqual(["reviews-v1", "reviews-v2", "reviews-v3"]);
    });
  });
}
