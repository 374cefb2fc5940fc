import { expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { PayloadMatch } from "./payload-match.ts";

/** Whether the payloads stand there in order, looked for in one piece. */
function stands(payloads: readonly string[], text: string): boolean {
  let from = 0;
  return payloads.every((payload) => {
    const at = text.indexOf(payload, from);
    from = at + payload.length;
    return at !== -1;
  });
}

test("finds payloads in order, however the bytes are cut", () => {
  const prng = createPrng(3);
  const below = (limit: number): number => Math.floor(prng.next() * limit);
  const word = (length: number): string =>
    Array.from({ length }, () => (prng.next() < 0.5 ? "a" : "b")).join("");
  let found = 0;
  for (let round = 0; round < 3000; round++) {
    const payloads = Array.from({ length: 1 + below(3) }, () => word(1 + below(4)));
    const text = word(below(16));
    const match = new PayloadMatch(payloads.map((payload) => Buffer.from(payload)));
    for (let at = 0; at < text.length; ) {
      const end = at + 1 + below(5);
      match.push(Buffer.from(text.slice(at, end)));
      at = end;
    }
    expect(match.isWhole, `${payloads.join()} in ${text}`).toBe(stands(payloads, text));
    if (match.isWhole) found++;
  }
  // Both answers came up often.
  expect(found).toBeGreaterThan(500);
  expect(found).toBeLessThan(2500);
});

test("begins anew after a reset, and takes nothing along", () => {
  const match = new PayloadMatch([Buffer.from("ab")]);
  match.push(Buffer.from("a"));
  match.reset();
  match.push(Buffer.from("b"));
  expect(match.isWhole).toBe(false);
  match.push(Buffer.from("ab"));
  expect(match.isWhole).toBe(true);
});

test("does not keep what it was given", () => {
  const shared = Buffer.from("xa");
  const match = new PayloadMatch([Buffer.from("ab")]);
  match.push(shared);
  shared.fill("z");
  match.push(Buffer.from("b"));
  expect(match.isWhole).toBe(true);
});
