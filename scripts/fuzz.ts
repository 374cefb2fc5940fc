/**
 * Fuzzes the HTTP/1.1 codec: `npm run fuzz -- [--seconds N] [--seed S]`, or one case again with
 * `--seed S --case I`. What fails is printed as small as it can be made. With `--envoy` the same
 * cases go through weft's proxy and Envoy side by side; with `--http2` sessions of HTTP/2 are fuzzed.
 */
import { parseArgs } from "node:util";
import { createCase, fuzzCodec, tryCase } from "../test/fuzz/fuzz.ts";
import { fuzzBesideEnvoy } from "../test/fuzz/fuzz-envoy.ts";
import { fuzzHttp2 } from "../test/fuzz/fuzz-http2.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    case: { type: "string" },
    envoy: { type: "boolean", default: false },
    http2: { type: "boolean", default: false },
  },
});

function readNumber(flag: "seconds" | "seed" | "case", fallback: number): number {
  const text = values[flag];
  if (text === undefined) return fallback;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  process.stderr.write(`--${flag} ${text}: give a whole number\n`);
  return process.exit(2);
}

const seed = readNumber("seed", Date.now() % 1_000_000);
const index = readNumber("case", -1);
process.stdout.write(`seed ${seed}\n`);
if (index !== -1) {
  const one = createCase(seed, index);
  const problem = tryCase(one);
  process.stdout.write(`${JSON.stringify(one)}\n${problem ?? "nothing is wrong with it"}\n`);
  process.exitCode = problem === undefined ? 0 : 1;
} else {
  const endMs = performance.now() + readNumber("seconds", 60) * 1000;
  const isOver = (): boolean => performance.now() > endMs;
  const fuzz = values.http2 ? fuzzHttp2 : values.envoy ? fuzzBesideEnvoy : fuzzCodec;
  const report = await fuzz(seed, isOver);
  const { cases, failure } = report ?? { cases: 0, failure: "no Envoy: npm run envoy fetches it" };
  process.stdout.write(`${cases} cases${failure === undefined ? ", nothing found" : ""}\n`);
  if (failure !== undefined) {
    process.stdout.write(`${failure}\n`);
    process.exitCode = 1;
  }
}
