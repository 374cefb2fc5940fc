import { afterAll, beforeAll, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "../proxy/data-plane.ts";
import { generateRouteTables, type RouteTableCase } from "./route-table-cases.ts";
import { askInTurn, bootstrapOf } from "./route-table-run.ts";

const envoyProgram = findProgram("envoy");

/** Another one each day; `SEED` repeats a run, and `TABLES` makes it longer. */
const SEED = Number(process.env["SEED"] ?? Math.floor(Date.now() / 86_400_000));
const TABLES = Number(process.env["TABLES"] ?? 10);
const QUERIES = 300;

const cases = generateRouteTables(SEED, TABLES, QUERIES);

/** A proxy with a listener for each table. */
interface Side {
  readonly plane: DataPlane;
  readonly ports: readonly number[];
}

let weft: Side | undefined;
let envoy: Side | undefined;

beforeAll(async () => {
  if (envoyProgram === undefined) return;
  process.stderr.write(`route tables: SEED=${SEED} TABLES=${TABLES}\n`);
  const [admin = 0, ...ports] = await freePorts(TABLES * 2 + 1);
  const [ours, theirs] = [ports.slice(0, TABLES), ports.slice(TABLES)];
  weft = { plane: await startWeft(bootstrapOf(cases, undefined, ours)), ports: ours };
  const bootstrap = bootstrapOf(cases, admin, theirs);
  envoy = { plane: await startEnvoy(envoyProgram, bootstrap, admin), ports: theirs };
});

afterAll(async () => {
  await weft?.plane.stop();
  await envoy?.plane.stop();
});

test.skipIf(envoyProgram === undefined).each(cases.map((one, at) => ({ ...one, at })))(
  "weft's proxy and Envoy take the same routes of generated table $at",
  async ({ table, queries, at }: RouteTableCase & { readonly at: number }) => {
    const ours = await askInTurn(weft?.ports[at] ?? 0, queries);
    const theirs = await askInTurn(envoy?.ports[at] ?? 0, queries);
    const first = theirs.findIndex((answer, index) => answer !== ours[index]);
    // A failure shows what was asked of which table.
    const asked = first === -1 ? undefined : { seed: SEED, query: queries[first], table };
    expect({ asked, answer: ours[first] }).toEqual({ asked, answer: theirs[first] });
    expect(ours).toHaveLength(queries.length);
  },
);
