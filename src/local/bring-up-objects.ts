import { join } from "node:path";
import type { Deployment } from "../config/deployment.ts";
import type { KubeObject } from "../config/object.ts";
import { keyOf } from "../config/object.ts";
import type { Storage } from "../storage/storage.ts";
import { applyFiles } from "./apply-files.ts";
import { defaultObjects, GATEWAY_NAME, ROOT_NAMESPACE, withHostPort } from "./default-objects.ts";

/** Remembers what was put in once, so that what a user then deletes does not come back. */
const MARK = { group: "", kind: "ConfigMap", namespace: "kube-system", name: "weft-state" };

/** What belongs into a mesh before its users add theirs. */
export interface BringUpOptions {
  readonly packageRoot: string;
  readonly image: string;
  readonly httpPort: number;
  readonly isDemo: boolean;
}

type Mark = KubeObject & { readonly data?: Readonly<Record<string, string>> };

/**
 * Puts the default objects into a new home, and the demo at the first start that asks for it. The
 * gateway's host port follows the flag at every start.
 */
export async function bringUpObjects(storage: Storage, options: BringUpOptions): Promise<void> {
  const before = (storage.get(MARK) as Mark | undefined)?.data ?? {};
  if (before["defaults"] !== "applied") {
    for (const object of defaultObjects(options)) {
      if (storage.get(keyOf(object)) === undefined) await storage.create(object);
    }
  }
  await moveGateway(storage, options.httpPort);
  const isDemoDue = options.isDemo && before["demo"] !== "applied";
  if (isDemoDue) {
    const folder = join(options.packageRoot, "samples", "bookinfo");
    await applyFiles(storage, [
      join(folder, "bookinfo.yaml"),
      join(folder, "networking", "bookinfo-gateway.yaml"),
    ]);
  }
  await writeMark(storage, {
    ...before,
    defaults: "applied",
    ...(isDemoDue ? { demo: "applied" } : {}),
  });
}

async function moveGateway(storage: Storage, httpPort: number): Promise<void> {
  const key = { group: "apps", kind: "Deployment", namespace: ROOT_NAMESPACE, name: GATEWAY_NAME };
  const deployment = storage.get(key) as Deployment | undefined;
  if (deployment !== undefined) await storage.update(withHostPort(deployment, httpPort));
}

async function writeMark(storage: Storage, data: Readonly<Record<string, string>>): Promise<void> {
  const current = storage.get(MARK) as Mark | undefined;
  const { name, namespace } = MARK;
  const next: Mark = {
    ...(current ?? { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace } }),
    data,
  };
  if (current === undefined) await storage.create(next);
  else await storage.update(next);
}
