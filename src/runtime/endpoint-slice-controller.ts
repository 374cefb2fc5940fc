import type { EndpointSlice } from "../config/endpoint-slice.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { matchLabels } from "../config/label-selector.ts";
import type { KubeObject } from "../config/object.ts";
import { keyOf } from "../config/object.ts";
import type { Pod } from "../config/pod.ts";
import type { Service } from "../config/service.ts";
import type { Storage } from "../storage/storage.ts";
import { StorageError } from "../storage/storage.ts";
import type { Controller, ControllerDeps } from "./controller.ts";
import { isControlledBy, objectKey, parseKey, startController } from "./controller.ts";
import { buildEndpointSlices, buildEndpoints, SLICE_MANAGER } from "./endpoint-slices.ts";
import { canonicalJson } from "./short-hash.ts";

/** Keeps the EndpointSlices and Endpoints of every service that has a selector. */
export function startEndpointSliceController(deps: ControllerDeps): Controller {
  const { storage } = deps;
  return startController(deps, {
    name: "endpointslice",
    watches: [
      { group: "", kind: "Service", keys: (object) => [objectKey(object)] },
      // A pod whose labels changed leaves services too: all of its namespace look again.
      {
        group: "",
        kind: "Pod",
        keys: ({ metadata: { namespace = "" } }) =>
          storage.list({ group: "", kind: "Service", namespace }).items.map(objectKey),
      },
    ],
    reconcile: (key) => reconcile(storage, key),
  });
}

async function reconcile(storage: Storage, key: string): Promise<void> {
  const { namespace, name } = parseKey(key);
  const service = storage.get({ group: "", kind: "Service", namespace, name }) as
    | Service
    | undefined;
  // What a service owns goes with it; without a selector its endpoints are somebody else's.
  if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
  const { selector } = service.spec;
  if (selector === undefined || Object.keys(selector).length === 0) return;
  const pods = (storage.list({ group: "", kind: "Pod", namespace }).items as Pod[]).filter((pod) =>
    matchLabels(selector, pod.metadata.labels ?? {}),
  );
  const slices = buildEndpointSlices(service, pods);
  const existing = storage
    .list({ group: "discovery.k8s.io", kind: "EndpointSlice", namespace })
    .items.filter((slice) => isOwn(slice, service));
  for (const slice of slices) await write(storage, slice);
  const names = new Set(slices.map(({ metadata }) => metadata.name));
  for (const slice of existing) {
    if (!names.has(slice.metadata.name)) await remove(storage, slice);
  }
  await write(storage, buildEndpoints(service, pods));
}

function isOwn(slice: KubeObject, service: Service): boolean {
  const manager = slice.metadata.labels?.["endpointslice.kubernetes.io/managed-by"];
  return manager === SLICE_MANAGER && isControlledBy(slice, service);
}

async function write(storage: Storage, object: EndpointSlice | Endpoints): Promise<void> {
  const current = storage.get(keyOf(object));
  if (current === undefined) {
    await storage.create(object);
    return;
  }
  const { metadata, ...content } = object;
  const next = {
    ...current,
    ...content,
    metadata: { ...current.metadata, ...metadata },
  };
  if (canonicalJson(next) !== canonicalJson(current)) await storage.update(next);
}

async function remove(storage: Storage, object: KubeObject): Promise<void> {
  try {
    await storage.delete(keyOf(object));
  } catch (error) {
    if (!(error instanceof StorageError) || error.reason !== "NotFound") throw error;
  }
}
