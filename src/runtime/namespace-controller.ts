import type { Storage } from "../storage/storage.ts";
import type { Controller, ControllerDeps } from "./controller.ts";
import { startController } from "./controller.ts";

/** Gives every namespace its `default` service account, and makes it again when it goes. */
export function startNamespaceController(deps: ControllerDeps): Controller {
  return startController(deps, {
    name: "namespace",
    watches: [
      { group: "", kind: "Namespace", keys: ({ metadata }) => [metadata.name] },
      {
        group: "",
        kind: "ServiceAccount",
        keys: ({ metadata: { name, namespace = "" } }) => (name === "default" ? [namespace] : []),
      },
    ],
    reconcile: (namespace) => reconcile(deps.storage, namespace),
  });
}

async function reconcile(storage: Storage, namespace: string): Promise<void> {
  const found = storage.get({ group: "", kind: "Namespace", namespace: "", name: namespace });
  if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
  const key = { group: "", kind: "ServiceAccount", namespace, name: "default" };
  if (storage.get(key) !== undefined) return;
  await storage.create({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace },
  });
}
