import { createPrng } from "../../src/base/prng.ts";
import { generateCuts, generateInput, type Kind } from "./http-input.ts";
import { checkCase, type FuzzCase } from "./oracles.ts";
import { shrink } from "./shrink.ts";

/** What a run did. */
export interface FuzzReport {
  readonly cases: number;
  /** What went wrong, how small it can be, and how to run it again. */
  readonly failure: string | undefined;
}

/** Each case has its own seed, so that one can be run again without those before it. */
export function createCase(seed: number, index: number): FuzzCase {
  const prng = createPrng(Math.imul(seed, 0x9e3779b1) + index);
  const kind: Kind = prng.next() < 0.7 ? "request" : "response";
  const text = generateInput(kind, prng);
  return { kind, text, cuts: generateCuts(text.length, prng) };
}

/** Runs cases until `isOver` says so or one fails, which is then made small. */
export function fuzzCodec(seed: number, isOver: () => boolean): FuzzReport {
  for (let index = 0; ; index++) {
    if (index % 256 === 0 && isOver()) return { cases: index, failure: undefined };
    const one = createCase(seed, index);
    if (tryCase(one) === undefined) continue;
    return { cases: index + 1, failure: describeFailure(one, seed, index) };
  }
}

/** Like `checkCase`; what is thrown is wrong too. */
export function tryCase(one: FuzzCase): string | undefined {
  try {
    return checkCase(one);
  } catch (error) {
    return `threw ${error instanceof Error ? error.stack : String(error)}`;
  }
}

function describeFailure(one: FuzzCase, seed: number, index: number): string {
  const cutsOf = (text: string): readonly number[] => one.cuts.filter((at) => at < text.length);
  const small = shrink(
    one.text,
    (text) => tryCase({ ...one, text, cuts: cutsOf(text) }) !== undefined,
  );
  return [
    `case ${index} of seed ${seed}: ${tryCase({ ...one, text: small, cuts: cutsOf(small) })}`,
    `smallest ${one.kind} found: ${JSON.stringify(small)} cut at ${JSON.stringify(cutsOf(small))}`,
    `run it again: npm run fuzz -- --seed ${seed} --case ${index}`,
  ].join("\n");
}
