/** A resource that was refused, and why; both go into the NACK. */
export interface Rejection {
  /** "" when the response as a whole was refused. */
  readonly name: string;
  readonly reason: string;
}

/** One resource of a response. */
export interface WireResource {
  /** What the server calls it; "" in state of the world, where only the body says. */
  readonly name: string;
  /** Other names under which it was asked for. */
  readonly aliases: readonly string[];
  /** "" in state of the world, where only the response has one. */
  readonly version: string;
  /** `undefined`: the server knows of nothing under that name (virtual hosts only). */
  readonly body: Uint8Array | undefined;
}

/** What one response says, in whichever variant of the protocol it came. */
export interface ResourceUpdate {
  readonly resources: readonly WireResource[];
  /** What is gone, by name; said in delta only. */
  readonly removed: readonly string[];
  /** State of the world: of a wildcard type, what is not among the resources is gone. */
  readonly isWhole: boolean;
  readonly version: string;
}

/** One type of resource, and who takes it. */
export interface ResourceType {
  readonly typeUrl: string;
  /** Asks for all resources there are (LDS, CDS), not for names (EDS, RDS). */
  readonly isWildcard: boolean;
  /** What of all there is somebody takes, where `*` is asked for beside names (VHDS). */
  wants?(name: string): boolean;
  /**
   * Takes one response: in state of the world, of a wildcard type all that exists, otherwise some
   * of what was asked for; in delta what changed. Keeps the last good value of what it refuses. No
   * rejection is an ACK. While a promise is waited for, nothing more of the stream is read; it does
   * not reject.
   */
  apply(update: ResourceUpdate): readonly Rejection[] | Promise<readonly Rejection[]>;
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
