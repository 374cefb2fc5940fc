import { expect, test } from "vitest";
import { RequestIds } from "./request-ids.ts";

test("RequestIds gives random UUIDs, each once, over more than it makes at a time", () => {
  const ids = new RequestIds();
  const seen = new Set(Array.from({ length: 1000 }, () => ids.next()));
  expect(seen.size).toBe(1000);
  const variants = new Set<string>();
  for (const id of seen) {
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    variants.add(id[19] ?? "");
  }
  expect([...variants].toSorted()).toEqual(["8", "9", "a", "b"]);
  // Every digit that may be anything is each of the sixteen somewhere.
  for (const at of [0, 7, 9, 12, 15, 17, 20, 22, 24, 35]) {
    expect(new Set([...seen].map((id) => id[at])).size).toBe(16);
  }
});
