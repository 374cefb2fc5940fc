import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { BehaviourMesh } from "./behaviour-mesh.ts";
import { ECHO_WORLD } from "./echo-world.ts";
import { EXCEPTIONS } from "./istio-table-exceptions.ts";
import { runTable, TABLE_RUNS } from "./istio-table-runs.ts";
import { readTables, runRow, type Table } from "./istio-tables.ts";

const tables = readTables();
const envoy = findProgram("envoy");

/** Tables whose rows can be run as they were recorded. */
const RECORDED = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]);

const PLANES = [
  { plane: "weft", isThere: true, program: undefined },
  { plane: "envoy", isThere: envoy !== undefined, program: envoy },
];

describe.skipIf(tables === undefined)("Istio's tables of traffic cases", () => {
  test("are each run, or left out for a reason", () => {
    const left = (tables ?? []).filter(
      ({ number }) => !RECORDED.has(number) && !(number in TABLE_RUNS) && !(number in EXCEPTIONS),
    );
    expect(left.map(({ number, func }) => `${number} ${func}`)).toEqual([]);
    const twice = Object.keys(EXCEPTIONS).filter(
      (number) =>
        RECORDED.has(Number(number)) ||
        (number in TABLE_RUNS && EXCEPTIONS[Number(number)]?.rows === undefined),
    );
    expect(twice).toEqual([]);
  });

  for (const { plane, isThere, program } of PLANES) {
    describe.skipIf(!isThere)(`on the data plane ${plane}`, () => {
      let mesh: BehaviourMesh;

      beforeAll(async () => {
        mesh = await BehaviourMesh.start(program, ECHO_WORLD);
      }, 60_000);

      afterAll(async () => {
        await mesh.stop();
      });

      const recorded = (tables ?? []).filter(({ number }) => RECORDED.has(number));
      test.each(named(recorded))("%s", async (_, { rows }) => {
        for (const row of rows) {
          for (const dst of ["b", "c"]) expect(await runRow(mesh, row, dst)).toEqual([]);
        }
      });

      const own = (tables ?? []).filter(({ number }) => number in TABLE_RUNS);
      test.each(named(own))("%s", async (_, table) => {
        expect(await runTable(mesh, table)).toEqual([]);
      });
    });
  }
});

function named(list: readonly Table[]): readonly [string, Table][] {
  return list.map((table) => [`${table.func}, line ${table.line} (table ${table.number})`, table]);
}
