import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { formatIssue } from "../base/issue.ts";
import { isSameJson } from "../config/json.ts";
import type { KubeObject, ObjectKey, ObjectMeta } from "../config/object.ts";
import { formatKey, groupOf, keyOf } from "../config/object.ts";
import type { Admission, Admit } from "./admission.ts";
import type { Journal } from "./journal.ts";
import { noJournal } from "./journal.ts";
import type {
  DeleteOptions,
  Storage,
  StorageEvent,
  StorageSelector,
  UpdateOptions,
  WriteOptions,
} from "./storage.ts";
import { StorageError } from "./storage.ts";
import { Tables } from "./tables.ts";
import { WatchHistory } from "./watch-history.ts";

/** What a storage needs from outside. */
export interface StorageOptions {
  readonly clock: Clock;
  readonly admit?: Admit;
  /** Random by default; tests give their own. */
  readonly createUid?: () => string;
}

/** Kubernetes' own default for `terminationGracePeriodSeconds`. */
const GRACE_SECONDS_DEFAULT = 30;
/** A lifetime: beyond some number of seconds there are no dates. */
const GRACE_SECONDS_MAX = 2 ** 31 - 1;
const FOREGROUND = "foregroundDeletion";
const GENERATED_LENGTH = 5;

/**
 * The storage in memory, and the laws that every storage keeps: `LmdbStorage` is this one with a
 * journal behind it. A change is visible to reads at once, to watchers and to its writer once the
 * journal has it.
 */
export class MemoryStorage implements Storage {
  readonly #tables = new Tables();
  readonly #history: WatchHistory;
  readonly #journal: Journal;
  readonly #options: StorageOptions;
  #revision: number;
  /** Changes of the operation that runs now; one commit writes them all. */
  #pending: StorageEvent[] = [];
  /** What follows from them, as long as something does: who owns whom may go deep. */
  #consequences: (() => void)[] = [];
  #lastCommit: Promise<void> = Promise.resolve();
  #broken: Error | undefined;

  constructor(options: StorageOptions, journal: Journal = noJournal) {
    this.#options = options;
    this.#journal = journal;
    const { objects, revision } = journal.load();
    for (const object of objects) this.#tables.set(object);
    // Clients take "0" for "any revision", so that none may be 0.
    this.#revision = Math.max(1, revision);
    this.#history = new WatchHistory(this.#revision);
  }

  get(key: ObjectKey): KubeObject | undefined {
    return this.#tables.get(key);
  }

  list(selector: StorageSelector): {
    readonly items: readonly KubeObject[];
    readonly revision: number;
  } {
    return { items: this.#tables.list(selector), revision: this.#revision };
  }

  async create(object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    return this.#write(options, () => {
      const named = this.#named(object);
      if (this.#tables.get(keyOf(named)) !== undefined) {
        throw new StorageError("AlreadyExists", `${formatKey(keyOf(named))} already exists`);
      }
      const {
        deletionTimestamp: _deletionTimestamp,
        deletionGracePeriodSeconds: _graceSeconds,
        ...metadata
      } = named.metadata;
      const created = this.#admit({
        operation: "create",
        object: {
          ...named,
          metadata: {
            ...metadata,
            uid: this.#createUid(),
            creationTimestamp: this.#now(),
            ...("spec" in named ? { generation: 1 } : {}),
          },
        },
      });
      const stored = this.#put(created, "ADDED");
      const owners = stored.metadata.ownerReferences ?? [];
      const isOrphan = owners.length > 0 && !owners.some(({ uid }) => this.#tables.hasUid(uid));
      // It came too late: nobody would ever remove it, and its namespace would never be empty.
      if (isOrphan || this.#isNamespaceEnding(stored)) this.#delete(stored, {});
      return stored;
    });
  }

  async update(object: KubeObject, options: UpdateOptions = {}): Promise<KubeObject> {
    return this.#write(options, () => {
      const old = this.#existing(keyOf(object), object.metadata);
      const subresource =
        options.subresource === "status" ? ({ subresource: "status" } as const) : {};
      const merged =
        options.subresource === "status" ? withStatus(old, object) : replace(old, object);
      const admitted = this.#admit({ operation: "update", object: merged, old, ...subresource });
      if (isSameJson(withoutRevision(admitted), withoutRevision(old))) return old;
      const { generation } = old.metadata;
      const isCounted =
        generation !== undefined && !isSameJson(contentOf(admitted), contentOf(old));
      const next = isCounted ? withMetadata(admitted, { generation: generation + 1 }) : admitted;
      const isReleased =
        next.metadata.deletionTimestamp !== undefined &&
        (next.metadata.finalizers ?? []).length === 0 &&
        (old.metadata.finalizers ?? []).length > 0 &&
        (next.metadata.deletionGracePeriodSeconds ?? 0) === 0;
      if (isReleased && !isNamespace(next)) return this.#remove(next);
      const stored = this.#put(next, "MODIFIED");
      return isReleased ? this.#deleteNamespace(stored) : stored;
    });
  }

  async delete(key: ObjectKey, options: DeleteOptions = {}): Promise<KubeObject> {
    return this.#write(options, () => this.#delete(this.#existing(key, options), options));
  }

  watch(
    selector: StorageSelector,
    onEvent: (event: StorageEvent) => void,
    fromRevision?: number,
  ): () => void {
    const revision = this.#revision;
    return this.#history.watch(selector, onEvent, fromRevision ?? revision, revision);
  }

  async close(): Promise<void> {
    await this.#lastCommit.catch(() => undefined);
    this.#history.close();
    await this.#journal.close();
  }

  /** Runs one operation and hands what it changed to the journal, then to the watchers. */
  async #write({ isDryRun }: WriteOptions, operation: () => KubeObject): Promise<KubeObject> {
    if (this.#broken !== undefined) throw this.#broken;
    const revision = this.#revision;
    let result: KubeObject;
    try {
      result = operation();
      for (const follow of this.#consequences) follow();
    } catch (error) {
      this.#undo(revision);
      throw error;
    } finally {
      this.#consequences = [];
    }
    if (isDryRun === true) this.#undo(revision);
    const events = this.#pending;
    this.#pending = [];
    if (events.length === 0) return result;
    const commit = this.#journal.commit(events, this.#revision);
    if (commit === undefined) {
      for (const event of events) this.#history.publish(event);
      return result;
    }
    // Commits end in their order, so that watchers hear of changes in the order of revisions.
    this.#lastCommit = Promise.all([this.#lastCommit, commit]).then(() => {
      for (const event of events) this.#history.publish(event);
    });
    try {
      await this.#lastCommit;
    } catch (error) {
      // Memory is ahead of the disk now: what is there is served, nothing more is taken.
      this.#broken ??= new Error("the storage could not be written", { cause: error });
      throw this.#broken;
    }
    return result;
  }

  /** As if the operation that runs now had never been. */
  #undo(revision: number): void {
    for (const { object, old } of this.#pending.toReversed()) {
      if (old === undefined) this.#tables.remove(object);
      else this.#tables.set(old);
    }
    this.#pending = [];
    this.#revision = revision;
  }

  #admit(admission: Admission): KubeObject {
    const result = this.#options.admit?.(admission, this);
    if (result === undefined) return admission.object;
    if (result.ok) return result.value;
    const text = result.issues.map(formatIssue).join("; ");
    const subject = formatKey(keyOf(admission.object));
    throw new StorageError("Invalid", `${subject} is invalid: ${text}`, result.issues);
  }

  #existing(key: ObjectKey, wanted: Pick<ObjectMeta, "uid" | "resourceVersion">): KubeObject {
    const object = this.#tables.get(key);
    if (object === undefined) throw new StorageError("NotFound", `${formatKey(key)} not found`);
    const { uid, resourceVersion } = object.metadata;
    if (wanted.uid !== undefined && wanted.uid !== uid) {
      throw new StorageError(
        "Conflict",
        `${formatKey(key)} is another object by now: its uid is ${uid}, not ${wanted.uid}`,
      );
    }
    const named = wanted.resourceVersion ?? "";
    if (named !== "" && named !== resourceVersion) {
      throw new StorageError(
        "Conflict",
        `${formatKey(key)} has been changed meanwhile, please apply your change to its latest version`,
      );
    }
    return object;
  }

  #delete(object: KubeObject, options: DeleteOptions): KubeObject {
    const { metadata } = object;
    const uid = metadata.uid ?? "";
    const finalizers = new Set(metadata.finalizers);
    if (options.propagation === "Foreground" && this.#tables.dependentsOf(uid).length > 0) {
      finalizers.add(FOREGROUND);
    }
    const graceSeconds = graceSecondsOf(object, options);
    if (isNamespace(object)) return this.#deleteNamespace(object);
    if (options.propagation === "Orphan") this.#disown(uid);
    if (graceSeconds === 0 && finalizers.size === 0) return this.#remove(object);
    const before = metadata.deletionGracePeriodSeconds;
    // A pod that stops already may be hurried, never given more time.
    const isMarked = before !== undefined && before <= graceSeconds;
    const marked = isMarked
      ? object
      : this.#put(
          withMetadata(object, {
            deletionTimestamp: this.#now(graceSeconds),
            deletionGracePeriodSeconds: graceSeconds,
            ...(finalizers.size > 0 ? { finalizers: [...finalizers] } : {}),
          }),
          "MODIFIED",
        );
    // Told once: what owns itself, in a circle, would be told for ever.
    const isTold = isMarked && isWaitingForDependents(object);
    if (finalizers.has(FOREGROUND) && !isTold) {
      this.#consequences.push(() => {
        for (const dependent of this.#tables.dependentsOf(uid)) this.#delete(dependent, {});
        this.#releaseOwner(keyOf(marked), uid);
      });
    }
    return this.get(keyOf(marked)) ?? marked;
  }

  /** A namespace is empty before it goes. */
  #deleteNamespace(object: KubeObject): KubeObject {
    const { name, deletionTimestamp, finalizers } = object.metadata;
    if (deletionTimestamp === undefined) {
      const status = { ...(object as { status?: object }).status, phase: "Terminating" };
      const marked = withMetadata(object, { deletionTimestamp: this.#now() });
      this.#put({ ...marked, status } as KubeObject, "MODIFIED");
      for (const inside of this.#tables.inNamespace(name)) {
        // What another one owned is gone with it.
        const current = this.get(keyOf(inside));
        if (current?.metadata.deletionTimestamp === undefined && current !== undefined) {
          this.#delete(current, {});
        }
      }
    }
    const current = this.get(keyOf(object)) ?? object;
    const isEmpty = this.#tables.inNamespace(name).length === 0 && (finalizers ?? []).length === 0;
    return isEmpty ? this.#remove(current) : current;
  }

  /** Takes an object out, and with it what it owned. */
  #remove(object: KubeObject): KubeObject {
    const old = this.#tables.get(keyOf(object));
    if (old === undefined) return object;
    this.#revision++;
    const last = withMetadata(object, { resourceVersion: String(this.#revision) });
    this.#tables.remove(old);
    this.#pending.push({ type: "DELETED", object: last, old, revision: this.#revision });
    const uid = object.metadata.uid ?? "";
    this.#consequences.push(() => {
      for (const dependent of this.#tables.dependentsOf(uid)) this.#release(dependent);
      this.#releaseOwners(object);
      this.#releaseNamespace(object);
    });
    return last;
  }

  /** One owner of an object has gone: it goes with the last one. */
  #release(dependent: KubeObject): void {
    const owners = (dependent.metadata.ownerReferences ?? []).filter(({ uid }) =>
      this.#tables.hasUid(uid),
    );
    if (owners.length > 0) {
      this.#put(withMetadata(dependent, { ownerReferences: owners }), "MODIFIED");
    } else if (dependent.metadata.deletionTimestamp === undefined) {
      this.#delete(dependent, {});
    }
  }

  /** Owners that waited for their last dependent go now. */
  #releaseOwners(object: KubeObject): void {
    for (const { apiVersion, kind, name, uid } of object.metadata.ownerReferences ?? []) {
      const namespace = object.metadata.namespace ?? "";
      this.#releaseOwner({ group: groupOf(apiVersion), kind, namespace, name }, uid);
    }
  }

  /** In a circle each waits for the other; nobody has to. */
  #releaseOwner(key: ObjectKey, uid: string): void {
    const owner = this.get(key);
    const { finalizers = [] } = owner?.metadata ?? {};
    if (owner?.metadata.uid !== uid || !isWaitingForDependents(owner)) return;
    if (!this.#tables.dependentsOf(uid).every(isWaitingForDependents)) return;
    const rest = finalizers.filter((one) => one !== FOREGROUND);
    const freed = withMetadata(owner, { finalizers: rest });
    if (rest.length === 0) this.#remove(freed);
    else this.#put(freed, "MODIFIED");
  }

  #isNamespaceEnding({ metadata: { namespace = "" } }: KubeObject): boolean {
    const room = this.get({ group: "", kind: "Namespace", namespace: "", name: namespace });
    return namespace !== "" && room?.metadata.deletionTimestamp !== undefined;
  }

  #releaseNamespace({ metadata: { namespace = "" } }: KubeObject): void {
    if (namespace === "") return;
    const room = this.get({ group: "", kind: "Namespace", namespace: "", name: namespace });
    if (room?.metadata.deletionTimestamp !== undefined) this.#deleteNamespace(room);
  }

  /** Cuts the ties to what an object owned, which stays. */
  #disown(uid: string): void {
    for (const dependent of this.#tables.dependentsOf(uid)) {
      const owners = (dependent.metadata.ownerReferences ?? []).filter((one) => one.uid !== uid);
      this.#put(withMetadata(dependent, { ownerReferences: owners }), "MODIFIED");
    }
  }

  #put(object: KubeObject, type: "ADDED" | "MODIFIED"): KubeObject {
    this.#revision++;
    const stored = withMetadata(object, { resourceVersion: String(this.#revision) });
    const old = this.#tables.get(keyOf(stored));
    this.#tables.set(stored);
    const revision = this.#revision;
    this.#pending.push({ type, object: stored, revision, ...(old === undefined ? {} : { old }) });
    return stored;
  }

  #named(object: KubeObject): KubeObject {
    const { name, generateName } = object.metadata;
    if ((name ?? "") !== "" || generateName === undefined) return object;
    // Of the uid's letters and digits, as few as Kubernetes takes.
    const suffix = this.#createUid().replaceAll("-", "").slice(-GENERATED_LENGTH);
    return withMetadata(object, { name: `${generateName}${suffix}` });
  }

  #createUid(): string {
    return (this.#options.createUid ?? randomUUID)();
  }

  /** Whole seconds, as Kubernetes writes times of metadata. */
  #now(plusSeconds = 0): string {
    const nowMs = this.#options.clock.nowMs() + plusSeconds * 1000;
    return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  }
}

function graceSecondsOf(object: KubeObject, { gracePeriodSeconds }: DeleteOptions): number {
  if (object.kind !== "Pod" || object.apiVersion !== "v1") return 0;
  const { spec, status } = object as {
    spec?: { terminationGracePeriodSeconds?: number; nodeName?: string };
    status?: { phase?: string };
  };
  // Nothing runs that would have to stop.
  const { phase = "Pending" } = status ?? {};
  if (phase === "Pending" && spec?.nodeName === undefined) return 0;
  if (phase === "Succeeded" || phase === "Failed") return 0;
  const { terminationGracePeriodSeconds = GRACE_SECONDS_DEFAULT } = spec ?? {};
  return Math.min(gracePeriodSeconds ?? terminationGracePeriodSeconds, GRACE_SECONDS_MAX);
}

/** Whether an object that is deleted goes only after those that it owns. */
function isWaitingForDependents({ metadata }: KubeObject): boolean {
  return (
    metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(FOREGROUND) === true
  );
}

function isNamespace({ apiVersion, kind }: KubeObject): boolean {
  return apiVersion === "v1" && kind === "Namespace";
}

function withMetadata(object: KubeObject, changes: Partial<ObjectMeta>): KubeObject {
  return { ...object, metadata: { ...object.metadata, ...changes } };
}

/** The stored object with the status of the given one. */
function withStatus(old: KubeObject, object: KubeObject): KubeObject {
  return { ...old, status: (object as { status?: unknown }).status } as KubeObject;
}

/** The given object with what only the server says about it: its origin, its end, its status. */
function replace(old: KubeObject, object: KubeObject): KubeObject {
  const { name, namespace, labels, annotations, ownerReferences, finalizers } = object.metadata;
  const { status } = old as { status?: unknown };
  const { status: _, ...rest } = object as KubeObject & { status?: unknown };
  const { uid, creationTimestamp, generation, generateName } = old.metadata;
  const { deletionTimestamp, deletionGracePeriodSeconds, resourceVersion } = old.metadata;
  const all = {
    name,
    namespace,
    generateName,
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    labels,
    annotations,
    ownerReferences,
    finalizers,
  };
  const metadata = Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  ) as unknown as ObjectMeta;
  return { ...rest, metadata, ...(status === undefined ? {} : { status }) } as KubeObject;
}

function withoutRevision(object: KubeObject): KubeObject {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** What `generation` counts the changes of. */
function contentOf(object: KubeObject): unknown {
  const {
    metadata: _metadata,
    apiVersion: _apiVersion,
    status: _status,
    ...content
  } = object as KubeObject & { status?: unknown };
  return content;
}
