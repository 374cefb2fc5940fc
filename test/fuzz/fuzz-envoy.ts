import {
  findLaxity,
  type Lane,
  type LanedProxy,
  type Outcome,
  startLanes,
} from "../proxy/smuggling/lanes.ts";
import { createCase, type FuzzReport } from "./fuzz.ts";
import type { FuzzCase } from "./oracles.ts";

const LANES = 16;
/** Long enough on a quiet machine; what differs is tried again with more patience. */
const QUIET_MS = 60;
const PATIENT_MS = 1000;

interface LanePair {
  readonly weft: Lane;
  readonly envoy: Lane;
}

/**
 * Sends cases through weft's proxy and through Envoy, with an upstream each that says what it saw,
 * until `isOver` says so or weft is the laxer one. `undefined` when this machine has no Envoy.
 */
export async function fuzzBesideEnvoy(
  seed: number,
  isOver: () => boolean,
): Promise<FuzzReport | undefined> {
  const envoy = await startLanes("envoy", LANES);
  const weft = await startLanes("weft", LANES);
  try {
    if (envoy === undefined || weft === undefined) return undefined;
    return await compareAll(seed, isOver, weft, envoy);
  } finally {
    await envoy?.stop();
    await weft?.stop();
  }
}

async function compareAll(
  seed: number,
  isOver: () => boolean,
  weft: LanedProxy,
  envoy: LanedProxy,
): Promise<FuzzReport> {
  let cases = 0;
  let failure: string | undefined;
  const pairs = weft.lanes.map((lane, at) => ({ weft: lane, envoy: envoy.lanes[at] ?? lane }));
  await Promise.all(
    pairs.map(async (pair) => {
      while (failure === undefined && !isOver()) {
        const index = cases++;
        const one = createCase(seed, index);
        const found = await compareOften(pair, one);
        if (found === undefined) continue;
        failure ??= `case ${index} of seed ${seed}, a ${one.kind}: ${found}\n${JSON.stringify(one.text)}`;
      }
    }),
  );
  return { cases, failure };
}

/** Only what differs each time counts: an upstream that ends its connections meets races. */
async function compareOften(pair: LanePair, one: FuzzCase): Promise<string | undefined> {
  let found = await compare(pair, one, QUIET_MS);
  for (let left = 3; found !== undefined && left > 0; left--) {
    found = await compare(pair, one, PATIENT_MS);
  }
  return found;
}

async function compare(
  { weft, envoy }: LanePair,
  { kind, text }: FuzzCase,
  quietMs: number,
): Promise<string | undefined> {
  // The reader of answers would have to know which of the requests were understood.
  if (text.includes("HEAD")) return undefined;
  const exchange =
    kind === "request"
      ? { parts: [text], quietMs }
      : {
          parts: ["GET /bad HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"],
          bad: { answer: text, ends: true },
          quietMs,
        };
  const outcomes: Outcome[] = await Promise.all([weft.run(exchange), envoy.run(exchange)]);
  const [ours, theirs] = outcomes;
  if (ours === undefined || theirs === undefined) return undefined;
  // What is wrong behind a response without a body costs Envoy the response, if it comes with it;
  // weft gives that and drops the connection.
  if (kind === "response" && /^[23]04$/.test(ours.answers.at(-1) ?? "")) return undefined;
  const laxity = findLaxity(ours, theirs);
  return laxity && `${laxity}: ${JSON.stringify({ weft: ours, envoy: theirs })}`;
}
