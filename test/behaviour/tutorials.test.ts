import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { BehaviourMesh } from "./behaviour-mesh.ts";
import { tryExchange } from "./try-exchange.ts";
import { TUTORIAL_CASES } from "./tutorial-cases.ts";
import { TUTORIALS } from "./tutorial-world.ts";

const envoy = findProgram("envoy");

const PLANES = [
  { plane: "weft", isThere: true, program: undefined },
  { plane: "envoy", isThere: envoy !== undefined, program: envoy },
];

for (const { plane, isThere, program } of PLANES) {
  describe.skipIf(!isThere)(`what tutorials apply, on the data plane ${plane}`, () => {
    let mesh: BehaviourMesh;

    beforeAll(async () => {
      mesh = await BehaviourMesh.start(program, TUTORIALS);
    }, 60_000);

    afterAll(async () => {
      await mesh.stop();
    });

    test.each(TUTORIAL_CASES)("$name", async (one) => {
      await mesh.configure(one.config ?? "");
      expect(mesh.rejections()).toEqual([]);
      for (const exchange of one.exchanges) expect(await tryExchange(mesh, exchange)).toEqual([]);
    });
  });
}
