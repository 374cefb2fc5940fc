import type { Prng } from "../base/prng.ts";
import type { KubeObject } from "../config/object.ts";
import { keyOf } from "../config/object.ts";
import type { Pod } from "../config/pod.ts";
import type { ReplicaSet } from "../config/replica-set.ts";
import { StorageError } from "../storage/storage.ts";
import type { Controller, ControllerDeps } from "./controller.ts";
import {
  controllerReference,
  isControlledBy,
  objectKey,
  ownerKeys,
  parseKey,
  startController,
} from "./controller.ts";
import { isPodActive, isPodReady, readySinceMs } from "./pod-conditions.ts";
import { nameSuffix } from "./short-hash.ts";
import { writeStatus } from "./write-status.ts";

/** How many pods of one set are made or removed before the rest waits for the next round. */
const WRITES_PER_ROUND_MAX = 32;

/** What keeps replica sets at their number. */
export interface ReplicaSetControllerDeps extends ControllerDeps {
  readonly prng: Prng;
}

/** Keeps as many pods as each ReplicaSet asks for, and its status. */
export function startReplicaSetController(deps: ReplicaSetControllerDeps): Controller {
  return startController(deps, {
    name: "replicaset",
    watches: [
      { group: "apps", kind: "ReplicaSet", keys: (object) => [objectKey(object)] },
      { group: "", kind: "Pod", keys: (object) => ownerKeys(object, "ReplicaSet") },
    ],
    reconcile: (key, controller) => reconcile(deps, key, controller),
  });
}

async function reconcile(
  deps: ReplicaSetControllerDeps,
  key: string,
  controller: Controller,
): Promise<void> {
  const { storage } = deps;
  const set = storage.get({ group: "apps", kind: "ReplicaSet", ...parseKey(key) }) as
    | ReplicaSet
    | undefined;
  if (set === undefined || set.metadata.deletionTimestamp !== undefined) return;
  const wanted = set.spec.replicas ?? 1;
  const pods = podsOf(deps, set).filter(isPodActive);
  const missing = Math.min(wanted - pods.length, WRITES_PER_ROUND_MAX);
  if (missing > 0) {
    await Promise.all(Array.from({ length: missing }, () => createPod(deps, set)));
  } else if (missing < 0) {
    const surplus = [...pods].sort(byWorth).slice(0, Math.min(-missing, WRITES_PER_ROUND_MAX));
    await Promise.all(surplus.map((pod) => deletePod(deps, pod)));
  }
  if (Math.abs(wanted - pods.length) > WRITES_PER_ROUND_MAX) controller.enqueue(key);
  const nextMs = await updateStatus(deps, set);
  if (nextMs !== undefined) controller.enqueueAfter(key, nextMs);
}

function podsOf({ storage }: ControllerDeps, set: ReplicaSet): readonly Pod[] {
  const namespace = set.metadata.namespace ?? "";
  const { items } = storage.list({ group: "", kind: "Pod", namespace });
  return items.filter((pod) => isControlledBy(pod, set)) as Pod[];
}

async function createPod(deps: ReplicaSetControllerDeps, set: ReplicaSet): Promise<void> {
  const { template } = set.spec;
  const generateName = `${set.metadata.name}-`;
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: generateName + nameSuffix(deps.prng),
      generateName,
      ...(set.metadata.namespace === undefined ? {} : { namespace: set.metadata.namespace }),
      ...(template.metadata?.labels === undefined ? {} : { labels: template.metadata.labels }),
      ...(template.metadata?.annotations === undefined
        ? {}
        : { annotations: template.metadata.annotations }),
      ownerReferences: [controllerReference(set)],
    },
    spec: template.spec,
  };
  await deps.storage.create(pod);
}

async function deletePod({ storage }: ControllerDeps, pod: Pod): Promise<void> {
  try {
    await storage.delete(keyOf(pod), {
      gracePeriodSeconds: pod.spec.terminationGracePeriodSeconds ?? 30,
      ...(pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid }),
    });
  } catch (error) {
    if (!(error instanceof StorageError) || error.reason !== "NotFound") throw error;
  }
}

/** The least useful first: not placed, then not ready, then the newest. */
function byWorth(left: Pod, right: Pod): number {
  const isPlaced = (pod: Pod): number => (pod.spec.nodeName === undefined ? 0 : 1);
  const isReady = (pod: Pod): number => (isPodReady(pod) ? 1 : 0);
  const time = (pod: KubeObject): string => pod.metadata.creationTimestamp ?? "";
  return (
    isPlaced(left) - isPlaced(right) ||
    isReady(left) - isReady(right) ||
    time(right).localeCompare(time(left))
  );
}

/** When the next pod has been ready for long enough, in milliseconds from now. */
async function updateStatus(deps: ControllerDeps, set: ReplicaSet): Promise<number | undefined> {
  const pods = podsOf(deps, set).filter(isPodActive);
  const ready = pods.filter(isPodReady);
  const minReadyMs = (set.spec.minReadySeconds ?? 0) * 1000;
  const waitsMs = ready
    .map((pod) => readySinceMs(pod) + minReadyMs - deps.clock.nowMs())
    .filter((waitMs) => minReadyMs > 0 && waitMs > 0);
  const { template } = set.spec;
  await writeStatus(deps.storage, set, {
    replicas: pods.length,
    fullyLabeledReplicas: pods.filter((pod) =>
      Object.entries(template.metadata?.labels ?? {}).every(
        ([name, value]) => pod.metadata.labels?.[name] === value,
      ),
    ).length,
    readyReplicas: ready.length,
    availableReplicas: ready.length - waitsMs.length,
    observedGeneration: set.metadata.generation ?? 1,
  });
  return waitsMs.length === 0 ? undefined : Math.min(...waitsMs);
}
