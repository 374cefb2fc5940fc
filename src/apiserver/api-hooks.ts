import type { Issue } from "../base/issue.ts";
import type { KubeObject } from "../config/object.ts";
import type { Pod } from "../config/pod.ts";

/** Which part of a container's output; absent means all that is kept. */
export interface LogOptions {
  /** Absent: the pod's only container, or its first. */
  readonly container?: string;
  /** Go on with what comes. */
  readonly follow: boolean;
  /** Of the run before the last restart. */
  readonly previous: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

/** What the API asks others, because it keeps objects and nothing else. */
export interface ApiHooks {
  /** Output of a pod's container, or why there is none. */
  readonly logs?: (pod: Pod, options: LogOptions) => AsyncIterable<Uint8Array> | Issue;
  /** What is remarkable about an object that is accepted: references that lead nowhere, as a rule. */
  readonly warn?: (object: KubeObject) => readonly Issue[];
}
