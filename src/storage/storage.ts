import type { Issue } from "../base/issue.ts";
import type { KubeObject, ObjectKey } from "../config/object.ts";

/** Which objects: a kind, in one namespace or in all. */
export interface StorageSelector {
  readonly group: string;
  readonly kind: string;
  /** Absent: all namespaces. */
  readonly namespace?: string;
}

/** One change, in the order of revisions. */
export interface StorageEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** The object after the change; for `DELETED` as it last was, under the revision of its end. */
  readonly object: KubeObject;
  /** The object before the change, but for `ADDED`: who selects by labels has to know both. */
  readonly old?: KubeObject;
  readonly revision: number;
}

/** What every write may ask for. */
export interface WriteOptions {
  /** Only say what would come of it: admission is asked, nothing is kept, nobody is told. */
  readonly isDryRun?: boolean;
}

/** What an update may ask for. */
export interface UpdateOptions extends WriteOptions {
  /** Only `status` is taken from the object; without it, `status` is kept as it was. */
  readonly subresource?: "status";
}

/** What a removal may ask for. */
export interface DeleteOptions extends WriteOptions {
  /**
   * Seconds that a Pod gets to stop: it is marked with `deletionTimestamp` and goes when it is
   * deleted with 0. Kinds that do not run go at once.
   */
  readonly gracePeriodSeconds?: number;
  readonly uid?: string;
  readonly resourceVersion?: string;
  /**
   * What happens to what the object owns: it goes after it (`Background`, the default), before it
   * (`Foreground`), or stays and is nobody's (`Orphan`).
   */
  readonly propagation?: "Background" | "Foreground" | "Orphan";
}

/** Why a storage refuses; the API turns the reason into Kubernetes' status of the same name. */
export type StorageReason = "NotFound" | "AlreadyExists" | "Conflict" | "Expired" | "Invalid";

/** A refusal of the storage; everything else it throws is a bug or a broken disk. */
export class StorageError extends Error {
  readonly reason: StorageReason;
  /** What is wrong with the object, for `Invalid`. */
  readonly issues: readonly Issue[];

  constructor(reason: StorageReason, message: string, issues: readonly Issue[] = []) {
    super(message);
    this.name = "StorageError";
    this.reason = reason;
    this.issues = issues;
  }
}

/**
 * Versioned objects with watch. Keeps Kubernetes' laws of metadata: `uid` and `creationTimestamp`
 * are given at creation, `resourceVersion` is the revision of the last write, `generation` counts
 * writes that changed more than metadata and status, an update that names an old
 * `resourceVersion` is a `Conflict`, one that changes nothing writes nothing, finalizers hold a
 * removal up, and what an object owns goes with it; so does what is in a namespace.
 *
 * Reads are synchronous and from memory; a write resolves once it is durable.
 */
export interface Storage {
  get(key: ObjectKey): KubeObject | undefined;
  /** Sorted by namespace and name, at one revision. */
  list(selector: StorageSelector): {
    readonly items: readonly KubeObject[];
    readonly revision: number;
  };
  create(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  update(object: KubeObject, options?: UpdateOptions): Promise<KubeObject>;
  /** The object as it was, or as it is now marked when it has to stop first. */
  delete(key: ObjectKey, options?: DeleteOptions): Promise<KubeObject>;
  /**
   * Calls back for every later change, or for those after `fromRevision`, never before it has
   * returned; `Expired` is thrown when that is further back than the history reaches, or ahead of
   * it. Returns the way to stop.
   */
  watch(
    selector: StorageSelector,
    onEvent: (event: StorageEvent) => void,
    fromRevision?: number,
  ): () => void;
  close(): Promise<void>;
}
