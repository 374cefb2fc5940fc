/** How connections of clients that are gone without a word are noticed, and how old one may get. */
export interface Keepalive {
  /** After so long a connection is asked whether its peer is there, and again each time. */
  readonly intervalMs: number;
  /** One that does not answer for so long is closed. */
  readonly timeoutMs: number;
  /**
   * After so long, more or less a tenth, a client is told to connect anew (GOAWAY), so that in the
   * long run clients spread over all servers that there are; absent: never.
   */
  readonly ageMsMax?: number;
}

/** As istiod has it. */
export const KEEPALIVE_DEFAULT: Keepalive = { intervalMs: 30_000, timeoutMs: 10_000 };

/** How much longer than its age a connection lasts whose calls do not end, as istiod has it. */
export const AGE_GRACE_MS = 10_000;
