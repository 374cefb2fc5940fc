import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { MaglevTurns } from "./maglev-turns.ts";

/** By the book: everybody is looked at in every round. */
function slowTurns(weights: Float64Array, count: number): readonly number[] {
  const max = Math.max(...weights);
  const targets = weights.map(() => 0);
  const turns: number[] = [];
  for (let round = 1; turns.length < count; round++) {
    for (const [at, weight] of weights.entries()) {
      if (round * weight < (targets[at] ?? 0)) continue;
      targets[at] = (targets[at] ?? 0) + max;
      turns.push(at);
    }
  }
  return turns.slice(0, count);
}

describe("MaglevTurns", () => {
  test("are the same however much weights differ", () => {
    const prng = createPrng(4);
    for (const heaviest of [1, 2, 3, 10, 100, 1000, 100_000]) {
      for (let times = 0; times < 5; times++) {
        const parts = Array.from({ length: 30 }, (_, at) =>
          at === 7 ? heaviest : 1 + Math.floor(prng.next() * 3),
        );
        const total = parts.reduce((sum, part) => sum + part, 0);
        const weights = Float64Array.from(parts, (part) => part / total);
        const turns = new MaglevTurns(weights, Math.max(...weights));
        const got = Array.from({ length: 5000 }, () => turns.next());
        expect(got).toEqual(slowTurns(weights, 5000));
      }
    }
  });
});
