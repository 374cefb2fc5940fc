import type { Prng } from "../../base/prng.ts";

const HEX = Array.from({ length: 0x1_00_00 }, (_, value) => value.toString(16).padStart(4, "0"));

/** 64 bits of chance as 16 hexadecimal digits. */
export function randomId(prng: Prng): string {
  return randomHalf(prng) + randomHalf(prng);
}

function randomHalf(prng: Prng): string {
  const bits = Math.floor(prng.next() * 0x1_0000_0000);
  return (HEX[bits >>> 16] ?? "") + (HEX[bits & 0xff_ff] ?? "");
}
