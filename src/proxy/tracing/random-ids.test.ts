import { expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { RandomIds } from "./random-ids.ts";

test("RandomIds gives 16 digits of chance, each once, over more than it makes at a time", () => {
  const ids = new RandomIds(createPrng(1));
  const seen = new Set(Array.from({ length: 1000 }, () => ids.next()));
  expect(seen.size).toBe(1000);
  for (const id of seen) expect(id).toMatch(/^[\da-f]{16}$/);
  for (let at = 0; at < 16; at++) expect(new Set([...seen].map((id) => id[at])).size).toBe(16);
});

test("RandomIds depends on nothing but its generator", () => {
  const [one, other] = [new RandomIds(createPrng(7)), new RandomIds(createPrng(7))];
  for (let at = 0; at < 200; at++) expect(one.next()).toBe(other.next());
});
