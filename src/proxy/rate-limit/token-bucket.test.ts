import { describe, expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

const HOUR_MS = 3_600_000;

function bucket(maxTokens: number, tokensPerFill: number, fillIntervalMs: number): TokenBucket {
  return new TokenBucket({ maxTokens, tokensPerFill, fillIntervalMs }, 0);
}

describe("TokenBucket", () => {
  test("is full at first, whatever its numbers are", () => {
    for (const [max, perFill, intervalMs] of [
      [1, 1, 49_000],
      [3, 7, 333],
      [1_000_000_007, 13, 86_400_000],
    ] as const) {
      const one = bucket(max, perFill, intervalMs);
      expect(one.remaining(0)).toBe(max);
      expect(one.take(max, 0)).toBe(true);
      expect(one.take(1, 0)).toBe(false);
    }
  });

  test("fills by and by, not all at once after each interval", () => {
    const one = bucket(10, 10, HOUR_MS);
    expect(one.take(10, 0)).toBe(true);
    expect(one.take(1, HOUR_MS / 10 - 1)).toBe(false);
    expect(one.take(1, HOUR_MS / 10)).toBe(true);
    expect(one.remaining(HOUR_MS / 2)).toBe(4);
    expect(one.remaining(2 * HOUR_MS)).toBe(10);
  });

  test("says how long it takes until there is a token", () => {
    const one = bucket(2, 1, HOUR_MS);
    expect(one.secondsToNext(0)).toBe(0);
    one.take(2, 0);
    expect(one.secondsToNext(0)).toBe(3600);
    expect(one.secondsToNext(1500)).toBe(3599);
    expect(one.secondsToNext(HOUR_MS - 1)).toBe(1);
    expect(one.secondsToNext(HOUR_MS)).toBe(0);
  });

  test("keeps what it has when it has too little", () => {
    const one = bucket(5, 1, HOUR_MS);
    expect(one.take(3, 0)).toBe(true);
    for (let at = 0; at < 9; at++) expect(one.take(3, 0)).toBe(false);
    expect(one.take(2, 0)).toBe(true);
  });

  test("fills at least once a year", () => {
    const yearMs = 365 * 24 * HOUR_MS;
    const one = bucket(1, 1, 10 * yearMs);
    expect(one.take(1, 0)).toBe(true);
    expect(one.take(1, yearMs / 2)).toBe(false);
    expect(one.take(1, yearMs)).toBe(true);
  });

  test("takes back no more than it holds", () => {
    const one = bucket(3, 1, HOUR_MS);
    one.take(2, 0);
    one.giveBack(1, 0);
    expect(one.remaining(0)).toBe(2);
    one.giveBack(100, 0);
    expect(one.remaining(HOUR_MS)).toBe(3);
  });
});
