import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { type Hash64, HashCell, hashModulo } from "./hash64.ts";
import { murmurHash2 } from "./murmur-hash.ts";
import { xxHash64 } from "./xx-hash.ts";

const MASK = (1n << 64n) - 1n;

function xx(text: string, seed?: Hash64): string {
  const out = new HashCell();
  xxHash64(text, out, seed);
  return hex(out);
}

function murmur(text: string): string {
  const out = new HashCell();
  murmurHash2(text, out);
  return hex(out);
}

function hex({ high, low }: Hash64): string {
  return ((BigInt(high) << 32n) | BigInt(low)).toString(16).padStart(16, "0");
}

/** The same by the book, with integers of any size. */
function slowMurmur(text: string): string {
  const factor = 0xc6a4a7935bd1e995n;
  const times = (left: bigint, right: bigint): bigint => (left * right) & MASK;
  const bytes = Buffer.from(text, "latin1");
  let hash = 0xc70f6907n ^ times(BigInt(bytes.length), factor);
  const whole = bytes.length & ~7;
  for (let at = 0; at < whole; at += 8) {
    let lane = times(bytes.readBigUInt64LE(at), factor);
    lane = times(lane ^ (lane >> 47n), factor);
    hash = times(hash ^ lane, factor);
  }
  if (whole < bytes.length) {
    const rest = Buffer.concat([bytes.subarray(whole), Buffer.alloc(8)]);
    hash = times(hash ^ rest.readBigUInt64LE(0), factor);
  }
  hash = times(hash ^ (hash >> 47n), factor);
  return (hash ^ (hash >> 47n)).toString(16).padStart(16, "0");
}

function randomText(length: number, prng: ReturnType<typeof createPrng>): string {
  return Array.from({ length }, () => String.fromCharCode(Math.floor(prng.next() * 256))).join("");
}

describe("xxHash64", () => {
  test("gives what its authors and others publish", () => {
    expect(xx("")).toBe("ef46db3751d8e999");
    expect(xx("a")).toBe("d24ec4f1a98c6e5b");
    expect(xx("abc")).toBe("44bc2cf5ad770999");
    expect(xx("xxhash")).toBe("32dd38952c4bc720");
    expect(xx("xxhash", { high: 0, low: 20_141_025 })).toBe("b559b98d844e0635");
    expect(xx("Call me Ishmael. Some years ago--never mind how long precisely-")).toBe(
      "02a2e85470d6fd96",
    );
    expect(xx("Nobody inspects the spammish repetition")).toBe("fbcea83c8a378bf1");
  });
});

describe("murmurHash2", () => {
  test("is MurmurHash64A for texts of every length", () => {
    const prng = createPrng(1);
    for (let length = 0; length < 100; length++) {
      const text = randomText(length, prng);
      expect(murmur(text)).toBe(slowMurmur(text));
    }
  });
});

describe("hashModulo", () => {
  test("is the remainder of all 64 bits", () => {
    const prng = createPrng(2);
    for (let times = 0; times < 1000; times++) {
      const high = Math.floor(prng.next() * 2 ** 32);
      const low = Math.floor(prng.next() * 2 ** 32);
      const divisor = 1 + Math.floor(prng.next() * 2 ** 26);
      const wanted = ((BigInt(high) << 32n) | BigInt(low)) % BigInt(divisor);
      expect(hashModulo({ high, low }, divisor)).toBe(Number(wanted));
    }
  });
});
