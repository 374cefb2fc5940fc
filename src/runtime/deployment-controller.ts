import type { Deployment } from "../config/deployment.ts";
import { keyOf } from "../config/object.ts";
import type { ReplicaSet } from "../config/replica-set.ts";
import type { Controller, ControllerDeps } from "./controller.ts";
import {
  controllerReference,
  isControlledBy,
  objectKey,
  ownerKeys,
  parseKey,
  startController,
} from "./controller.ts";
import { deploymentStatus } from "./deployment-status.ts";
import { rolloutStep } from "./rollout.ts";
import { shortHash } from "./short-hash.ts";
import { writeStatus } from "./write-status.ts";

const HASH_LABEL = "pod-template-hash";
const REVISION = "deployment.kubernetes.io/revision";
const HISTORY_DEFAULT = 10;

/** Keeps one ReplicaSet per version of a Deployment's template, and moves pods between them. */
export function startDeploymentController(deps: ControllerDeps): Controller {
  return startController(deps, {
    name: "deployment",
    watches: [
      { group: "apps", kind: "Deployment", keys: (object) => [objectKey(object)] },
      { group: "apps", kind: "ReplicaSet", keys: (object) => ownerKeys(object, "Deployment") },
    ],
    reconcile: (key, controller) => reconcile(deps, key, controller),
  });
}

async function reconcile(deps: ControllerDeps, key: string, controller: Controller): Promise<void> {
  const { storage, clock } = deps;
  const deployment = storage.get({ group: "apps", kind: "Deployment", ...parseKey(key) }) as
    | Deployment
    | undefined;
  if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined) return;
  const hash = shortHash(deployment.spec.template);
  const sets = setsOf(deps, deployment);
  const newSet = sets.find((set) => set.metadata.labels?.[HASH_LABEL] === hash);
  const step = rolloutStep(
    deployment,
    newSet,
    sets.filter((set) => set !== newSet),
  );
  if (newSet === undefined) {
    // A paused deployment does not begin a new version.
    if (deployment.spec.paused !== true)
      await createSet(deps, deployment, sets, hash, step.newReplicas);
  } else {
    await updateSet(deps, newSet, step.newReplicas, nextRevision(sets, newSet));
  }
  for (const [set, replicas] of step.oldReplicas) await updateSet(deps, set, replicas, undefined);
  await noteRevision(deps, deployment, hash);
  await pruneHistory(deps, deployment, hash);
  const { status, nextMs } = deploymentStatus(
    deployment,
    setsOf(deps, deployment),
    hash,
    clock.nowMs(),
  );
  await writeStatus(storage, deployment, status);
  if (nextMs !== undefined) controller.enqueueAfter(key, nextMs);
}

function setsOf({ storage }: ControllerDeps, deployment: Deployment): readonly ReplicaSet[] {
  const namespace = deployment.metadata.namespace ?? "";
  const { items } = storage.list({ group: "apps", kind: "ReplicaSet", namespace });
  return items.filter((set) => isControlledBy(set, deployment)) as ReplicaSet[];
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0);
}

/** One more than all others, unless the set has that already. */
function nextRevision(sets: readonly ReplicaSet[], set: ReplicaSet | undefined): number {
  const others = sets.filter((other) => other !== set).map(revisionOf);
  const own = set === undefined ? 0 : revisionOf(set);
  const last = Math.max(0, ...others);
  return own > last ? own : last + 1;
}

async function createSet(
  { storage }: ControllerDeps,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  hash: string,
  replicas: number,
): Promise<void> {
  const { metadata, spec } = deployment;
  const labels = { ...spec.template.metadata?.labels, [HASH_LABEL]: hash };
  const set: ReplicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels,
      annotations: { [REVISION]: String(nextRevision(sets, undefined)) },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [HASH_LABEL]: hash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
  await storage.create(set);
}

async function updateSet(
  { storage }: ControllerDeps,
  set: ReplicaSet,
  replicas: number,
  revision: number | undefined,
): Promise<void> {
  const isSame =
    set.spec.replicas === replicas && (revision === undefined || revisionOf(set) === revision);
  if (isSame) return;
  const annotations =
    revision === undefined
      ? set.metadata.annotations
      : { ...set.metadata.annotations, [REVISION]: String(revision) };
  const next: ReplicaSet = {
    ...set,
    metadata: { ...set.metadata, ...(annotations === undefined ? {} : { annotations }) },
    spec: { ...set.spec, replicas },
  };
  await storage.update(next);
}

/** A deployment says which of its versions it is at: what `kubectl rollout undo` begins with. */
async function noteRevision(
  deps: ControllerDeps,
  deployment: Deployment,
  hash: string,
): Promise<void> {
  const set = setsOf(deps, deployment).find(
    ({ metadata }) => metadata.labels?.[HASH_LABEL] === hash,
  );
  const current = deps.storage.get(keyOf(deployment));
  const revision = set?.metadata.annotations?.[REVISION];
  if (revision === undefined || current === undefined) return;
  if (current.metadata.uid !== deployment.metadata.uid) return;
  const { annotations } = current.metadata;
  if (annotations?.[REVISION] === revision) return;
  const metadata = { ...current.metadata, annotations: { ...annotations, [REVISION]: revision } };
  await deps.storage.update({ ...current, metadata });
}

/** Removes the oldest versions that have no pods any more, but for as many as may be rolled back to. */
async function pruneHistory(
  deps: ControllerDeps,
  deployment: Deployment,
  hash: string,
): Promise<void> {
  const idle = setsOf(deps, deployment)
    .filter((set) => set.metadata.labels?.[HASH_LABEL] !== hash)
    .filter((set) => set.spec.replicas === 0 && (set.status?.replicas ?? 0) === 0)
    .sort((left, right) => revisionOf(right) - revisionOf(left));
  const kept = deployment.spec.revisionHistoryLimit ?? HISTORY_DEFAULT;
  for (const set of idle.slice(kept)) await deps.storage.delete(keyOf(set));
}
