import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { get } from "./cases/request-text.ts";
import { FRAMING_CASES } from "./smuggling/framing-cases.ts";
import { HEAD_CASES } from "./smuggling/head-cases.ts";
import {
  findLaxity,
  inLanes,
  type LanedProxy,
  type Outcome,
  startLanes,
} from "./smuggling/lanes.ts";
import { RESPONSE_CASES } from "./smuggling/response-cases.ts";
import type { SmugglingCase } from "./smuggling/smuggling-case.ts";
import { formatTable, type Row } from "./smuggling/table.ts";

const CASES: readonly SmugglingCase[] = [...FRAMING_CASES, ...HEAD_CASES, ...RESPONSE_CASES];
const LANES = 10;
/** What comes next on the same connection, which must not be swallowed, nor seen twice. */
const AFTER = get("/after", "Connection: close\r\n");
const TABLE = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  "docs",
  "request-smuggling.md",
);

const weft = new Map<SmugglingCase, Outcome>();
const envoy = new Map<SmugglingCase, Outcome>();

async function runAll(proxy: LanedProxy, outcomes: Map<SmugglingCase, Outcome>): Promise<void> {
  try {
    await inLanes(proxy.lanes, CASES, async (lane, one) => {
      const { send, answer, ends = false } = one;
      const exchange =
        answer === undefined
          ? { parts: [send + AFTER] }
          : { parts: [send, AFTER], bad: { answer, ends } };
      outcomes.set(one, await lane.run(exchange));
    });
  } finally {
    await proxy.stop();
  }
}

const realEnvoy = await startLanes("envoy", LANES);

beforeAll(async () => {
  const ours = await startLanes("weft", LANES);
  if (ours !== undefined) await runAll(ours, weft);
  if (realEnvoy !== undefined) await runAll(realEnvoy, envoy);
});

describe.skipIf(realEnvoy === undefined)("weft is never laxer than Envoy", () => {
  test.each(CASES)("$group: $name", (one) => {
    const [ours, theirs] = [weft.get(one), envoy.get(one)];
    if (ours === undefined || theirs === undefined) throw new Error("it was not run");
    expect(findLaxity(ours, theirs)).toBeUndefined();
  });

  test("docs/request-smuggling.md says what both answer", () => {
    const rows: Row[] = CASES.flatMap((one) => {
      const [ours, theirs] = [weft.get(one), envoy.get(one)];
      return ours === undefined || theirs === undefined ? [] : [{ one, weft: ours, envoy: theirs }];
    });
    const text = formatTable(rows);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(TABLE, text);
    expect(readFileSync(TABLE, "utf8")).toBe(text);
  });
});
