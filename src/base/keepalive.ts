/** A peer that is silently gone is noticed after the sum of these. */
export interface Keepalive {
  /** After so long a connection is asked whether its peer is there, and again each time. */
  readonly intervalMs: number;
  /** One that does not answer for so long is closed. */
  readonly timeoutMs: number;
}

/** As istiod has it. */
export const KEEPALIVE_DEFAULT: Keepalive = { intervalMs: 30_000, timeoutMs: 10_000 };
