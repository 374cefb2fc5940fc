/** A resource that was refused, and why; both go into the NACK. */
export interface Rejection {
  /** "" when the response as a whole was refused. */
  readonly name: string;
  readonly reason: string;
}

/** One type of resource, and who takes it. */
export interface ResourceType {
  readonly typeUrl: string;
  /** Asks for all resources there are (LDS, CDS), not for names (EDS, RDS). */
  readonly isWildcard: boolean;
  /**
   * Takes one state-of-the-world response: for a wildcard type all that exists, otherwise the
   * asked-for ones that changed. Keeps the last good value of what it refuses. No rejection is an
   * ACK. While a promise is waited for, nothing more of the stream is read; it does not reject.
   */
  apply(
    bodies: readonly Uint8Array[],
    version: string,
  ): readonly Rejection[] | Promise<readonly Rejection[]>;
}

/** How one type stands. */
export interface TypeStatus {
  readonly typeUrl: string;
  /** The version that was last taken whole; "" before the first. */
  readonly version: string;
  /** Why the last response was refused, in whole or in part; absent when it was not. */
  readonly rejection?: string;
  readonly updates: number;
  readonly rejections: number;
}
