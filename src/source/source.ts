import type { Issue } from "../base/issue.ts";
import type { KubeObject, ObjectKey } from "../config/object.ts";

/** One object came, changed or went. */
export type ConfigEvent =
  | { readonly type: "set"; readonly object: KubeObject; readonly origin?: ConfigOrigin }
  | { readonly type: "delete"; readonly key: ObjectKey };

/** Where in a file an object stands; kept beside the object, never in what is pushed. */
export interface ConfigOrigin {
  readonly file: string;
  /** The first line of the object's document, from 1. */
  readonly line: number;
}

/** Input that a source does not take, or takes with a warning (the issue's severity says which). */
export interface RefusedInput {
  /** The line is that of the mistake where it is known. */
  readonly origin: ConfigOrigin;
  /** `Kind/namespace/name`, where the input got so far as to have one. */
  readonly object?: string;
  readonly issue: Issue;
}

/** What a source noticed at one moment; a store applies it as one step. */
export interface ConfigBatch {
  readonly events: readonly ConfigEvent[];
  /**
   * All that is refused at this moment, not only since the last batch: what is no longer in it was
   * repaired. The last good version of what a refusal speaks of stays.
   */
  readonly refused: readonly RefusedInput[];
}

/**
 * A place that configuration comes from. All yield the same events: first one batch with all that
 * there is (even when that is nothing), then what changes.
 */
export interface ConfigSource {
  readonly name: string;
  /** Resolves when the signal aborts and everything it opened is closed. */
  run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void>;
}
