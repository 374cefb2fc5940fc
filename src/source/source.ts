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
  /** The line is that of the mistake where it is known; absent for what does not stand in a file. */
  readonly origin?: ConfigOrigin;
  /** `Kind/namespace/name`, where the input got so far as to have one. */
  readonly object?: string;
  /** The same for programs, where the object is there to be told of it. */
  readonly key?: ObjectKey;
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

/** What the control plane says of one object, to be kept in the object's `status`. */
export interface StatusChange {
  readonly key: ObjectKey;
  /** The version of the object that this speaks of. */
  readonly observedGeneration?: number;
  /** Kubernetes' conditions; those of other types in the object stay as they are. */
  readonly conditions: readonly StatusCondition[];
  /** What is wrong with it, as Istio's analysis writes it; replaces all that is there. */
  readonly validationMessages: readonly StatusMessage[];
}

/** One of `status.conditions`. When it last changed is for the source to say. */
export interface StatusCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** One of `status.validationMessages`. */
export interface StatusMessage {
  readonly level: "ERROR" | "WARNING";
  /** Inside of the object. */
  readonly path: string;
  readonly message: string;
}

/**
 * A place that configuration comes from. All yield the same events: first one batch with all that
 * there is (even when that is nothing), then what changes.
 */
export interface ConfigSource {
  readonly name: string;
  /** Resolves when the signal aborts and everything it opened is closed. */
  run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void>;
  /**
   * Writes the status of an object where the place keeps such; absent where it does not. Writing
   * what stands there already is no write. An object that is gone, or was changed by somebody else
   * meanwhile, is left alone: whoever changed it makes the control plane look again. Rejects when
   * the place cannot be reached or refuses.
   */
  writeStatus?(change: StatusChange, signal: AbortSignal): Promise<void>;
}
