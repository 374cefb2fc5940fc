import { describe, expect, test } from "vitest";
import { MersenneTwister } from "./mersenne-twister.ts";

describe("MersenneTwister", () => {
  test("gives the ten thousandth number that the C++ standard asks for", () => {
    const random = new MersenneTwister();
    for (let times = 0; times < 2; times++) {
      random.seed(5489);
      for (let at = 1; at < 10_000; at++) random.next();
      expect(random.next()).toBe(4_123_659_995);
    }
  });

  test("draws below a bound", () => {
    const random = new MersenneTwister();
    random.seed(1);
    const counts = [0, 0, 0];
    for (let times = 0; times < 3000; times++) {
      const drawn = random.below(3);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});
