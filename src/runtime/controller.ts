import type { Clock } from "../base/clock.ts";
import type { KubeObject } from "../config/object.ts";
import type { Storage } from "../storage/storage.ts";
import { StorageError } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";
import { WorkQueue } from "./work-queue.ts";

const CONCURRENCY_DEFAULT = 8;

/** A kind whose changes concern a controller, and which of its keys a change touches. */
export interface ControllerWatch {
  readonly group: string;
  readonly kind: string;
  /** Also asked for what is gone, as it last was. */
  readonly keys: (object: KubeObject) => readonly string[];
}

/** What controllers share. */
export interface ControllerDeps {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One loop that keeps one kind where it should be. */
export interface ControllerOptions {
  readonly name: string;
  readonly watches: readonly ControllerWatch[];
  /** Level-triggered: reads what there is now; a key is `namespace/name`. */
  readonly reconcile: (key: string, controller: Controller) => Promise<void>;
  readonly concurrency?: number;
}

/** A controller that runs. */
export interface Controller {
  enqueue(key: string): void;
  enqueueAfter(key: string, delayMs: number): void;
  /** Resolves when nothing of it is under way any more. */
  stop(): Promise<void>;
}

/** Starts a controller: all there is first, then what changes. */
export function startController(deps: ControllerDeps, options: ControllerOptions): Controller {
  const { storage, clock } = deps;
  const logger = deps.logger.scope(options.name);
  const queue = new WorkQueue({
    clock,
    concurrency: options.concurrency ?? CONCURRENCY_DEFAULT,
    reconcile: (key) => options.reconcile(key, controller),
    onError: (key, error, retryMs) => {
      // Somebody else wrote first: reading again is all there is to do.
      const isRace = error instanceof StorageError && error.reason === "Conflict";
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      if (isRace) logger.debug("changed meanwhile", { key, retryMs });
      else logger.error("reconcile failed", { key, retryMs, error: message });
    },
  });
  const controller: Controller = {
    enqueue: (key) => queue.add(key),
    enqueueAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    stop: async () => {
      for (const unwatch of unwatches) unwatch();
      await queue.stop();
    },
  };
  const unwatches = options.watches.map(({ group, kind, keys }) => {
    const { items, revision } = storage.list({ group, kind });
    for (const object of items) for (const key of keys(object)) queue.add(key);
    return storage.watch(
      { group, kind },
      (event) => {
        for (const key of keys(event.object)) queue.add(key);
      },
      revision,
    );
  });
  return controller;
}

/** The key of an object for its own controller. */
export function objectKey({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

/** Splits a key again. */
export function parseKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The keys of an object's controlling owner of a kind: one or none. */
export function ownerKeys(object: KubeObject, kind: string): readonly string[] {
  return (object.metadata.ownerReferences ?? [])
    .filter((owner) => owner.controller === true && owner.kind === kind)
    .map((owner) => `${object.metadata.namespace ?? ""}/${owner.name}`);
}

/** Whether `owner` controls the object. */
export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return (object.metadata.ownerReferences ?? []).some(
    ({ controller, uid }) => controller === true && uid === owner.metadata.uid,
  );
}

/** The reference that makes `owner` the controller of what carries it. */
export function controllerReference(owner: KubeObject): {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: true;
  readonly blockOwnerDeletion: true;
} {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}
