import type { Prng } from "../base/prng.ts";
import { describeTakenPort } from "../runtime/host-ports.ts";

/** Below what Linux gives to outgoing connections and to whoever asks for any port. */
const FIRST = 20_000;
const COUNT = 12_000;
const TRIES_MAX = 100;

/**
 * A port that nobody listens on. Not one of the system's own choice: between now and its use, that
 * would be given to somebody else.
 */
export async function findFreePort(host: string, prng: Prng): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = FIRST + Math.floor(prng.next() * COUNT);
    if ((await describeTakenPort(host, port)) === undefined) return port;
  }
  throw new Error(`no port is free between ${FIRST} and ${FIRST + COUNT}`);
}
