import type { Prng } from "./prng.ts";

/** The runtime's own generator; not for secrets. */
export const nodePrng: Prng = { next: () => Math.random() };
